# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A farm on one machine: shards that are killed, requeued and moved, and their one report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.lsrm_blender.jobs.farm.test_leases import HOUR, leave_lease

WORKER = Path(__file__).with_name("stand_in_worker.py")
QUIET = {"stdout": subprocess.DEVNULL}
pytestmark = pytest.mark.skipif(os.name != "posix", reason="kills processes")


@pytest.fixture
def assets(tmp_path):
    """A folder of twelve assets."""
    folder = tmp_path / "assets"
    folder.mkdir()
    for number in range(12):
        (folder / f"asset{number}.glb").write_text(str(number))
    return folder


@pytest.fixture
def start(assets, tmp_path):
    """A function that starts a shard of the batch as a process; all are killed at the end."""
    started = []

    def run(shard: str, *deadly: str, seconds: float = 0.1) -> subprocess.Popen:
        command = [sys.executable, WORKER, assets, tmp_path / "out", shard, str(seconds), *deadly]
        started.append(subprocess.Popen([str(each) for each in command], **QUIET))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait(10)


@pytest.fixture
def merged(lsrm, tmp_path):
    """A function that merges the report: the states of the items by name, and the report."""
    merge = lsrm("lsrm_blender.jobs.batch.merged_report").merge_report

    def run() -> tuple[dict[str, str], dict]:
        report = merge(tmp_path / "out")
        assert json.loads((tmp_path / "out" / "summary.json").read_text()) == report
        return {item["name"]: item["state"] for item in report["items"]}, report

    return run


def wait_until(condition, seconds: float = 60.0) -> None:
    """Wait for something that other processes do."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.005)


def test_an_item_that_has_just_ended_is_not_done_again(start, lsrm, monkeypatch, tmp_path):
    """A lease that ended after its item's status was read does not look like one of a dead."""
    assert start("1/1").wait(60) == 0
    batch, items = lsrm("lsrm_blender.jobs.batch.batch"), lsrm("lsrm_blender.jobs.batch.items")
    statuses = lsrm("lsrm_blender.jobs.batch.statuses")
    settings = lsrm("lsrm_blender.jobs.batch.settings").BatchSettings()
    seen, read_status = set(), statuses.read_status

    def read_too_early(folder: Path):
        if folder in seen:
            return read_status(folder)
        seen.add(folder)
        return None

    monkeypatch.setattr(statuses, "read_status", read_too_early)
    found = items.find_items([str(tmp_path / "assets")], (".glb",), tmp_path / "out")
    with lsrm("lsrm_blender.jobs.farm.runs").Run(tmp_path / "out") as run:
        log = batch.BatchLog(None, lambda text: None)
        again = batch.Batch(found, run, settings, batch.Children(None, None), log)
        summary = again.run(lsrm("backend.shared.progress").Progress())
    assert {entry["state"] for entry in summary["items"]} == {"held"}
    assert summary["exit_code"] == 4
    assert not list((tmp_path / "out").glob("*/lease-2.json"))


def test_killed_shards_are_requeued_and_nothing_is_done_twice(start, merged, tmp_path):
    """Four shards, two of them killed at work; after a requeue all is done, each item once."""
    out = tmp_path / "out"
    victims = [start(f"{number}/4", seconds=30.0) for number in (1, 2)]
    others = [start(f"{number}/4") for number in (3, 4)]
    logs = "logs/*/log.jsonl"
    wait_until(lambda: sum("start" in log.read_text() for log in out.glob(logs)) >= 4)
    for victim in victims:
        victim.kill()
        assert victim.wait(10) == -9
    assert [shard.wait(60) for shard in others] == [0, 0]
    states, report = merged()
    assert set(states.values()) <= {"done", "interrupted", "waiting"}
    assert sum(state == "interrupted" for state in states.values()) >= 2
    assert report["exit_code"] == 4
    assert [run["exit_code"] for run in report["runs"]].count(None) == 2
    assert not any(run["running"] for run in report["runs"])

    requeued = [start("1/4"), start("2/4")]
    assert [shard.wait(60) for shard in requeued] == [0, 0]
    states, report = merged()
    assert states == {f"asset{number}": "done" for number in range(12)}
    assert report["exit_code"] == 0
    assert {item["conversions"] for item in report["items"]} == {1}
    assert not list(out.glob("*/.*"))


def test_shards_of_different_numbers_share_a_folder(start, merged):
    """Whatever overlaps is converted once; who finds an item held says that work is left."""
    codes = [process.wait(60) for process in [start("1/1"), start("1/2"), start("2/3")]]
    assert set(codes) <= {0, 4}
    states, report = merged()
    assert set(states.values()) == {"done"}
    assert {item["conversions"] for item in report["items"]} == {1}
    assert report["exit_code"] == 0


