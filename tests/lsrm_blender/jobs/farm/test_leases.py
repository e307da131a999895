# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leases: one holder at a time, taken over from the dead and the silent, and from no other."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.children import is_running

HOUR = 3600.0


@pytest.fixture
def farm(lsrm):
    """The modules of leases and runs, as attributes."""

    @dataclasses.dataclass
    class Farm:
        leases = lsrm("lsrm_blender.jobs.farm.leases")
        runs = lsrm("lsrm_blender.jobs.farm.runs")
        signs = lsrm("lsrm_blender.jobs.farm.signs_of_life")
        holders = lsrm("lsrm_blender.jobs.farm.holders")

    return Farm()


@pytest.fixture
def run(farm, tmp_path):
    """A run in an output folder."""
    with farm.runs.Run(tmp_path) as this:
        yield this


def leave_lease(folder: Path, number: int = 1, *, age: float = 0.0, **changes) -> None:
    """Write the lease of a process of another machine, as it was some seconds ago."""
    content = {"run": "1-of-2-elsewhere-7-ab", "host": "elsewhere", "machine": "another boot",
               "process": 7, "started": 1, "deaths": 0, **changes}  # fmt: skip
    folder.mkdir(exist_ok=True)
    path = folder / f"lease-{number}.json"
    path.write_text(json.dumps(content))
    now = path.stat().st_mtime
    os.utime(path, (now - age, now - age))


def test_a_living_holder_keeps_its_lease(farm, run, tmp_path):
    """The second one who wants an item is refused, with the name of the holder, until it ends."""
    lease = farm.leases.take_lease(tmp_path / "chair", 0, run)
    with farm.runs.Run(tmp_path) as other:
        with pytest.raises(farm.leases.ItemHeld, match=str(os.getpid())):
            farm.leases.take_lease(tmp_path / "chair", 0, other)
        assert farm.leases.take_lease(tmp_path / "chair", lease.number, other).number == 2
    with pytest.raises(farm.leases.ItemHeld):
        lease.check()


def test_a_silent_machine_loses_its_lease(farm, run, tmp_path):
    """Of another machine only silence is known: a short one is accepted, a long one is not."""
    leave_lease(tmp_path / "chair", age=60.0)
    with pytest.raises(farm.leases.ItemHeld, match="elsewhere"):
        farm.leases.take_lease(tmp_path / "chair", 0, run)
    leave_lease(tmp_path / "table", age=HOUR)
    lease = farm.leases.take_lease(tmp_path / "table", 0, run)
    assert (lease.number, lease.deaths, lease.previous.host) == (2, 1, "elsewhere")


def test_a_heartbeat_is_a_sign_of_life(farm, run, tmp_path):
    """A holder that works on an item for hours keeps it as long as its run gives signs of life."""
    leave_lease(tmp_path / "chair", age=HOUR)
    other = tmp_path / "logs" / "1-of-2-elsewhere-7-ab"
    other.mkdir()
    (other / "heartbeat").touch()
    with pytest.raises(farm.leases.ItemHeld):
        farm.leases.take_lease(tmp_path / "chair", 0, run)
    os.utime(other / "heartbeat", (0, 0))
    assert farm.leases.take_lease(tmp_path / "chair", 0, run).deaths == 1


def test_the_clock_of_the_machine_does_not_matter(farm, tmp_path, monkeypatch):
    """A machine whose clock is hours off judges leases as the file system dates them."""
    monkeypatch.setattr(time, "time", lambda: 0.0)
    leave_lease(tmp_path / "chair", age=60.0)
    leave_lease(tmp_path / "table", age=HOUR)
    with farm.runs.Run(tmp_path) as this:
        with pytest.raises(farm.leases.ItemHeld):
            farm.leases.take_lease(tmp_path / "chair", 0, this)
        assert farm.leases.take_lease(tmp_path / "table", 0, this).number == 2


def test_a_run_gives_signs_of_life(farm, tmp_path):
    """The heartbeat is renewed while the run works, and gone when it has ended."""
    times = farm.signs.LeaseTimes(renewal=0.01)
    with farm.runs.Run(tmp_path, times=times) as this:
        heartbeat = this.folder / "heartbeat"
        os.utime(heartbeat, (0, 0))
        end = time.monotonic() + 10.0
        while heartbeat.stat().st_mtime < 1.0 and time.monotonic() < end:
            time.sleep(0.01)
        assert heartbeat.stat().st_mtime > 1.0
        assert farm.signs.read_heartbeat(this.folder) == this.holder
    assert not heartbeat.exists()


