# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `convert`: good, broken and oddly named files, stopped, killed and resumed."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend.shared.virtual_environments import ROOT, child_variables
from tests.children import children_of
from tests.small_batch import CUBE, QUICK


@pytest.fixture
def items(lsrm):
    """The module of batch items."""
    return lsrm("lsrm_blender.jobs.batch.items")


@pytest.fixture
def statuses(lsrm):
    """The module of statuses."""
    return lsrm("lsrm_blender.jobs.batch.statuses")


def touched(*paths: Path) -> None:
    """Make empty files."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_files_folders_and_patterns_are_found_once_in_natural_order(items, tmp_path):
    """Folders are searched recursively but for the output, and no file is found twice."""
    names = ["chair10.glb", "chair2.glb", "deep/er/lamp.OBJ", "notes.txt", "out/old/mesh.glb"]
    touched(*(tmp_path / name for name in names))
    inputs = [str(tmp_path), str(tmp_path / "chair2.glb"), str(tmp_path / "**" / "*.glb")]
    found = items.find_items(inputs, (".glb", ".obj"), tmp_path / "out")
    assert [item.name for item in found] == ["chair2", "chair10", "deep_er_lamp"]


def test_items_are_called_after_the_asset(items, tmp_path):
    """Generic names give way to those of folders, unless two items would be called the same."""
    names = ["mug/model.obj", "cup/meshes/model.obj", "pot/model.obj", "pot/scene.obj", "lamp.obj"]
    touched(*(tmp_path / name for name in names))
    suffixes, output = (".obj",), tmp_path / "out"
    found = items.find_items([str(tmp_path)], suffixes, output)
    assert [item.name for item in found] == ["cup", "lamp", "mug", "pot_model", "pot_scene"]
    (alone,) = items.find_items([str(tmp_path / "mug" / "model.obj")], suffixes, output)
    assert alone.name == "mug"
    (within,) = items.find_items([str(tmp_path / "mug")], suffixes, output)
    assert within.name == "mug"


def test_every_item_has_a_folder_of_its_own(items, tmp_path):
    """Equal names, names that differ in case only, and invalid names give unique folder names."""
    names = ["a/x.glb", "b/x.glb", "b/x.obj", "b/X.ply", "c/na:me?.glb", "d/...glb"]
    paths = [tmp_path / name for name in names]
    touched(*paths)
    found = [item.name for item in items.find_items([str(p) for p in paths], (), tmp_path / "out")]
    assert len({name.casefold() for name in found}) == len(names)
    assert not any(set(name) & set('<>:"/\\|?*') for name in found)
    assert all(name.strip(" .") == name and name for name in found)


def test_inputs_without_files_are_all_listed(items, tmp_path):
    """A mistyped input is reported before the batch starts."""
    touched(tmp_path / "good.glb")
    inputs = [str(tmp_path / "good.glb"), str(tmp_path / "bad.glb"), str(tmp_path / "*.obj")]
    with pytest.raises(items.NoSuchInput) as refused:
        items.find_items(inputs, (".glb", ".obj"), tmp_path / "out")
    assert "bad.glb" in refused.value.message
    assert "*.obj" in refused.value.message


def test_fingerprint_depends_on_content_and_settings(statuses, tmp_path):
    """The file, its materials and textures and the settings count; its path does not."""
    asset = tmp_path / "a.obj"
    asset.write_text("mtllib a.mtl\n" + CUBE)
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd -bm 1 wood.png\n")
    (tmp_path / "wood.png").write_bytes(b"oak")
    settings, others = (statuses.settings_digest({"faces": faces}) for faces in (100, 200))
    prints = [statuses.fingerprint(asset, settings), statuses.fingerprint(asset, others)]
    (tmp_path / "wood.png").write_bytes(b"ash")
    prints.append(statuses.fingerprint(asset, settings))
    (tmp_path / "wood.png").write_bytes(b"oak")
    assert len(set(prints)) == 3
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert statuses.fingerprint(moved / "a.obj", settings) == prints[0]


@pytest.mark.parametrize("letter", ["a", "ä", "桌"])
@pytest.mark.parametrize("count", [121, 255, 4000])
def test_long_names_are_shortened_and_stay_unique(items, tmp_path, letter, count):
    """Names of deep folders are cut to what a folder can have, in bytes, and still differ."""
    paths = {tmp_path / f"{index}.glb": letter * count + str(index) for index in range(3)}
    found = [item.name for item in items.name_items(paths)]
    assert len(set(found)) == 3
    assert all(len(name.encode()) <= items.LONGEST_NAME for name in found)


def test_deep_folders_are_converted(items, statuses, tmp_path):
    """An asset in four folders with long names gets a folder that can be made."""
    deep = tmp_path.joinpath(*(f"a very long collection name {n} " + "x" * 60 for n in range(4)))
    touched(deep / ("chair " + "oak " * 20 + ".glb"), tmp_path / "simple.glb")
    found = items.find_items([str(tmp_path)], (".glb",), tmp_path / "out")
    assert len(found) == 2
    for item in found:
        (tmp_path / "out" / item.name).mkdir(parents=True)
        statuses.write_status(
            tmp_path / "out" / item.name, statuses.Status("done", str(item.source), "")
        )


@pytest.mark.parametrize("broken", ["", "[]", '{"state": "done"}', '{"new": 1}', "{"])
def test_a_broken_status_is_no_status(statuses, tmp_path, broken):
    """An item with an invalid status file is converted again."""
    (tmp_path / statuses.STATUS).write_text(broken)
    assert statuses.read_status(tmp_path) is None


@dataclasses.dataclass
class FakeClient:
    """A client that answers at once.

    Attributes:
        outcomes: of the next requests: an exception to raise, or None.
        captured: what every answer has of the content of capture.json.
        methods: of all requests so far.
        child: the process; there is none.
    """

    outcomes: list
    captured: dict = dataclasses.field(default_factory=dict)
    methods: list = dataclasses.field(default_factory=list)
    child: None = None

    def submit(self, method: str, params: dict) -> dict:
        """Record the method."""
        self.methods.append(method)
        return params

    def pump(self) -> None:
        """Nothing to receive."""

    def wait(self, params: dict, progress, beside=None):
        """Return or raise the next outcome."""
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        report = {"counts": {"faces": 12}, "metrics": {}, "seconds": 1, "warnings": []}
        return {"report": report, **self.captured}

    def close(self) -> None:
        """Nothing to end."""


@pytest.fixture
def run_batch(lsrm, tmp_path, monkeypatch):
    """A function that runs a batch of three cubes with fake children."""
    jobs = "lsrm_blender.jobs.batch"
    convert, found = lsrm(f"{jobs}.batch"), lsrm(f"{jobs}.items")
    settings_of = lsrm(f"{jobs}.settings")
    paths = [tmp_path / f"{name}.obj" for name in "abc"]
    for path in paths:
        path.write_text(CUBE + f"# {path}")
    monkeypatch.setattr(lsrm(f"{jobs}.conversion"), "check_mesh", lambda path: None)
    monkeypatch.setattr(lsrm(f"{jobs}.statuses"), "is_complete", lambda *_: True)

    def run(outcomes: list, captured: dict | None = None, **settings):
        output = tmp_path / "out"
        output.mkdir(exist_ok=True)
        items = found.find_items([str(path) for path in paths], (), output)
        blender, backend = FakeClient([], captured or {}), FakeClient(outcomes)
        children = convert.Children(blender, backend)
        with lsrm("lsrm_blender.jobs.farm.runs").Run(output) as this:
            log = convert.BatchLog(this.folder / "log.jsonl", lambda text: None)
            batch = convert.Batch(items, this, settings_of.BatchSettings(**settings), children, log)
            summary = batch.run(lsrm("backend.shared.progress").Progress())
        return [entry["state"] for entry in summary["items"]], summary["exit_code"], backend.methods

    return run


def test_a_failing_item_does_not_stop_the_batch(run_batch, lsrm):
    """A failed item is not tried again, unless --retry-failed requests it."""
    bad = lsrm("backend.shared.errors").EmptyMask("Mask 2 is empty.", "Remove it.")
    assert run_batch([None, bad, None])[:2] == (["done", "failed", "done"], 1)
    assert run_batch([]) == (["skipped", "failed", "skipped"], 1, [])
    states, code, methods = run_batch([], retry_failed=True)
    assert (states, code, len(methods)) == (["skipped", "done", "skipped"], 0, 1)
    assert run_batch([], force=True)[0] == ["done"] * 3
    assert run_batch([], reconstruct={"faces": 7})[0] == ["done"] * 3


def test_an_unforeseen_failure_does_not_stop_the_batch(run_batch, tmp_path):
    """Whatever an item raises, also what is no error of LSRM, the next item is converted."""
    output = tmp_path / "out"
    assert run_batch([None, ValueError("what?"), None])[:2] == (["done", "failed", "done"], 1)
    assert run_batch([OSError(36, "File name too long")] * 3, force=True)[:2] == (["failed"] * 3, 1)
    status = json.loads((output / "a" / "status.json").read_text())
    assert status["error"]["code"] == "OUTPUT_NOT_WRITABLE"


@pytest.mark.parametrize("blocked", ["a", "b", "c"])
def test_a_folder_that_cannot_be_made_fails_its_item_alone(run_batch, tmp_path, blocked):
    """A file where an item's folder should be fails that item; the others are converted."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / blocked).write_text("a file")
    states, code, _ = run_batch([])
    assert states == ["failed" if name == blocked else "done" for name in "abc"]
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["exit_code"] == code == 1


