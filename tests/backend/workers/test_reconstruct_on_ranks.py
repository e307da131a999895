# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""`reconstruct` over two ranks: the mesh of one, its sockets, and how it fails."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
import trimesh
from safetensors.torch import load_file

from backend import planned_memory
from backend.mesh import surfaces
from backend.mesh.network_surface import SurfaceSettings
from backend.pipeline import reconstruct
from backend.request import ReconstructRequest
from backend.shared.errors import Cancelled, LsrmError, OutputNotWritable
from backend.shared.progress import Progress
from backend.workers import workers as workers_module
from tests.children import children_of, ends_within, is_running, pump_until, pumped
from tests.small_checkpoint import write_small_checkpoint
from tests.sockets import addresses_of

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes and sockets in /proc"),
    pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="cpu:0,1 needs two processors"),
]

WAIT_SECONDS = 300.0
"""For what takes seconds on an idle computer."""

CANCEL_SECONDS = 1.0
JOB_SECONDS = 10.0
"""Allowed between a failure and the error of the job."""

# The real worker with a pause in front of every block, after a sign of life: there the tests act.
PAUSING = """
import sys, time
from pathlib import Path
from backend.workers import worker

sparse_stage = worker.sparse_stage

def pausing_stage(*arguments):
    from backend.model.transformer import Block

    forward = Block.forward

    def pausing(block, *arguments):
        Path(sys.argv[1], f"block-{sys.argv[2]}").touch()
        if not Path(sys.argv[1]).with_name("go").exists():
            time.sleep(1000)
        return forward(block, *arguments)

    Block.forward = pausing
    return sparse_stage(*arguments)

worker.sparse_stage = pausing_stage
sys.exit(worker.main(sys.argv[1:]))
"""


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    """Small meshes, so that these tests are quick."""
    monkeypatch.setattr(surfaces, "MESH_RESOLUTION", 32)
    monkeypatch.setattr(surfaces, "SurfaceSettings", partial(SurfaceSettings, cells=64))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    """Small weights."""
    return write_small_checkpoint(tmp_path_factory.mktemp("weights") / "small")


@pytest.fixture(scope="module")
def views(make_capture, tmp_path_factory) -> Path:
    """A small capture."""
    return make_capture(tmp_path_factory.mktemp("capture") / "views", views=6, size=64)


@pytest.fixture
def run(views, checkpoint, tmp_path):
    """A function that reconstructs on some devices, into a folder of their name."""

    def reconstruct_on(device, listener=None):
        request = ReconstructRequest(
            views,
            tmp_path / device.replace(":", "-"),
            checkpoint=str(checkpoint),
            refine="off",
            texture_size="64",
            faces=500,
            device=device,
        )
        return reconstruct(request, Progress(listener))

    return reconstruct_on


@pytest.fixture
def paused(run, monkeypatch, tmp_path):
    """A function that runs a job on two ranks, and acts when both stand before their first block.

    It returns the code of the job's error, and the seconds from the act to the error.
    """
    monkeypatch.setattr(workers_module, "PROGRAM", (sys.executable, "-P", "-c", PAUSING))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()

    def run_and_act(act):
        acted, earlier = [], set(children_of(os.getpid()))

        def listen(stage, _fraction, _text):
            standing = sorted((tmp_path / "temporary").glob("*/block-*"))
            if stage == "sparse stage" and len(standing) == 2 and not acted:
                acted.append(time.monotonic())
                act(sorted(filter(is_python, children_of(os.getpid()))))

        try:
            run("cpu:0,1", listen)
        except LsrmError as error:
            code, reason = error.code, str(error)
        else:
            code, reason = "done", ""
        assert acted, reason
        seconds = time.monotonic() - acted[0]
        assert not [pid for pid in {*children_of(os.getpid())} - earlier if is_running(pid)]
        assert not list((tmp_path / "temporary").iterdir())
        return code, seconds

    return run_and_act


def is_python(pid: int) -> bool:
    """Whether a process is a worker, not the `ps` that lists it."""
    try:
        return b"worker" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def test_two_ranks_give_the_mesh_of_one(run, tmp_path):
    """Field, mesh and counts are those of one device; workers talk over loopback only."""
    addresses: list[set[str]] = []

    def look(stage, _fraction, _text):
        if stage == "sparse stage":
            pids = [os.getpid(), *children_of(os.getpid())]
            addresses.append({address for pid in pids for address in addresses_of(pid)})

    one = run("cpu", look)
    assert not set().union(*addresses)
    two = run("cpu:0,1", look)
    assert set().union(*addresses) == {"127.0.0.1"}
    assert not addresses_of(os.getpid())
    assert (one.device, two.device) == ("cpu", "cpu:0,1")
    assert one.counts == two.counts
    fields = [load_file(tmp_path / name / "field.safetensors") for name in ("cpu", "cpu-0,1")]
    torch.testing.assert_close(*fields, rtol=1e-3, atol=1e-5)  # stored in half precision
    meshes = [
        trimesh.load(tmp_path / name / "mesh.glb", force="mesh") for name in ("cpu", "cpu-0,1")
    ]
    assert meshes[0].faces.tolist() == meshes[1].faces.tolist()
    assert abs(meshes[0].vertices - meshes[1].vertices).max() < 1e-4


