# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Worker processes: their results, and whatever happens to them ends the job in time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from backend.shared.errors import BackendDied, Cancelled, LsrmError, OutOfMemory, OutputNotWritable
from backend.shared.virtual_environments import child_variables
from backend.workers import workers as workers_module
from backend.workers.worker import SPARSE_STAGE
from backend.workers.workers import Workers
from tests.children import children_of, ends_within, is_running

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

TWO = ("cpu", "cpu")
JOB_SECONDS = 10.0
"""Allowed between a failure and the error of the job."""

# The real program with another method: what rank 1 does is in the request.
STAND_IN = """
import os, sys, time
from backend.shared.errors import OutOfMemory
from backend.workers import worker

def sparse_stage(folder, rank, ranks, device, params, progress):
    progress.report("sparse stage", 0.5)
    (folder / f"rank-{rank}").touch()
    if rank == 0 and params["first"] == "fails with the other":
        while not (folder / "rank-1").exists():
            time.sleep(0.01)
        raise RuntimeError("connection closed by peer")
    if rank == 0 and params["first"] == "waits":
        time.sleep(1000)
    if rank == 0 or params["second"] == "works":
        return [rank, ranks, device]
    if params["second"] == "is killed":
        os.kill(os.getpid(), 9)
    if params["second"] == "exits":
        sys.stderr.write("a reason")
        os._exit(3)
    if params["second"] == "runs out of memory":
        raise OutOfMemory("Too little memory.", "Use less.")
    if params["second"] == "sleeps":
        time.sleep(1000)

worker.sparse_stage = sparse_stage
sys.exit(worker.main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def _stand_in(monkeypatch):
    monkeypatch.setattr(workers_module, "PROGRAM", (sys.executable, "-P", "-c", STAND_IN))


def wait_for(condition, seconds=60.0):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "timed out"
        time.sleep(0.02)


def run(folder, second, first="waits", report=lambda *_: None):
    """What two workers return; both are dead afterwards."""
    pids = []
    try:
        with Workers(TWO, folder) as workers:
            pids += [process.pid for process in workers.processes]
            params = {"first": first, "second": second}
            return workers.run(SPARSE_STAGE, params, lambda fraction: report(fraction, pids))
    finally:
        assert len(pids) == 2
        assert not any(is_running(pid) for pid in pids)


def test_results_come_by_rank(tmp_path):
    """Each worker knows its rank, and the fraction is that of the slowest."""
    fractions = []
    results = run(tmp_path, "works", "works", lambda fraction, _: fractions.append(fraction))
    assert results == [[0, 2, "cpu"], [1, 2, "cpu"]]
    assert fractions == sorted(fractions)
    assert set(fractions) <= {0.0, 0.5, 1.0}


@pytest.mark.parametrize(
    ("first", "second", "kind", "words"),
    [
        ("waits", "is killed", BackendDied, r"Worker 1 \(cpu\) was killed"),
        ("fails with the other", "is killed", BackendDied, r"Worker 1 \(cpu\) was killed"),
        ("fails with the other", "exits", BackendDied, r"ended by itself \(3\): a reason"),
        ("waits", "runs out of memory", OutOfMemory, "Too little memory"),
    ],
)
def test_the_reason_is_that_of_the_worker_that_failed(tmp_path, first, second, kind, words):
    """A worker that ends or fails ends the job with its reason, not with that of the others."""
    start = time.monotonic()
    with pytest.raises(LsrmError, match=words) as caught:
        run(tmp_path, second, first)
    assert type(caught.value) is kind
    assert time.monotonic() - start < JOB_SECONDS


def test_a_worker_that_hangs_ends_the_job(tmp_path):
    """No worker computes: that is noticed although all send heartbeats."""
    hanging = []

    def note(fraction, _pids):
        if fraction:
            hanging.append(time.monotonic())

    with pytest.raises(BackendDied, match="No sign of life"):
        run(tmp_path, "sleeps", report=note)
    assert time.monotonic() - hanging[0] < JOB_SECONDS


@pytest.mark.slow
def test_a_worker_that_is_stopped_ends_the_job(tmp_path):
    """A worker without heartbeats hangs, even if another one computes."""
    stopped = []

    def stop_one(fraction, pids):
        if fraction and not stopped:
            stopped.append(time.monotonic())
            os.kill(pids[1], signal.SIGSTOP)

    with pytest.raises(BackendDied, match="No sign of life"):
        run(tmp_path, "sleeps", report=stop_one)
    assert time.monotonic() - stopped[0] < JOB_SECONDS


def test_cancel_takes_less_than_a_second(tmp_path):
    """A cancelled job does not wait for its workers, whatever they do."""
    start = None

    def cancel(fraction, _pids):
        nonlocal start
        if fraction:
            start = time.monotonic()
            raise Cancelled("Stopped.", "Start it again.")

    with pytest.raises(Cancelled):
        run(tmp_path, "sleeps", report=cancel)
    assert time.monotonic() - start < 1.0


def test_workers_end_with_their_parent(tmp_path):
    """Workers whose parent is killed end by themselves."""
    program = (
        "import sys; from pathlib import Path; from backend.workers import workers as module;"
        f"module.PROGRAM = (sys.executable, '-P', '-c', {STAND_IN!r});"
        "workers = module.Workers(('cpu', 'cpu'), Path(sys.argv[1])).__enter__();"
        "print(*[process.pid for process in workers.processes], flush=True);"
        "params = {'first': 'waits', 'second': 'sleeps'};"
        "workers.run('sparse_stage', params, lambda _: None)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-P", "-c", program, str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env=child_variables(),
    )
    pids = [int(pid) for pid in parent.stdout.readline().split()]
    assert len(pids) == 2
    wait_for(lambda: len(list(tmp_path.glob("rank-*"))) == 2)
    parent.kill()
    parent.wait()
    assert all(ends_within(pid, JOB_SECONDS) for pid in pids)


def test_a_folder_that_cannot_be_written(tmp_path):
    """The error names the folder, and no process is left but those of earlier tests."""
    earlier = set(children_of(os.getpid()))
    with (
        pytest.raises(OutputNotWritable, match="missing"),
        Workers(TWO, tmp_path / "missing"),
    ):
        pass
    assert not any(is_running(pid) for pid in set(children_of(os.getpid())) - earlier)
