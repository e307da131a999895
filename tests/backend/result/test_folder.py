# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result folder appears whole or not at all, and never costs the previous result."""

from __future__ import annotations

import errno
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.result.folder import ResultFolder
from backend.shared.errors import BadImage, Cancelled, DiskFull, LsrmError, OutputNotWritable
from backend.shared.names.result_names import REPORT
from backend.shared.virtual_environments import child_variables

OLD = {REPORT: b"old report", "mesh.glb": b"old mesh", "textures/base_color.png": b"old color"}


def put(folder, files):
    """Write files, given as bytes by name."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def tree(folder):
    """All files under a folder as bytes by name, and empty folders as nothing."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
        if path.is_file() or not any(path.iterdir())
    }


@pytest.fixture
def destination(tmp_path):
    """A folder with a previous result."""
    put(tmp_path / "out", OLD)
    return tmp_path / "out"


def fail_half_way(destination, failure):
    """Begin to write a result, then fail."""
    with ResultFolder(destination) as folder:
        put(folder, {REPORT: b"half", "textures/base_color.png": b"half"})
        raise failure


def full_disk(*_args, **_kwargs):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_result_appears_at_the_end(tmp_path):
    """Nothing stands at the destination until all is written; missing parents are made."""
    destination = tmp_path / "a" / "b"
    with ResultFolder(destination) as folder:
        put(folder, {"mesh.glb": b"new"})
        assert not destination.exists()
        assert folder.parent == destination.parent
    assert tree(tmp_path / "a") == {"b/mesh.glb": b"new"}
    assert destination.stat().st_mode & 0o777 == 0o755


def test_result_replaces_the_previous_one(destination, tmp_path):
    """All of the previous result goes, none of it stays beside the new one."""
    with ResultFolder(destination) as folder:
        put(folder, {REPORT: b"new"})
        assert tree(destination) == OLD
    assert tree(tmp_path) == {f"out/{REPORT}": b"new"}


@pytest.mark.parametrize("exists", ["nothing", "empty folder"])
def test_empty_destination(tmp_path, exists):
    """An empty folder is as good as none."""
    if exists == "empty folder":
        (tmp_path / "out").mkdir()
    with ResultFolder(tmp_path / "out") as folder:
        put(folder, {REPORT: b"new"})
    assert tree(tmp_path) == {f"out/{REPORT}": b"new"}