def test_leases_of_other_machines(start, merged, tmp_path):
    """What another machine holds is left to it; if it is silent for long, it is taken over."""
    out = tmp_path / "out"
    out.mkdir()
    leave_lease(out / "asset3")
    leave_lease(out / "asset4", age=HOUR)
    assert start("1/1", seconds=0.0).wait(60) == 4
    states, report = merged()
    assert [name for name, state in states.items() if state != "done"] == ["asset3"]
    assert (states["asset3"], report["exit_code"]) == ("held", 4)
    leave_lease(out / "asset3", age=HOUR)
    assert merged()[0]["asset3"] == "interrupted"
    assert start("1/1", seconds=0.0).wait(60) == 0
    assert merged()[1]["exit_code"] == 0


def test_poison_is_set_aside_after_two_deaths(start, merged, lsrm, tmp_path):
    """An item that kills each worker stops two of them; the third one converts the others."""
    assert start("1/1", "asset5", seconds=0.0).wait(60) == -9
    assert start("1/1", "asset5", seconds=0.0).wait(60) == -9
    assert start("1/1", "asset5", seconds=0.0).wait(60) == 1
    states, report = merged()
    assert [name for name, state in states.items() if state != "done"] == ["asset5"]
    assert (states["asset5"], report["poisoned"], report["exit_code"]) == ("poisoned", 1, 1)
    assert start("1/1", "asset5", seconds=0.0).wait(60) == 1
    lines = list(lsrm("lsrm_blender.jobs.batch.merged_report").report_lines(report))
    assert any("asset5: 2 processes died" in line for line in lines)
    assert sum("died" in line.split() for line in lines) == 3
    assert "11 done, 1 poisoned, of 12 items" in lines[-1]


def test_items_that_were_never_begun_are_left(start, merged, assets):
    """A batch of which a shard never ran is not done; an asset that is gone is not waited for."""
    assert start("1/2", seconds=0.0).wait(60) == 0
    states, report = merged()
    assert set(states.values()) == {"done", "waiting"}
    assert report["exit_code"] == 4
    removed = next(name for name in states if states[name] == "waiting")
    (assets / f"{removed}.glb").unlink()
    (assets / "new.glb").write_text("new")
    assert [start(f"{number}/2", seconds=0.0).wait(60) for number in (1, 2)] == [0, 0]
    states, report = merged()
    assert set(states.values()) == {"done"}
    assert "new" in states
    assert removed not in states


def test_a_folder_without_a_batch_has_no_report(lsrm, tmp_path):
    """A mistyped folder is no empty batch."""
    merge = lsrm("lsrm_blender.jobs.batch.merged_report").merge_report
    for folder in (tmp_path, tmp_path / "missing"):
        with pytest.raises(lsrm("backend.shared.errors").BadRequest):
            merge(folder)


@pytest.mark.skipif(not Path("/proc/self/status").is_file(), reason="reads memory in /proc")
@pytest.mark.parametrize("count", [300, pytest.param(100_000, marks=pytest.mark.slow)])
def test_many_items(start, assets, tmp_path, count):
    """Empty stand-ins are planned, leased and merged, each once, in little time and memory."""
    for number in range(12, count):
        (assets / f"asset{number}.glb").touch()
    begin = time.monotonic()
    shards = [start("1/2", seconds=0.0), start("2/2", seconds=0.0)]
    codes = [shard.wait(300) for shard in shards]
    converted = time.monotonic() - begin
    merge = [sys.executable, WORKER, "--merge", tmp_path / "out"]
    codes.append(subprocess.run(merge, check=False).returncode)
    seconds = time.monotonic() - begin
    assert codes == [1, 1, 1]  # what is empty fails
    report = json.loads((tmp_path / "out" / "summary.json").read_text())
    names = {item["name"] for item in report["items"]}
    assert (report["done"], report["failed"], len(names)) == (12, count - 12, count)
    used = [int(each.read_text()) for each in tmp_path.glob("out.memory-*")]
    assert len(used) == 3
    sys.stderr.write(
        f"{count} items: {converted:.1f} s, {seconds:.1f} s with report, {max(used)} KiB\n"
    )
    assert seconds <= 60.0
    assert max(used) <= 1 << 20


def test_an_item_without_a_status_is_reported(start, merged, tmp_path):
    """A folder that cannot be made fails its item in the report, too; it is not waited for."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "asset2").write_text("a file")
    assert start("1/1", seconds=0.0).wait(60) == 1
    states, report = merged()
    assert (states["asset2"], report["done"], report["exit_code"]) == ("failed", 11, 1)
    (out / "asset2").unlink()
    (out / "asset3" / "status.json").unlink()
    (out / "asset3" / "lease-1.json").unlink()
    assert merged()[0]["asset3"] == "waiting"
    assert start("1/1", seconds=0.0).wait(60) == 0
    assert merged()[1]["exit_code"] == 0