def test_the_summary_has_the_exit_code_of_the_command(run_batch, lsrm, tmp_path):
    """A batch that a broken environment ends leaves a summary that says so."""
    broken = lsrm("backend.shared.errors").EnvironmentBroken("No backend.", "Install it.")
    with pytest.raises(lsrm("backend.shared.errors").EnvironmentBroken):
        run_batch([None, broken])
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["exit_code"] == 3
    assert [entry["state"] for entry in summary["items"]] == ["done"]


def test_warnings_of_the_capture_stand_in_status_and_summary(run_batch, tmp_path):
    """What an asset misses is said where people look for it."""
    run_batch([], {"warnings": ["The library parts.blend is missing."]})
    status = json.loads((tmp_path / "out" / "a" / "status.json").read_text())
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert status["result"]["warnings"] == ["The library parts.blend is missing."]
    assert summary["items"][0]["warnings"] == status["result"]["warnings"]


@pytest.mark.parametrize("before", [b"oak", None])
def test_the_files_that_an_asset_uses_count(run_batch, tmp_path, before):
    """An item is converted again if a texture or library of it has changed, appeared or gone."""
    used = tmp_path / "parts.blend"
    captured = {"source": {"files": [str(used)]}}
    if before is not None:
        used.write_bytes(before)
    assert run_batch([], captured)[0] == ["done"] * 3
    assert run_batch([], captured)[0] == ["skipped"] * 3
    used.write_bytes(b"ash")
    assert run_batch([], captured)[0] == ["done"] * 3
    used.unlink()
    assert run_batch([], captured)[0] == ["done"] * 3


