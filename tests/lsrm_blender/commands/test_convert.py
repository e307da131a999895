# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The batch: good, broken and oddly named files, stopped, killed and started again."""

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

QUICK = (
    "--views=4",
    "--size=48",
    "--samples=2",
    "--texture-size=64",
    "--faces=300",
    "--threads=1",
    "--refine=off",
)

CUBE = """
v -1 -1 -1
v 1 -1 -1
v 1 1 -1
v -1 1 -1
v -1 -1 1
v 1 -1 1
v 1 1 1
v -1 1 1
f 4 3 2 1
f 5 6 7 8
f 1 2 6 5
f 2 3 7 6
f 3 4 8 7
f 4 1 5 8
"""


@pytest.fixture
def items(lsrm):
    """The module that knows what belongs to a batch."""
    return lsrm("lsrm_blender.jobs.batch_items")


def touched(*paths: Path) -> None:
    """Make empty files."""
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_files_folders_and_patterns_are_found_once_in_natural_order(items, tmp_path):
    """Folders are searched to the bottom, the output in them is not, and no file comes twice."""
    names = ["chair10.glb", "chair2.glb", "deep/er/lamp.OBJ", "notes.txt", "out/old/mesh.glb"]
    touched(*(tmp_path / name for name in names))
    inputs = [str(tmp_path), str(tmp_path / "chair2.glb"), str(tmp_path / "**" / "*.glb")]
    found = items.find_items(inputs, (".glb", ".obj"), tmp_path / "out")
    assert [item.name for item in found] == ["chair2", "chair10", "deep_er_lamp"]


def test_every_item_has_a_folder_of_its_own(items, tmp_path):
    """Equal names, names that differ in case only, and names no system can write are told apart."""
    names = ["a/x.glb", "b/x.glb", "b/x.obj", "b/X.ply", "c/na:me?.glb", "d/...glb"]
    paths = [tmp_path / name for name in names]
    touched(*paths)
    found = [item.name for item in items.find_items([str(p) for p in paths], (), tmp_path / "out")]
    assert len({name.casefold() for name in found}) == len(names)
    assert not any(set(name) & set('<>:"/\\|?*') for name in found)
    assert all(name.strip(" .") == name and name for name in found)


def test_inputs_that_name_nothing_are_all_listed(items, tmp_path):
    """A typing mistake is told before hours of work begin."""
    touched(tmp_path / "good.glb")
    inputs = [str(tmp_path / "good.glb"), str(tmp_path / "bad.glb"), str(tmp_path / "*.obj")]
    with pytest.raises(items.NoSuchInput) as refused:
        items.find_items(inputs, (".glb", ".obj"), tmp_path / "out")
    assert "bad.glb" in refused.value.message
    assert "*.obj" in refused.value.message


def test_fingerprint_is_of_all_that_matters(items, tmp_path):
    """The file, the materials and textures it names and the settings count; its place does not."""
    asset = tmp_path / "a.obj"
    asset.write_text("mtllib a.mtl\n" + CUBE)
    (tmp_path / "a.mtl").write_text("newmtl m\nmap_Kd -bm 1 wood.png\n")
    (tmp_path / "wood.png").write_bytes(b"oak")
    settings = {"faces": 100}
    prints = [items.fingerprint(asset, settings), items.fingerprint(asset, {"faces": 200})]
    (tmp_path / "wood.png").write_bytes(b"ash")
    prints.append(items.fingerprint(asset, settings))
    (tmp_path / "wood.png").write_bytes(b"oak")
    assert len(set(prints)) == 3
    moved = tmp_path.rename(tmp_path.with_name("moved"))
    assert items.fingerprint(moved / "a.obj", settings) == prints[0]


@pytest.mark.parametrize("broken", ["", "[]", '{"state": "done"}', '{"new": 1}', "{"])
def test_a_broken_status_is_no_status(items, tmp_path, broken):
    """After a power cut an item is converted again, whatever its status file holds."""
    (tmp_path / items.STATUS).write_text(broken)
    assert items.read_status(tmp_path) is None


@dataclasses.dataclass
class FakeClient:
    """Answers at once: from a list, where an exception is raised."""

    outcomes: list
    asked: list = dataclasses.field(default_factory=list)

    def submit(self, method: str, params: dict) -> dict:
        """Take note of the question."""
        self.asked.append(method)
        return params

    def wait(self, params: dict, progress):
        """Give the next outcome."""
        outcome = self.outcomes.pop(0) if self.outcomes else None
        if outcome is not None:
            raise outcome
        return {"report": {"counts": {"faces": 12}, "metrics": {}, "seconds": 1, "warnings": []}}

    def close(self) -> None:
        """Nothing to end."""


@pytest.fixture
def run_batch(lsrm, tmp_path, monkeypatch):
    """A function that runs a batch of three cubes with fake children."""
    convert, found = lsrm("lsrm_blender.jobs.batch"), lsrm("lsrm_blender.jobs.batch_items")
    paths = [tmp_path / f"{name}.obj" for name in "abc"]
    for path in paths:
        path.write_text(CUBE + f"# {path}")
    monkeypatch.setattr(convert, "check_mesh", lambda path: None)
    monkeypatch.setattr(found, "is_complete", lambda folder: True)

    def run(outcomes: list, **settings):
        output = tmp_path / "out"
        output.mkdir(exist_ok=True)
        items = found.find_items([str(path) for path in paths], (), output)
        blender, backend = FakeClient([]), FakeClient(outcomes)
        children = convert.Children(blender, backend)
        log = convert.BatchLog(output / "log.jsonl", lambda text: None)
        batch = convert.Batch(items, output, convert.BatchSettings(**settings), children, log)
        summary = batch.run(lsrm("backend.shared.progress").Progress())
        return [entry["state"] for entry in summary["items"]], summary["exit_code"], backend.asked

    return run


