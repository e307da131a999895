# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The real backend process: cancelled and killed in every stage, then used again."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import time
from typing import TYPE_CHECKING

import pytest

from backend.pipeline import STAGES_OF_NETWORK, reconstruct
from backend.request import ReconstructRequest
from backend.shared.progress import Progress
from tests.children import ends_within, files_of, pump_until, pumped
from tests.small_checkpoint import write_small_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

WITHOUT_NETWORK = ("views", "hull", "refine", "mesh", "texture", "write")
SMALL = {"texture_size": "64", "faces": 400, "refine": "off"}
STOP_SECONDS = 10.0
"""Allowed between a cancel or a kill and the job's error."""

# The real backend, with a pause at the beginning of one stage, in which the test stops it.
PAUSING = """
import sys, time
from backend.commands import serve
from backend.shared.rpc import server as rpc_server
report = rpc_server.Server._report

def report_and_pause(server, job, stage, fraction, text):
    begins = stage != job.stage
    report(server, job, stage, fraction, text)
    if begins and stage == job.request.params.get("pause_in"):
        time.sleep(0.3)

def reconstruct(params, progress):
    return real({name: value for name, value in params.items() if name != "pause_in"}, progress)

real, serve.reconstruct = serve.reconstruct, reconstruct
rpc_server.Server._report = report_and_pause
sys.exit(serve.run(None))
"""


@pytest.fixture
def backend(make_client):
    """A client of the real backend, on one thread."""
    command = (sys.executable, "-P", "-m", "backend.commands.command_line", "serve")
    return make_client(command, first_message=30.0, silence=20.0, terminate=5.0, kill=9.0)


@pytest.fixture
def pausing_backend(make_client):
    """A client of the real backend with a pause in one stage."""
    command = (sys.executable, "-P", "-c", PAUSING)
    return make_client(command, first_message=30.0, silence=20.0, terminate=5.0, kill=9.0)


@pytest.fixture(scope="module")
def views(make_capture, tmp_path_factory) -> Path:
    """A small capture."""
    return make_capture(tmp_path_factory.mktemp("capture") / "views", views=8, size=48)


@pytest.fixture(scope="module")
def finished(views, tmp_path_factory) -> Path:
    """The result of reconstructing it."""
    output = tmp_path_factory.mktemp("finished") / "result"
    reconstruct(ReconstructRequest(views, output, **SMALL), Progress())
    return output


@pytest.fixture(scope="session")
def weights(tmp_path_factory) -> Path:
    """A checkpoint of the preset `tiny`, made narrow, with random weights."""
    return write_small_checkpoint(tmp_path_factory.mktemp("weights") / "small")


@pytest.fixture
def small(views, weights, tmp_path):
    """A function that returns the parameters of a quick reconstruction with a certain stage."""

    def make(stage: str = "") -> dict:
        return {
            **SMALL,
            "views": str(views),
            "output": str(tmp_path / "jobs" / "result"),
            "refine": "4" if stage == "refine" else "off",
            "checkpoint": str(weights) if stage in STAGES_OF_NETWORK else "none",
        }

    return make


def stop_in(client, stage: str, params: dict, how: str) -> tuple[str, float]:
    """Stop a job in a stage: the code of its error, and the seconds until it arrived."""
    job = client.submit("reconstruct", {**params, "pause_in": stage})
    pump_until(client, lambda: job.finished or job.progress.stage == stage, 120)
    assert not job.finished, job.error
    pid, start = client.child.pid, time.monotonic()
    if how == "kill":
        os.kill(pid, signal.SIGKILL)
    else:
        client.cancel(job)
    code = pumped(client, job, 60)
    assert how == "cancel" or ends_within(pid)
    return code, time.monotonic() - start


QUICK = ("refine", "sparse stage", "texture")  # for the default run, one of each kind
EVERY_STAGE = [
    pytest.param(stage, marks=() if stage in QUICK else pytest.mark.slow)
    for stage in (*WITHOUT_NETWORK, *STAGES_OF_NETWORK)
]