FAILURES = [
    ValueError("a bug"),
    Cancelled("Stopped.", "Start again."),
    BadImage("Broken.", "Replace it."),
    KeyboardInterrupt(),
    SystemExit(1),
    FileNotFoundError(errno.ENOENT, "missing", "/somewhere/else.png"),
    ConnectionResetError(errno.ECONNRESET, "not a file at all"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
def test_failure_leaves_everything_as_it_was(destination, tmp_path, failure):
    """Whatever ends the job, only the previous result stays, and the cause is reported."""
    with pytest.raises(type(failure)) as caught:
        fail_half_way(destination, failure)
    assert caught.value is failure
    assert tree(destination) == OLD
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_failure_without_previous_result(tmp_path):
    """A failed first job leaves no folder behind."""
    with pytest.raises(ValueError, match="bug"), ResultFolder(tmp_path / "out"):
        raise ValueError("a bug")
    assert list(tmp_path.iterdir()) == []


def killed_after_first_rename(destination, monkeypatch):
    """Swap in a new result, and be killed when the previous one is aside."""
    rename = Path.rename

    def rename_once(path, target):
        if path != destination:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", rename_once)
        with pytest.raises(KeyboardInterrupt), ResultFolder(destination) as folder:
            put(folder, {REPORT: b"new"})
    assert not destination.exists()


@pytest.mark.parametrize("next_job", ["fails", "succeeds"])
def test_kill_between_the_two_renames(destination, tmp_path, monkeypatch, next_job):
    """A previous result that a kill left aside is brought back by the next job."""
    killed_after_first_rename(destination, monkeypatch)
    if next_job == "fails":
        with pytest.raises(Cancelled):
            fail_half_way(destination, Cancelled("Stopped.", "Start again."))
        assert tree(tmp_path) == {f"out/{name}": content for name, content in OLD.items()}
    else:
        with ResultFolder(destination) as folder:
            put(folder, {REPORT: b"new"})
        assert tree(tmp_path) == {f"out/{REPORT}": b"new"}


def test_kill_after_the_two_renames(destination, tmp_path):
    """A previous result that a kill left beside the new one is cleared by the next job."""
    put(tmp_path / ".out.previous", {REPORT: b"older"})
    with pytest.raises(ValueError, match="again"), ResultFolder(destination):
        raise ValueError("again")
    assert tree(tmp_path) == {f"out/{name}": content for name, content in OLD.items()}


def test_failing_swap_puts_the_previous_result_back(destination, tmp_path, monkeypatch):
    """If the new folder cannot be moved, the previous one is moved back."""
    rename = Path.rename

    def refuse_parts(path, target):
        if path.suffix == ".part":
            raise PermissionError(errno.EACCES, "no", str(path))
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse_parts)
    with pytest.raises(OutputNotWritable), ResultFolder(destination) as folder:
        put(folder, {REPORT: b"new"})
    assert tree(tmp_path) == {f"out/{name}": content for name, content in OLD.items()}


def test_file_as_destination(tmp_path):
    """A file is no folder, and stays."""
    put(tmp_path, {"out": b"mine"})
    with pytest.raises(OutputNotWritable, match="is a file"), ResultFolder(tmp_path / "out"):
        pytest.fail("entered")
    assert tree(tmp_path) == {"out": b"mine"}


def test_file_as_parent(tmp_path):
    """A destination inside a file is refused."""
    put(tmp_path, {"file": b"mine"})
    with pytest.raises(OutputNotWritable), ResultFolder(tmp_path / "file" / "out"):
        pytest.fail("entered")
    assert tree(tmp_path) == {"file": b"mine"}


@pytest.mark.parametrize("beside", [{}, OLD], ids=["alone", "beside a result"])
@pytest.mark.parametrize("mine", ["holiday.jpg", "capture/transforms.json"])
def test_foreign_files(tmp_path, beside, mine):
    """A folder that holds any other file is never replaced by a result."""
    put(tmp_path / "out", beside | {mine: b"mine"})
    before = tree(tmp_path)
    with pytest.raises(OutputNotWritable, match=mine.split("/")[0]), ResultFolder(tmp_path / "out"):
        pytest.fail("entered")
    assert tree(tmp_path) == before


def test_litter_of_file_managers(destination):
    """What a file manager leaves in a result that was looked at is no reason to refuse."""
    put(destination, {".DS_Store": b"", "Thumbs.db": b""})
    with ResultFolder(destination) as folder:
        put(folder, {REPORT: b"new"})
    assert tree(destination) == {REPORT: b"new"}


def test_root_of_the_disk():
    """The root of the disk cannot be a result folder."""
    with pytest.raises(OutputNotWritable), ResultFolder(Path("/")):
        pytest.fail("entered")


def test_linked_destination(destination, tmp_path):
    """A link to a result folder stays a link, to the new result."""
    (tmp_path / "link").symlink_to(destination)
    with ResultFolder(tmp_path / "link") as folder:
        put(folder, {REPORT: b"new"})
    assert (tmp_path / "link").is_symlink()
    assert tree(destination) == {REPORT: b"new"}


@pytest.mark.parametrize("made", ["nothing", "an empty folder", "a folder with other files"])
def test_a_folder_made_after_a_kill_costs_nothing(destination, tmp_path, monkeypatch, made):
    """Whatever stands there after a kill between the renames, the previous result is kept."""
    killed_after_first_rename(destination, monkeypatch)
    if made != "nothing":
        destination.mkdir()
    if made == "a folder with other files":
        put(destination, {"holiday.jpg": b"mine"})
        with pytest.raises(OutputNotWritable), ResultFolder(destination):
            pytest.fail("entered")
        assert tree(tmp_path / ".out.previous") == OLD
        assert tree(destination) == {"holiday.jpg": b"mine"}
    else:
        with pytest.raises(Cancelled):
            fail_half_way(destination, Cancelled("Stopped.", "Start again."))
        assert tree(destination) == OLD


def test_disk_full_elsewhere(destination, tmp_path):
    """A full disk that is not that of the result is named in the error."""
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "/somewhere/else.png")
    with pytest.raises(DiskFull, match="/somewhere/else"), ResultFolder(destination):
        raise full
    assert tree(tmp_path) == {f"out/{name}": content for name, content in OLD.items()}


