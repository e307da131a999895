# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every job has a folder of its own, is found again, and is deleted only if it is LSRM's."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

RECORD = {"name": "Mug", "settings": {"samples": 32}}

CLAIM = """
import sys, time
from pathlib import Path
from backend.shared.temporary_folder import temporary_folder
with temporary_folder(Path(sys.argv[1]), ".job."):
    print("claimed", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folders(lsrm):
    """The module that makes folders for jobs."""
    return lsrm("lsrm_blender.jobs.job_folders")


@pytest.fixture
def history(lsrm):
    """The module that reads them."""
    return lsrm("lsrm_blender.jobs.history")


@pytest.fixture
def errors(lsrm):
    """The module of errors, as the extension has loaded it."""
    return lsrm("backend.shared.errors")


def put_result(folder, views=None, psnr=31.5):
    """A result as the backend writes it."""
    folder.mkdir(parents=True)
    for name in ("mesh.glb", "preview.png"):
        (folder / name).write_bytes(name.encode())
    request = {"views": str(views or folder.parent / "capture"), "faces": "2000"}
    report = {"request": request, "metrics": {"psnr": psnr}}
    (folder / "report.json").write_text(json.dumps(report))


def put_views(folder):
    """A capture, as far as it is looked at here."""
    (folder / "images").mkdir(parents=True)
    (folder / "images" / "0001.png").touch()
    (folder / "images" / "0000.png").touch()
    (folder / "transforms.json").write_text("{}")


def run_job(folders, parent, *, captures=True, reconstructs=True, fails=False):
    """A job that makes views and a result, and may fail afterwards; its folder."""
    with folders.new_job_folder(parent, RECORD) as job:
        if captures:
            put_views(job.views)
        if reconstructs:
            put_result(job.result)
        if fails:
            raise RuntimeError("failed")
    return job.path


def test_no_job_overwrites_another(folders, tmp_path):
    """Numbers go up, also past deleted and foreign folders; what made nothing leaves nothing."""
    parent = tmp_path / "Mug"
    assert run_job(folders, parent).name == "001"
    assert run_job(folders, parent).name == "002"
    with pytest.raises(RuntimeError):
        run_job(folders, parent, captures=False, reconstructs=False, fails=True)
    assert [each.name for each in folders.numbered(parent)] == ["001", "002"]
    (parent / "0041").mkdir()
    (parent / "0041" / "mine.txt").touch()
    assert run_job(folders, parent).name == "042"
    assert (parent / "0041" / "mine.txt").exists()
    assert sorted(each.name for each in (parent / "001").iterdir()) == [
        "capture", "record.json", "result",
    ]  # fmt: skip


def test_views_of_a_failed_job_are_kept(folders, history, tmp_path):
    """What a stopped or failed job has captured is there for the next one."""
    with pytest.raises(RuntimeError):
        run_job(folders, tmp_path / "Mug", reconstructs=False, fails=True)
    (entry,) = history.read_history(tmp_path)
    assert (entry.result, entry.views) == (None, tmp_path / "Mug" / "001" / "capture")
    assert entry.preview.name == "0000.png"
    assert entry.settings == {"samples": "32"}


def test_leftovers_of_killed_jobs_are_removed(errors, folders, history, tmp_path):
    """A folder whose job was killed is cleaned up by the next job; one that is in use stays."""
    parent = tmp_path / "Mug"
    for number in ("001", "002"):
        (parent / number / ".capture.abcdefgh.part").mkdir(parents=True)
        (parent / number / ".job.abcdefgh").mkdir()
    command = [sys.executable, "-c", CLAIM, str(parent / "002")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        try:
            assert other.stdout.readline() == "claimed\n"
            assert run_job(folders, parent).name == "003"
            assert [each.name for each in folders.numbered(parent)] == ["002", "003"]
            assert folders.is_busy(parent / "002")
            with pytest.raises(errors.LsrmError, match="is writing"):
                history.delete_entry(history.read_entry(parent / "002"), [])
        finally:
            other.kill()
    assert not folders.is_busy(parent / "003")


def test_an_output_that_is_a_file(errors, folders, tmp_path):
    """A folder that cannot be made is an error with its name."""
    (tmp_path / "Mug").touch()
    with pytest.raises(errors.OutputNotWritable, match="Mug"):
        run_job(folders, tmp_path / "Mug")
    with pytest.raises(errors.OutputNotWritable), folders.work_files(tmp_path / "Mug"):
        pass


def test_history_of_a_folder(folders, history, tmp_path):
    """The latest first, with name, settings and score; what is broken does not disturb."""
    first = run_job(folders, tmp_path / "Mug")
    second = run_job(folders, tmp_path / "Mug")
    elsewhere = run_job(folders, tmp_path / "other" / "Cup")
    (second / "result" / "report.json").write_text("{ broken")
    (tmp_path / "Mug" / "009").mkdir()
    (tmp_path / "notes.txt").touch()
    entries = history.read_history(tmp_path, [elsewhere, first])
    assert [each.folder for each in entries] == [elsewhere, second, first]
    assert [each.score for each in entries] == [31.5, None, 31.5]
    assert entries[2].settings["faces"] == "2000"
    assert entries[2].name == "Mug"
    assert entries[2].preview == first / "result" / "preview.png"
    assert entries[0].made >= entries[2].made > 0.0
    (second / "record.json").write_text("[]")
    assert history.read_entry(second).name == "Mug"
    assert history.read_history(tmp_path / "nothing") == []


def test_deleting(errors, folders, history, tmp_path):
    """A result goes with its views, unless another result was made of them."""
    first, second = (run_job(folders, tmp_path / "Mug") for _ in range(2))
    put_result(tmp_path / "again" / "001" / "result", views=first / "capture")
    others = history.read_history(tmp_path)
    sentence = history.delete_entry(history.read_entry(first), others)
    assert "again 001" in sentence
    assert (first / "capture" / "transforms.json").exists()
    assert not (first / "result").exists()
    with pytest.raises(errors.LsrmError, match="again 001"):
        history.delete_entry(history.read_entry(first), others)
    assert history.delete_entry(history.read_entry(second), others) == "Mug 002 is deleted"
    assert [each.name for each in (tmp_path / "Mug").iterdir()] == ["001"]
    history.delete_entry(history.read_entry(tmp_path / "again" / "001"), [])
    assert not (tmp_path / "again").exists()


@pytest.mark.parametrize("place", ["mine.blend", "result/mine.blend"])
def test_files_of_the_user_are_not_deleted(errors, folders, history, tmp_path, place):
    """A folder with anything else in it is left alone, with the name of the file."""
    folder = run_job(folders, tmp_path / "Mug")
    (folder / place).touch()
    with pytest.raises(errors.LsrmError, match=r"mine\.blend"):
        history.delete_entry(history.read_entry(folder), [])
    assert (folder / "result" / "mesh.glb").exists()


def test_levels_of_detail_are_found_and_deleted(folders, history, tmp_path):
    """They are listed by their number of faces, falling, and belong to the result."""
    folder = run_job(folders, tmp_path / "Mug")
    assert history.read_entry(folder).quads is None
    for name in ("mesh_2000.glb", "mesh_10000.glb", "mesh_quads.blend"):
        (folder / "result" / name).touch()
    entry = history.read_entry(folder)
    assert entry.quads == folder / "result" / "mesh_quads.blend"
    assert list(entry.levels.items()) == [(10000, "mesh_10000.glb"), (2000, "mesh_2000.glb")]
    history.delete_entry(entry, [])
    assert not folder.exists()


def test_folder_names(folders):
    """Names that no folder can have become ones that it can."""
    assert folders.folder_name("Mug: the 2nd/new") == "Mug_ the 2nd_new"
    assert folders.folder_name(" ..") == "object"
    assert folders.folder_name("Tässchen") == "Tässchen"
    assert [folders.folder_name(each) for each in ("Aux", "con.old", "Console", "LPT1 ")] == [
        "Aux_", "con_.old", "Console", "LPT1_",
    ]  # fmt: skip