@pytest.mark.slow
def test_one_rank_after_the_other_gives_the_same_field(run, monkeypatch, tmp_path):
    """What the planner chooses where the keys of all ranks do not fit changes no result."""
    planned = planned_memory.plan_memory
    monkeypatch.setattr(
        planned_memory, "plan_memory", lambda *given: replace(planned(*given), in_turn=True)
    )
    for device in ("cpu", "cpu:0,1"):
        run(device)
    fields = [load_file(tmp_path / name / "field.safetensors") for name in ("cpu", "cpu-0,1")]
    torch.testing.assert_close(*fields, rtol=1e-3, atol=1e-5)  # stored in half precision


@pytest.mark.slow
def test_a_killed_rank(paused):
    """One rank is killed while the other waits: the job ends, and no process is left."""
    code, seconds = paused(lambda pids: os.kill(pids[1], signal.SIGKILL))
    assert (code, seconds < JOB_SECONDS) == ("BACKEND_DIED", True)


@pytest.mark.slow
@pytest.mark.parametrize("stopped", [False, True])
def test_a_rank_that_hangs(paused, stopped):
    """Both sleep in front of a block; or one is stopped by the system."""
    code, seconds = paused(lambda pids: stopped and os.kill(pids[0], signal.SIGSTOP))
    assert (code, seconds < JOB_SECONDS) == ("BACKEND_DIED", True)


@pytest.mark.slow
def test_a_cancelled_job(paused):
    """A cancel does not wait for the block."""

    def cancel(_pids):
        raise Cancelled("The job was cancelled.", "Start it again.")

    code, seconds = paused(cancel)
    assert (code, seconds < CANCEL_SECONDS) == ("CANCELLED", True)


def test_a_temporary_folder_that_cannot_be_written(run, monkeypatch, tmp_path):
    """That is an error before the network runs; the result folder is not made."""
    stages = set()
    monkeypatch.setattr(tempfile, "tempdir", "/proc/lsrm")
    with pytest.raises(OutputNotWritable, match="/proc/lsrm"):
        run("cpu:0,1", lambda stage, *_: stages.add(stage))
    assert not {"selection", "sparse stage"} & stages
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "code"), [("size=64k", "DISK_FULL"), ("ro", "OUTPUT_NOT_WRITABLE")]
)
def test_a_disk_without_room(run, mount, monkeypatch, options, code):
    """What ranks exchange does not fit, or cannot be written: an error, and nothing is left."""
    folder = mount(options)
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    with pytest.raises(LsrmError) as caught:
        run("cpu:0,1")
    assert caught.value.code == code
    assert not list(folder.iterdir())


SERVER = f"""
import sys
from backend.commands import serve
from backend.workers import workers
workers.PROGRAM = (sys.executable, "-P", "-c", {PAUSING!r})
sys.exit(serve.run(None))
"""


@pytest.mark.slow
def test_the_server_takes_the_next_job(make_client, views, checkpoint, monkeypatch, tmp_path):
    """A rank is killed: the job has its error in time, and the same server does the next one."""
    exchange = tmp_path / "temporary"
    exchange.mkdir()
    monkeypatch.setenv("TMPDIR", str(exchange))
    client = make_client(
        (sys.executable, "-P", "-c", SERVER), first_message=30.0, silence=20.0, terminate=5.0
    )
    request = {
        "views": str(views),
        "output": str(tmp_path / "result"),
        "checkpoint": str(checkpoint),
        "device": "cpu:0,1",
        "texture_size": "64",
        "faces": 500,
        "refine": "off",
    }
    job = client.submit("reconstruct", request)
    pump_until(
        client, lambda: job.finished or len(list(exchange.glob("*/block-*"))) == 2, WAIT_SECONDS
    )
    assert not job.finished, job.error
    server = client.child.pid
    start, ranks = time.monotonic(), children_of(server)
    os.kill(ranks[0], signal.SIGKILL)
    assert pumped(client, job, 2 * JOB_SECONDS) == "BACKEND_DIED"
    assert time.monotonic() - start < JOB_SECONDS
    assert all(ends_within(rank) for rank in ranks)
    (exchange / "go").touch()
    assert pumped(client, client.submit("reconstruct", request), WAIT_SECONDS) == "done"
    assert client.child.pid == server
    assert [path.name for path in exchange.iterdir()] == ["go"]
