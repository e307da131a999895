# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The backend client: every way in which child or parent may fail, and the outcome of the job."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from backend.shared.rpc import protocol
from backend.shared.virtual_environments import child_variables
from tests.children import ends_within, is_running, pump_until, pumped

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

# A child like the backend, whose one method does what its parameters say.
CHILD = """
import logging, os, signal, subprocess, sys, time
from backend.shared.errors import EmptyMask
from backend.shared.rpc.server import LogToParent, Pipe, Server
what = sys.argv[1]
print("Blender 4.3.2 (a banner)", flush=True)
if what == "mute":
    time.sleep(60)
if what == "incomplete":
    import torch_that_is_not_there
pipe = Pipe.take_standard_streams()
print("output of a library")

def work(params, progress):
    what = params["what"]
    progress.report("first", 0.5, "half")
    if what == "preview":
        progress.show_preview("/live/preview_1.npz", "/live/preview_1.png")
    if what == "nameless":
        progress.show_preview("", "")
    if what == "count":
        for step in range(20):
            time.sleep(0.02)
            progress.report("second", step / 20)
        return {"done": params.get("number")}
    if what == "folder":
        return os.getcwd()
    if what == "fail":
        raise EmptyMask("The mask 3 is empty.", "Remove it.")
    if what == "fault":
        return 1 / 0
    if what == "memory":
        raise MemoryError
    if what == "exit":
        os._exit(params["code"])
    if what == "garbage":
        os.write(pipe._sending, b"Segment loaded at 0x0\\n")
    if what == "endless":
        os.write(pipe._sending, b"x" * 3_000_000)
    if what == "loud":
        for _ in range(params["megabytes"]):
            sys.stderr.buffer.write(b"warning: \\n" * 100_000)
        if "hang" not in params:
            return {"done": True}
    if what == "stop":
        os.kill(os.getpid(), signal.SIGSTOP)
    if what == "ignores signals":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if what == "grandchild":
        left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        progress.report("grandchild", 0.0, str(left.pid))
    while what != "patient":
        time.sleep(0.05)
    while True:
        time.sleep(0.05)
        progress.check()

describe = lambda: {"version": "test"}
server = Server(pipe, {"work": work}, describe)
if what == "other version":
    server._methods["initialize"] = lambda _, __: {"protocol": 99}
if what == "newer":
    import backend.shared.rpc.protocol
    backend.shared.rpc.protocol.PROTOCOL_VERSION = 99
if what == "stubborn":
    server._close = lambda: None
sys.exit(server.serve())
"""


@pytest.fixture
def make_test_client(make_client):
    """A function that makes a client of the child above."""

    def make(what: str = "good", **limits: float):
        return make_client((sys.executable, "-P", "-c", CHILD, what), **limits)

    return make


def test_default_limits_notice_a_dead_child_in_ten_seconds(lsrm):
    """With the default limits a dead or silent child is noticed within ten seconds."""
    limits = lsrm("lsrm_blender.jobs.child_watchdog").TimeLimits()
    assert max(limits.silence, limits.first_message, limits.kill) <= 10.0
    assert limits.silence > 3 * protocol.HEARTBEAT_SECONDS


def test_previews_arrive_while_the_job_runs(make_test_client):
    """A job knows the files of its last preview; one without files is a broken child."""
    client = make_test_client()
    job = client.submit("work", {"what": "preview"})
    pump_until(client, lambda: job.preview is not None)
    files = job.preview.mesh.as_posix(), job.preview.picture.as_posix()
    assert files == ("/live/preview_1.npz", "/live/preview_1.png")
    assert not job.finished
    client.cancel(job)
    assert pumped(client, job) == "CANCELLED"
    nameless = client.submit("work", {"what": "nameless"})
    assert pumped(client, nameless) == "BACKEND_DIED"


def test_jobs_run_in_order_in_one_process(make_test_client):
    """Three jobs run in one child; results come in order, with progress before."""
    client = make_test_client()
    jobs = [client.submit("work", {"what": "count", "number": number}) for number in range(3)]
    pump_until(client, lambda: client.child is not None)
    pid = client.child.pid
    seen = []
    while not jobs[-1].finished:
        client.pump()
        seen += [[job.finished for job in jobs]]
        time.sleep(0.005)
    assert [job.result for job in jobs] == [{"done": number} for number in range(3)]
    assert sorted(seen) == seen
    assert client.child.pid == pid
    assert jobs[0].progress.stage == "second"
    # The log comes through another pipe than the result, and may come later.
    pump_until(client, lambda: client.child.log_tail() == "output of a library")