def test_the_content_of_the_environment_counts(run_batch, tmp_path):
    """Items are converted again if the environment file has another content."""
    light = tmp_path / "sky.hdr"
    capture = {"environment": str(light)}
    for content, states in ((b"noon", "done"), (b"noon", "skipped"), (b"dusk", "done")):
        light.write_bytes(content)
        assert run_batch([], capture=capture)[0] == [states] * 3


@pytest.mark.parametrize("refine", ["0", "-1", "soon", "1.5"])
def test_wrong_refinement_is_wrong_usage(lsrm, capsys, refine):
    """The refinement is checked before the batch starts, with the message of `reconstruct`."""
    parser = lsrm("lsrm_blender.commands.command_line").parser()
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(["convert", "a.glb", "-o", "out", f"--refine={refine}"])
    assert stop.value.code == 2
    assert f"'{refine}' is not off, auto or seconds" in capsys.readouterr().err


def test_an_item_is_tried_again_after_a_child_died(run_batch, lsrm):
    """After a crash the item is tried again; after a second one it is set aside."""
    died = lsrm("backend.shared.errors").BackendDied("Killed.", "Try again.")
    states, code, methods = run_batch([died, None, died, died, None])
    assert (states, code, len(methods)) == (["done", "poisoned", "done"], 1, 5)
    assert run_batch([]) == (["skipped", "poisoned", "skipped"], 1, [])
    assert run_batch([], retry_failed=True)[:2] == (["skipped", "done", "skipped"], 0)


def test_a_stopped_batch_is_resumed(run_batch, lsrm):
    """A cancel exits with 130 and the next run resumes; --fail-fast ends at the first failure."""
    errors = lsrm("backend.shared.errors")
    states, code, _ = run_batch([None, errors.Cancelled("Stopped.", "Again.")])
    assert (states, code) == (["done"], 130)
    bad = errors.EmptyMask("Mask 2 is empty.", "Remove it.")
    assert run_batch([bad], fail_fast=True)[:2] == (["skipped", "failed"], 1)


def test_a_missing_backend_ends_the_batch(run_batch, lsrm):
    """An error of the environment is no failure of an item; it ends the batch."""
    broken = lsrm("backend.shared.errors").EnvironmentBroken("No backend.", "Install it.")
    with pytest.raises(lsrm("backend.shared.errors").EnvironmentBroken):
        run_batch([broken])