@pytest.mark.parametrize("stage", EVERY_STAGE)
def test_stopped_in_a_stage(pausing_backend, small, finished, tmp_path, stage):
    """Cancel and kill are reported in time and keep the previous result.

    The next job works, and its previews are those that are requested.
    """
    shutil.copytree(finished, tmp_path / "jobs" / "result")
    code, seconds = stop_in(pausing_backend, stage, small(stage), "cancel")
    assert (code, seconds < STOP_SECONDS) == ("CANCELLED", True)
    assert files_of(tmp_path / "jobs" / "result") == files_of(finished)
    code, seconds = stop_in(pausing_backend, stage, small(stage), "kill")
    assert (code, seconds < STOP_SECONDS) == ("BACKEND_DIED", True)
    assert pausing_backend.child is None
    assert files_of(tmp_path / "jobs" / "result") == files_of(finished)
    previews = tmp_path / "previews"
    params = {**small(), "pause_in": "", "previews": str(previews)}
    again = pausing_backend.submit("reconstruct", params)
    assert pumped(pausing_backend, again, 120) == "done"
    assert again.preview.mesh.parent == previews
    assert again.preview.mesh.is_file()
    assert again.preview.picture.is_file()
    # The unfinished folder of the killed job is removed as well.
    assert [path.name for path in (tmp_path / "jobs").iterdir()] == ["result"]


def test_errors_of_the_backend_have_their_code(backend, make_capture, small, tmp_path):
    """Errors of the views and of the parameters arrive with code and message."""
    views = make_capture(tmp_path / "views", views=6, size=48)
    (views / "images" / "0002.png").unlink()
    job = backend.submit("check", {"views": str(views)})
    assert pumped(backend, job, 60) == "BAD_IMAGE"
    assert "0002" in job.error.message
    job = backend.submit("reconstruct", {**small(), "faces": "many", "beauty": 9})
    assert pumped(backend, job) == "BAD_REQUEST"
    assert "beauty" in job.error.message
    assert not (tmp_path / "jobs").exists()


def test_check_names_a_likely_cause(backend, make_capture, tmp_path):
    """The check has the coverage of the masks and the likely cause, and corrects it on request."""
    views = make_capture(tmp_path / "views", views=8, size=48, shape="arch")
    path = views / "transforms.json"
    document = json.loads(path.read_text())
    for frame in document["frames"]:
        frame["fl_y"] = 1.4 * frame["fl_y"]
    path.write_text(json.dumps(document))
    job = backend.submit("check", {"views": str(views)})
    assert pumped(backend, job, 60) == "done"
    assert job.result["likely_cause"] == "focal_length_y"
    assert job.result["remedy"].startswith("Write fl_x = ")
    assert len(job.result["coverage"]) == 8
    job = backend.submit("check", {"views": str(views), "fix_cameras": True})
    assert pumped(backend, job, 60) == "done"
    assert job.result["fixed"] == "focal_length_y"
    assert job.result["likely_cause"] is None


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_two_hundred_kills(backend, small, tmp_path):
    """A kill at two hundred random moments costs nothing but the running job."""
    output = tmp_path / "jobs"
    assert pumped(backend, backend.submit("reconstruct", small()), 120) == "done"
    generator = random.Random(7)  # noqa: S311 - not for cryptography
    stages: dict[str, int] = {}
    for _ in range(200):
        before = files_of(output / "result")
        params = small(generator.choice(("refine", "sparse stage", "")))
        job = backend.submit("reconstruct", params)
        end = time.monotonic() + generator.uniform(0.0, 12.0)
        while time.monotonic() < end and not job.finished:
            backend.pump()
            time.sleep(0.002)
        if backend.child is not None:
            os.kill(backend.child.pid, signal.SIGKILL)
        state = pumped(backend, job, 20)
        stage = "done" if state == "done" else job.progress.stage
        stages[stage] = stages.get(stage, 0) + 1
        assert state in ("BACKEND_DIED", "ENVIRONMENT_BROKEN", "done")
        after = files_of(output / "result")
        # A job that ends in time replaces the result; only where the fit was kept there is a field.
        kept = set(before) - {"field.safetensors"}
        assert kept <= set(after) if state == "done" else after == before
    assert pumped(backend, backend.submit("reconstruct", small()), 120) == "done"
    assert [path.name for path in output.iterdir()] == ["result"]
    assert {"", "done", "refine"} <= set(stages), stages