@pytest.mark.parametrize(
    ("params", "code", "text"),
    [
        ({"what": "fail"}, "EMPTY_MASK", "mask 3"),
        ({"what": "fault"}, "ERROR", "ZeroDivisionError"),
        ({"what": "memory"}, "OUT_OF_MEMORY", "not enough memory"),
        ({"what": "exit", "code": 0}, "BACKEND_DIED", "ended by itself (0)"),
        ({"what": "exit", "code": 3}, "ENVIRONMENT_BROKEN", "not complete"),
        ({"what": "exit", "code": 137}, "BACKEND_DIED", "memory ran out"),
        ({"what": "exit", "code": 139}, "BACKEND_DIED", "crashed (139)"),
        ({"what": "garbage"}, "BACKEND_DIED", "Segment loaded"),
        ({"what": "endless"}, "BACKEND_DIED", "no message"),
        ({"what": "loud", "megabytes": 4, "hang": True}, "BACKEND_DIED", "filled its log"),
        ({"what": "stop"}, "BACKEND_DIED", "no sign of life"),
        ({"what": "endless stage"}, "BACKEND_DIED", "The stage 'first' took longer"),
    ],
)
def test_a_failing_job_ends_with_its_error_and_the_next_one_works(
    make_test_client, params, code, text
):
    """Every failure gives its error in seconds, leaves no process, and the next job succeeds."""
    stage = 1.0 if params["what"] == "endless stage" else 60.0
    client = make_test_client(stage=stage, log_megabytes=2, silence=2.5)
    job = client.submit("work", params)
    pump_until(client, lambda: client.child is not None)
    pid = client.child.pid
    assert pumped(client, job) == code
    assert text in job.error.message
    assert job.error.remedy
    assert client.child is not None or ends_within(pid)
    assert pumped(client, client.submit("work", {"what": "count"})) == "done"


def test_much_output_does_not_stop_a_job(make_test_client):
    """Output beside the protocol goes to a file, so a verbose library blocks nothing."""
    client = make_test_client(log_megabytes=50)
    assert pumped(client, client.submit("work", {"what": "loud", "megabytes": 20})) == "done"
    assert client.child.log_size() > 15e6


@pytest.mark.parametrize(
    ("what", "code", "text"),
    [
        ("mute", "BACKEND_DIED", "no sign of life"),
        ("incomplete", "ENVIRONMENT_BROKEN", "torch_that_is_not_there"),
        ("other version", "ENVIRONMENT_BROKEN", "protocol 99"),
        ("newer", "ENVIRONMENT_BROKEN", "another version"),
    ],
)
def test_a_child_that_cannot_be_used_fails_all_jobs(make_test_client, what, code, text):
    """A backend that does not start, or of another version, fails all jobs at once."""
    client = make_test_client(what, first_message=1.5)
    jobs = [client.submit("work", {"what": "count"}) for _ in range(2)]
    assert [pumped(client, job) for job in jobs] == [code, code]
    assert text in jobs[0].error.message
    assert client.child is None


def test_an_old_log_may_be_held_open(make_test_client, tmp_path, monkeypatch):
    """On Windows a log that is open elsewhere cannot be renamed; the child still starts."""
    (tmp_path / "log.txt").write_text("of another child")

    def refuse(*_):
        raise PermissionError(13, "is being used by another process")

    monkeypatch.setattr(type(tmp_path), "replace", refuse)
    client = make_test_client()
    assert pumped(client, client.submit("work", {"what": "count"})) == "done"
    # The log comes through another pipe than the result, and may come later.
    pump_until(client, lambda: client.child.log_tail() == "output of a library")


def test_no_such_program(make_client):
    """A wrong path in the preferences is an error with a remedy."""
    client = make_client(("/no/such/python", "-m", "backend"))
    assert pumped(client, client.submit("work")) == "ENVIRONMENT_BROKEN"