@pytest.mark.skipif(os.name != "posix", reason="elsewhere silence decides alone")
def test_a_dead_process_of_this_machine_loses_its_lease_at_once(farm, run, tmp_path):
    """Killed, not yet noticed by its parent, or its id used by a later process."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    holder = dataclasses.replace(run.holder, process=child.pid, started=None)
    if sys.platform == "linux":
        started = farm.holders._process_state(child.pid)[1]
        assert dataclasses.replace(holder, started=started - 1).is_dead
        holder = dataclasses.replace(holder, started=started)
    assert not holder.is_dead
    assert not dataclasses.replace(holder, machine="another boot", process=1 << 22).is_dead
    leave_lease(tmp_path / "chair", **dataclasses.asdict(holder))
    with pytest.raises(farm.leases.ItemHeld):
        farm.leases.take_lease(tmp_path / "chair", 0, run)
    child.kill()
    end = time.monotonic() + 10.0
    while is_running(child.pid) and time.monotonic() < end:
        time.sleep(0.01)
    assert holder.is_dead  # though nothing has waited for it
    assert farm.leases.take_lease(tmp_path / "chair", 0, run).deaths == 1
    child.wait(10)
    assert holder.is_dead


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"host": 1}', b"\xff"])
def test_an_unfinished_lease_is_held_until_it_is_old(farm, run, tmp_path, content):
    """A process may die between making a lease and writing it."""
    folder = tmp_path / "chair"
    leave_lease(folder)
    (folder / "lease-1.json").write_bytes(content)
    with pytest.raises(farm.leases.ItemHeld):
        farm.leases.take_lease(folder, 0, run)
    os.utime(folder / "lease-1.json", (0, 0))
    assert farm.leases.take_lease(folder, 0, run).deaths == 1


def test_a_lease_that_cannot_be_written_is_not_there(farm, run, tmp_path, monkeypatch):
    """On a full disk an item does not stay held."""

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fdopen", full)
        with pytest.raises(OSError, match="No space"):
            farm.leases.take_lease(tmp_path / "chair", 0, run)
    assert farm.leases.take_lease(tmp_path / "chair", 0, run).number == 1


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.tuples(st.sampled_from(["take", "end", "die"]), st.integers(0, 2))))
def test_one_holder_at_a_time_whatever_happens(lsrm, steps):
    """Runs take, end and die in any order: none takes what a living one holds."""
    leases, runs = lsrm("lsrm_blender.jobs.farm.leases"), lsrm("lsrm_blender.jobs.farm.runs")
    with tempfile.TemporaryDirectory() as name:
        output = Path(name)
        workers = [runs.Run(output) for _ in range(3)]
        dead: set[str] = set()
        ended, deaths, held = 0, 0, None  # held: by which worker, and the lease
        for worker in workers:
            worker.signs.is_gone = lambda holder, _lease: holder.run in dead
        for what, which in steps:
            worker = workers[which]
            if what == "take" and worker.holder.run not in dead:
                free = held is None or held[0].holder.run in dead
                try:
                    lease = leases.take_lease(output / "chair", ended, worker)
                except leases.ItemHeld:
                    assert not free
                else:
                    assert free
                    deaths = deaths + 1 if held is not None else 0
                    assert lease.deaths == deaths
                    held = (worker, lease)
            elif held is not None and held[0] is worker and what == "end":
                if worker.holder.run not in dead:
                    held[1].check()
                    ended, held = held[1].number, None
            elif what == "die":
                dead.add(worker.holder.run)


RACER = """
import importlib, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from lsrm_blender import entry
entry.load_package()
leases = importlib.import_module("lsrm.lsrm_blender.jobs.farm.leases")
runs = importlib.import_module("lsrm.lsrm_blender.jobs.farm.runs")
output, count = Path(sys.argv[2]), int(sys.argv[3])
with runs.Run(output) as run:
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(count):
        try:
            leases.take_lease(output / f"item{number}", 0, run)
        except leases.ItemHeld:
            continue
        print(number)
    print("end", flush=True)
    sys.stdin.readline()
"""


@pytest.mark.parametrize("dead", [True, False])
def test_of_racing_processes_one_wins_each_item(repository, tmp_path, dead):
    """Several processes find the same free items, or the same dead holders, at the same moment."""
    count = 60
    for number in range(count if dead else 0):
        leave_lease(tmp_path / f"item{number}", age=HOUR)
    command = [sys.executable, "-c", RACER, str(repository), str(tmp_path), str(count)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    racers = [subprocess.Popen(command, **pipes) for _ in range(3)]
    try:
        for racer in racers:
            assert racer.stdout.readline() == "ready\n"
        for racer in racers:
            racer.stdin.write("go\n")
        won = [list(iter(racer.stdout.readline, "end\n")) for racer in racers]
        for racer in racers:
            racer.communicate("stop\n", timeout=60)
    finally:
        for racer in racers:
            racer.kill()
    assert sorted(int(number) for each in won for number in each) == list(range(count))