def test_a_failing_item_costs_itself(run_batch, lsrm):
    """One bad file does not stop the rest; it is not tried again until one asks for it."""
    bad = lsrm("backend.shared.errors").EmptyMask("Mask 2 is empty.", "Remove it.")
    assert run_batch([None, bad, None])[:2] == (["done", "failed", "done"], 1)
    assert run_batch([]) == (["skipped", "failed", "skipped"], 1, [])
    states, code, asked = run_batch([], retry_failed=True)
    assert (states, code, len(asked)) == (["skipped", "done", "skipped"], 0, 1)
    assert run_batch([], force=True)[0] == ["done"] * 3
    assert run_batch([], reconstruct={"faces": 7})[0] == ["done"] * 3


def test_another_light_in_the_same_file_counts(run_batch, tmp_path):
    """Who stores another environment under the same name gets other results."""
    light = tmp_path / "sky.hdr"
    capture = {"environment": str(light)}
    for content, states in ((b"noon", "done"), (b"noon", "skipped"), (b"dusk", "done")):
        light.write_bytes(content)
        assert run_batch([], capture=capture)[0] == [states] * 3


@pytest.mark.parametrize("refine", ["0", "-1", "soon", "1.5"])
def test_wrong_seconds_are_usage(lsrm, capsys, refine):
    """The refinement is checked before hours of work begin, in the words of `reconstruct`."""
    parser = lsrm("lsrm_blender.commands.command_line").parser()
    with pytest.raises(SystemExit) as stop:
        parser.parse_args(["convert", "a.glb", "-o", "out", f"--refine={refine}"])
    assert stop.value.code == 2
    assert f"'{refine}' is not off, auto or seconds" in capsys.readouterr().err


def test_a_dead_child_is_worth_another_try(run_batch, lsrm):
    """A crash may be an accident, so the item is tried again; twice in a row is a failure."""
    died = lsrm("backend.shared.errors").BackendDied("Killed.", "Try again.")
    states, code, asked = run_batch([died, None, died, died, None])
    assert (states, code, len(asked)) == (["done", "failed", "done"], 1, 5)


def test_a_batch_that_is_stopped_says_what_is_left(run_batch, lsrm):
    """Ctrl-C is 130, and the next run goes on; --fail-fast ends at the first failure."""
    errors = lsrm("backend.shared.errors")
    states, code, _ = run_batch([None, errors.Cancelled("Stopped.", "Again.")])
    assert (states, code) == (["done"], 130)
    bad = errors.EmptyMask("Mask 2 is empty.", "Remove it.")
    assert run_batch([bad], fail_fast=True)[:2] == (["skipped", "failed"], 1)


def test_without_a_backend_nothing_is_tried(run_batch, lsrm):
    """What no item can do anything about ends the batch with the environment's error."""
    broken = lsrm("backend.shared.errors").EnvironmentBroken("No backend.", "Install it.")
    with pytest.raises(lsrm("backend.shared.errors").EnvironmentBroken):
        run_batch([broken])


def test_only_one_batch_writes_to_a_folder(lsrm, tmp_path):
    """A second one is refused while the first one runs, and welcome afterwards."""
    convert = lsrm("lsrm_blender.jobs.batch")
    with convert.locked(tmp_path), pytest.raises(lsrm("backend.shared.errors").LsrmError):
        convert.locked(tmp_path).__enter__()
    with convert.locked(tmp_path):
        pass


@pytest.fixture
def convert(blender_python):
    """A function that starts the real command in a Python with bpy."""
    entry = str(ROOT / "lsrm_blender" / "entry.py")
    variables = child_variables(LSRM_BACKEND=sys.executable, OMP_NUM_THREADS="1")
    del variables["PYTHONPATH"]

    def start(*words: str) -> subprocess.Popen:
        command = [str(blender_python), "-P", entry, "convert", *words, *QUICK, "--json"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(command, env=variables, **pipes)

    return start


def states_of(process: subprocess.Popen) -> tuple[dict[str, str], int]:
    """What became of the items by the summary on stdout, and the exit code."""
    out, words = process.communicate(timeout=300)
    assert out, words
    return {entry["name"]: entry["state"] for entry in json.loads(out)["items"]}, process.returncode


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_stopped_killed_and_started_again_it_finishes_the_rest(convert, tmp_path):
    """Right states and codes at every step, no process left, and what is done is not done again."""
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
        end = time.monotonic() + 5.0
        while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < end:
            time.sleep(0.05)
        assert not any(Path(f"/proc/{pid}").exists() for pid in children)
        assert json.loads((output / "a" / "status.json").read_text())["state"] != "done"

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

    start = time.monotonic()
    states, code = states_of(convert(str(assets), "-o", str(output)))
    assert (set(states.values()), code) == ({"skipped", "failed"}, 1)
    assert time.monotonic() - start < 5.0
    events = [json.loads(line) for line in (output / "log.jsonl").read_text().splitlines()]
    assert sum(event["event"] == "end" and event["state"] == "done" for event in events) == 3
    assert not list(output.glob("*/.*"))


def test_wrong_words_are_usage(convert, tmp_path):
    """A missing file is told with exit code 2, before any process is started."""
    process = convert(str(tmp_path / "none.glb"), "-o", str(tmp_path / "out"))
    _, words = process.communicate(timeout=60)
    assert process.returncode == 2
    assert "none.glb" in words
    assert not (tmp_path / "out").exists()