def test_an_item_that_was_taken_over_is_left_alone(run_batch, tmp_path, monkeypatch):
    """A batch that was silent for long finds its item taken: it writes nothing, and goes on."""
    successor = tmp_path / "out" / "b" / "lease-2.json"
    wait = FakeClient.wait

    def wake_up_late(client, params, progress, beside=None):
        answer = wait(client, params, progress)
        if Path(params["output"]).parent.name == "b":
            successor.touch()
        return answer

    monkeypatch.setattr(FakeClient, "wait", wake_up_late)
    states, code, methods = run_batch([])
    assert (states, code, len(methods)) == (["done", "held", "done"], 4, 2)
    assert not (successor.parent / "status.json").exists()


def test_a_status_that_cannot_be_written_leaves_no_lease(run_batch, lsrm, tmp_path, monkeypatch):
    """On a full disk items fail, and are neither held nor counted as deadly afterwards."""

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(lsrm("lsrm_blender.jobs.batch.conversion"), "write_status", full)
        assert run_batch([])[:2] == (["failed"] * 3, 1)
    assert not list(tmp_path.glob("out/*/lease-*"))
    assert run_batch([])[:2] == (["done"] * 3, 0)


@pytest.fixture
def convert(blender_python):
    """A function that starts the real command in a Python with bpy."""
    entry = str(ROOT / "lsrm_blender" / "entry.py")
    variables = child_variables(LSRM_BACKEND=sys.executable, OMP_NUM_THREADS="1")
    del variables["PYTHONPATH"]

    def start(*arguments: str) -> subprocess.Popen:
        command = [str(blender_python), "-P", entry, "convert", *arguments, *QUICK, "--json"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=variables, **pipes)

    return start


def states_of(process: subprocess.Popen) -> tuple[dict[str, str], int]:
    """The states of the items in the summary on stdout, and the exit code."""
    out, err = process.communicate(timeout=300)
    assert out, err
    return {entry["name"]: entry["state"] for entry in json.loads(out)["items"]}, process.returncode


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_stopped_or_killed_batch_is_resumed(convert, tmp_path):
    """After each run states and exit codes are right, no process is left; nothing runs twice."""
    assets, output = tmp_path / "assets", tmp_path / "out"
    assets.mkdir()
    for name in ("a", "b", "name with spaces é"):
        (assets / f"{name}.obj").write_text(CUBE)
    (assets / "corrupt.glb").write_bytes(b"glTF\x02\0\0\0\xff\xff\0\0")
    touched(assets / "empty.glb")

    for stop, code in ((signal.SIGINT, 130), (signal.SIGKILL, -9)):
        process = convert(str(assets), "-o", str(output))
        for line in process.stderr:
            if line.startswith("capture"):
                break
        children = children_of(process.pid)
        assert children
        process.send_signal(stop)
        process.communicate(timeout=60)
        assert process.returncode == code
        end = time.monotonic() + 20.0
        while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < end:
            time.sleep(0.05)
        assert not any(Path(f"/proc/{pid}").exists() for pid in children)
        status = output / "a" / "status.json"
        assert not status.exists() or json.loads(status.read_text())["state"] == "interrupted"

    process = convert(str(assets / "a.obj"), "-o", str(output))
    assert states_of(process) == ({"a": "done"}, 0)
    before = (output / "a" / "result" / "mesh.glb").stat().st_mtime_ns

    states, code = states_of(convert(str(assets), "-o", str(output)))
    good = {"b": "done", "name with spaces é": "done"}
    bad = {"corrupt": "failed", "empty": "failed"}
    assert (states, code) == ({"a": "skipped", **good, **bad}, 1)
    assert (output / "a" / "result" / "mesh.glb").stat().st_mtime_ns == before
    error = json.loads((output / "corrupt" / "status.json").read_text())["error"]
    assert error["code"] == "BAD_ASSET"

    before = set(output.glob("logs/*"))
    states, code = states_of(convert(str(assets), "-o", str(output)))
    assert (set(states.values()), code) == ({"skipped", "failed"}, 1)
    (last,) = set(output.glob("logs/*")) - before
    assert not list(last.glob("*.txt"))  # the logs of child processes: none was started
    logs = [log.read_text().splitlines() for log in output.glob("logs/*/log.jsonl")]
    events = [json.loads(line) for lines in logs for line in lines]
    assert sum(event["event"] == "end" and event["state"] == "done" for event in events) == 3
    assert not list(output.glob("*/.*"))


def test_missing_input_is_wrong_usage(convert, tmp_path):
    """A missing file exits with code 2, before any child process is started."""
    process = convert(str(tmp_path / "none.glb"), "-o", str(tmp_path / "out"))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "none.glb" in err
    assert not (tmp_path / "out").exists()