@pytest.mark.parametrize(
    ("what", "limit"), [("patient", 0.45), ("never", 0.95), ("ignores signals", 3.0)]
)
def test_cancel_requests_then_terminates_then_kills(make_test_client, what, limit):
    """A job that checks stops at once; one that does not is terminated, then killed."""
    client = make_test_client()
    job = client.submit("work", {"what": what})
    pump_until(client, lambda: job.progress.stage == "first")
    start, pid = time.monotonic(), client.child.pid
    time.sleep(0.1)
    client.cancel(job)
    assert pumped(client, job) == "CANCELLED"
    assert time.monotonic() - start < limit + 0.5
    assert is_running(pid) == (what == "patient")
    assert pumped(client, client.submit("work", {"what": "count"})) == "done"


def test_cancel_now_and_cancel_while_waiting(make_test_client):
    """Cancel now kills the process; a waiting job is removed from the queue."""
    client = make_test_client()
    first, second = (client.submit("work", {"what": "never"}) for _ in range(2))
    pump_until(client, lambda: first.progress.stage == "first")
    pid = client.child.pid
    client.cancel(second)
    assert second.error.code == "CANCELLED"
    client.cancel(first, now=True)
    assert first.error.code == "CANCELLED"
    assert ends_within(pid)


def test_closing_leaves_no_process(make_test_client):
    """Closing a client ends its child and the processes that the child has started."""
    client = make_test_client()
    job = client.submit("work", {"what": "grandchild"})
    pump_until(client, lambda: job.progress.stage == "grandchild")
    pids = client.child.pid, int(job.progress.message)
    client.close()
    assert [ends_within(pid) for pid in pids] == [True, True]
    assert job.error.code == "CANCELLED"


@pytest.mark.parametrize("what", ["good", "stubborn"])
def test_an_idle_child_is_ended_without_waiting(make_test_client, what):
    """Freeing memory does not block the window, and a child that does not end is killed."""
    client = make_test_client(what)
    assert pumped(client, client.submit("work", {"what": "count"})) == "done"
    pid, start = client.child.pid, time.monotonic()
    client.stop_idle()
    assert time.monotonic() - start < 0.1
    assert client.has_child
    pump_until(client, lambda: not client.has_child)
    assert ends_within(pid)
    assert pumped(client, client.submit("work", {"what": "count"})) == "done"


def test_a_child_of_another_command_is_replaced(make_test_client):
    """A changed path of the backend holds from the next job on, not for a running one."""
    client = make_test_client()
    job = client.submit("work", {"what": "count"})
    pump_until(client, lambda: job.finished)
    first = client.child.pid
    client.refresh()
    assert client.child.pid == first
    command = client.child.command
    client._make_command = lambda: replace(command, arguments=(*command.arguments, "more"))
    job = client.submit("work", {"what": "count"})
    client.refresh()
    pump_until(client, lambda: job.finished)
    assert client.child.pid == first
    client.refresh()
    assert client.child is None
    job = client.submit("work", {"what": "count"})
    pump_until(client, lambda: job.finished)
    assert client.child.pid != first


def test_a_command_that_cannot_be_made_fails_its_job(make_test_client, lsrm):
    """An error that nobody expects is raised once, and no job waits for ever."""
    client = make_test_client()
    client._make_command = lambda: {}["missing"]
    job = client.submit("work", {"what": "count"})
    with pytest.raises(KeyError, match="missing"):
        client.pump()
    assert job.finished
    assert isinstance(job.error, lsrm("backend.shared.errors").LsrmError)
    client.pump()


def test_a_child_outlives_the_folder_of_its_log(make_test_client):
    """Blender deletes its temporary folder, logs included, when it loads factory settings."""
    client = make_test_client()
    job = client.submit("work", {"what": "count"})
    pump_until(client, lambda: job.finished)
    shutil.rmtree(client.child.command.log.parent)
    job = client.submit("work", {"what": "folder"})
    pump_until(client, lambda: job.finished)
    assert Path(job.result).is_dir()


def test_wait_reports_progress_and_passes_cancels_on(make_test_client, lsrm):
    """Scripts wait for a job: its progress is reported, and a cancelled progress cancels it."""
    client, reports = make_test_client(), []
    progress_module = lsrm("backend.shared.progress")
    progress = progress_module.Progress(lambda *report: reports.append(report))
    assert client.wait(client.submit("work", {"what": "count"}), progress) == {"done": None}
    assert reports
    assert reports[-1][0] == "second"
    progress = progress_module.Progress(lambda *_: progress.cancel())
    with pytest.raises(lsrm("backend.shared.errors").Cancelled):
        client.wait(client.submit("work", {"what": "patient"}), progress)