ABANDON = """
import os, signal, sys
from pathlib import Path
from backend.result.folder import ResultFolder
with ResultFolder(Path(sys.argv[1])) as folder:
    (folder / "mesh.glb").write_bytes(b"half")
    print(folder, flush=True)
    if sys.argv[2] == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    sys.stdin.read()
"""


@pytest.mark.skipif(os.name != "posix", reason="Windows locks no folders")
def test_what_a_killed_job_left_is_removed_and_a_living_one_is_not(destination, tmp_path):
    """The next job removes half a folder of a dead process, and nothing of one that runs."""
    (tmp_path / ".out.mine.part").mkdir()
    ends = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "env": child_variables()}
    pipes = {**ends, "text": True}
    command = [sys.executable, "-P", "-c", ABANDON, str(destination)]
    with (
        subprocess.Popen([*command, "killed"], **pipes) as dead,
        subprocess.Popen([*command, "alive"], **pipes) as alive,
    ):
        left, kept = (Path(child.stdout.readline().strip()) for child in (dead, alive))
        dead.wait()
        with ResultFolder(destination) as folder:
            put(folder, {REPORT: b"new"})
        assert (left.exists(), kept.exists()) == (False, True)
        alive.kill()
    with ResultFolder(destination) as folder:
        put(folder, {REPORT: b"newer"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".out.mine.part", "out"]


@pytest.mark.parametrize("where", ["mkdtemp", "body", "swap"])
def test_disk_full_at_any_time(destination, tmp_path, monkeypatch, where):
    """A full disk is reported as such, whenever it fills, and the previous result is intact."""
    if where == "mkdtemp":
        monkeypatch.setattr("backend.shared.temporary_folder.tempfile.mkdtemp", full_disk)
    if where == "body":
        monkeypatch.setattr(Path, "write_bytes", full_disk)
    if where == "swap":
        monkeypatch.setattr(Path, "rename", full_disk)
    with pytest.raises(DiskFull), ResultFolder(destination) as folder:
        (folder / REPORT).write_bytes(b"half")
    assert tree(tmp_path) == {f"out/{name}": content for name, content in OLD.items()}


def test_really_full_disk(mount):
    """A file system that is full in earnest: the error, the previous result, no remains."""
    disk = mount("size=1m")
    put(disk / "out", OLD)
    with pytest.raises(DiskFull), ResultFolder(disk / "out") as folder:
        put(folder, {"mesh.glb": bytes(2 << 20)})
    assert tree(disk) == {f"out/{name}": content for name, content in OLD.items()}


def test_really_read_only_disk(mount):
    """A file system that refuses writes is reported before any work is done."""
    disk = mount("size=1m")
    put(disk / "out", OLD)
    subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
    with pytest.raises(OutputNotWritable, match="Read-only"), ResultFolder(disk / "out"):
        pytest.fail("entered")
    assert tree(disk / "out") == OLD


def test_folder_that_takes_no_files():
    """A folder that the system protects is reported as not writable, also to root."""
    with pytest.raises(OutputNotWritable) as caught, ResultFolder(Path("/proc/lsrm/out")):
        pytest.fail("entered")
    assert caught.value.remedy


def test_writing_the_result_may_fail(destination):
    """An error of a file of the result is translated for the artist."""
    with pytest.raises(OutputNotWritable) as caught, ResultFolder(destination) as folder:
        (folder / "missing" / "file").write_bytes(b"")
    assert isinstance(caught.value.__cause__, OSError)
    assert tree(destination) == OLD


def test_log_of_the_job(tmp_path):
    """What the backend logs during the job is kept with the result, nothing before or after."""
    logger = logging.getLogger("backend.test")
    before = logging.getLogger("backend").level
    logger.info("before")
    with ResultFolder(tmp_path / "out") as folder:
        logger.info("during %s", folder.suffix)
    logger.info("after")
    assert logging.getLogger("backend").level == before
    log = (tmp_path / "out" / "log.txt").read_text(encoding="utf-8")
    assert log.endswith("INFO during .part\n")
    assert len(log.splitlines()) == 1


def test_errors_have_remedies(tmp_path):
    """Each refusal says what to do."""
    put(tmp_path, {"out": b"mine"})
    with pytest.raises(LsrmError) as caught, ResultFolder(tmp_path / "out"):
        pytest.fail("entered")
    assert caught.value.to_dict()["code"] == "OUTPUT_NOT_WRITABLE"
    assert caught.value.remedy == "Give a folder for the result."