def test_time_without_pumping_does_not_count_as_silence(make_test_client):
    """After a busy parent or a sleeping computer, the child is not taken for dead."""
    client = make_test_client(silence=2.0)
    job = client.submit("work", {"what": "patient"})
    pump_until(client, lambda: job.progress.stage == "first")
    time.sleep(2.5)
    client.pump()
    assert not job.finished


SECONDS_TO_END = 20.0
"""Of a process, where others have the processor."""


def serving(*command: str, **variables: str) -> subprocess.Popen:
    """A child with open pipes, for tests that speak the protocol themselves."""
    return subprocess.Popen(
        command or (sys.executable, "-P", "-c", CHILD, "good"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_variables(**variables),
    )


def request(child: subprocess.Popen, identity: int, method: str, **params) -> None:
    """Send a request."""
    child.stdin.write(protocol.encode(protocol.Request(identity, method, params)))
    child.stdin.flush()


def answer(child: subprocess.Popen, identity: int | None) -> dict:
    """The answer to a request, as JSON."""
    for line in child.stdout:
        try:
            document = json.loads(line)
        except ValueError:
            continue  # the banner
        if "method" not in document and document["id"] == identity:
            return document
    raise AssertionError("the child ended without an answer")


def begun(child: subprocess.Popen) -> dict:
    """The status of a child once its first job has reported a stage."""
    while True:
        request(child, 90, protocol.STATUS)
        status = answer(child, 90)["result"]
        if status.get("stage"):
            return status
        time.sleep(0.05)


def test_invalid_input_is_answered_and_not_fatal():
    """A server survives invalid input, and answers with the error of the protocol."""
    with serving() as child:
        child.stdin.write(b'not json\n{"jsonrpc":"2.0","id":5,"method":"dance"}\n')
        child.stdin.flush()
        assert answer(child, None)["error"]["code"] == protocol.PARSE_ERROR
        assert answer(child, 5)["error"]["code"] == protocol.UNKNOWN_METHOD
        request(child, 6, protocol.INITIALIZE, protocol=0)
        assert answer(child, 6)["error"]["code"] == protocol.INVALID_PARAMS
        request(child, 7, protocol.SHUTDOWN)
        assert answer(child, 7)["result"] == {}
        assert child.wait(SECONDS_TO_END) == 0


def test_status_and_cancel_are_answered_while_a_job_runs():
    """The thread that reads requests does not wait for the one that works."""
    with serving() as child:
        request(child, 1, "work", what="patient")
        request(child, 2, "work", what="count")
        status = begun(child)
        assert (status["running"], status["stage"], status["waiting"]) == (1, "first", [2])
        start = time.monotonic()
        request(child, 4, protocol.CANCEL, id=1)
        assert answer(child, 4)["result"] == {"cancelled": True}
        assert answer(child, 1)["error"]["data"]["code"] == "CANCELLED"
        assert time.monotonic() - start < 1.0
        assert answer(child, 2)["result"] == {"done": None}
        request(child, 8, protocol.RELEASE)
        assert answer(child, 8)["result"] == {}
        child.stdin.close()
        assert child.wait(SECONDS_TO_END) == 0


@pytest.mark.parametrize("what", ["patient", "never"])
def test_a_child_ends_with_its_parent(what):
    """When the pipe closes, a job has two seconds to stop before the process ends."""
    with serving() as child:
        request(child, 1, "work", what=what)
        begun(child)
        child.stdin.close()
        assert child.wait(SECONDS_TO_END) == (0 if what == "patient" else 1)


def test_a_child_ends_when_its_parent_is_killed(tmp_path):
    """`kill -9` of Blender leaves no orphan."""
    parent = (
        "import subprocess, sys, time; child = subprocess.Popen(sys.argv[1:], "
        "stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True); "
        "print(child.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", parent, sys.executable, "-P", "-c", CHILD, "good"]
    with subprocess.Popen(command, env=child_variables(), stdout=subprocess.PIPE) as process:
        pid = int(process.stdout.readline())
        time.sleep(0.5)
        assert is_running(pid)
        process.kill()
    assert ends_within(pid, 6.0)
