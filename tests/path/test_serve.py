# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A child and its parent: every way in which one of them may fail, and what becomes of the job."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from backend import protocol
from backend.environment import ROOT, THIS_PYTHON, backend_environment, child_variables

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

PACKAGE = "lsrm_of_test_serve"

# A child like ours, whose one method does what it is told.
CHILD = """
import logging, os, signal, subprocess, sys, time
from backend.errors import EmptyMask
from backend.rpc_server import LogToParent, Pipe, Server
what = sys.argv[1]
print("Blender 4.3.2 (a banner)", flush=True)
if what == "mute":
    time.sleep(60)
if what == "incomplete":
    import torch_that_is_not_there
pipe = Pipe.take_standard_streams()
print("words of a library")

def work(params, progress):
    what = params["what"]
    progress.report("first", 0.5, "half")
    if what == "count":
        for step in range(20):
            time.sleep(0.02)
            progress.report("second", step / 20)
        return {"done": params.get("number")}
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
    if what == "deaf":
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
    import backend.protocol
    backend.protocol.PROTOCOL_VERSION = 99
sys.exit(server.serve())
"""


@pytest.fixture(scope="module")
def client_module():
    """The client, out of the package as Blender loads it, but without Blender."""
    spec = importlib.util.spec_from_file_location(
        PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[PACKAGE] = package
    spec.loader.exec_module(package)
    return importlib.import_module(f"{PACKAGE}.lsrm_blender.backend_client")


@pytest.fixture
def make_client(client_module, tmp_path):
    """A function that makes a client of a child; all are closed in the end."""
    clients = []

    def make(command: tuple[str, ...], **patience: float):
        module = sys.modules[f"{PACKAGE}.lsrm_blender.child_process"]
        launch = module.Launch("The child", command, tmp_path / "log.txt", child_variables())
        limits = {"first_word": 8.0, "silence": 3.0, "terminate": 0.5, "kill": 1.0, **patience}
        clients.append(client_module.Client(lambda: launch, client_module.Patience(**limits)))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def make_test_client(make_client):
    """A function that makes a client of the child above."""

    def make(what: str = "good", **patience: float):
        return make_client((sys.executable, "-P", "-c", CHILD, what), **patience)

    return make


def pumped(client, job, seconds: float = 10.0) -> str:
    """Pump until a job is finished: its error's code, or "done"."""
    end = time.monotonic() + seconds
    while not job.finished:
        assert time.monotonic() < end, "the job did not end"
        client.pump()
        time.sleep(0.005)
    return job.error.code if job.error else "done"


def pump_until(client, condition, seconds: float = 10.0) -> None:
    """Pump until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not come to that"
        client.pump()
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def gone(pid: int, seconds: float = 4.0) -> bool:
    """Whether a process ends within some seconds."""
    end = time.monotonic() + seconds
    while alive(pid) and time.monotonic() < end:
        time.sleep(0.05)
    return not alive(pid)


def test_patience_keeps_the_promise(client_module):
    """A dead or silent child is noticed within ten seconds by the limits that users get."""
    patience = client_module.Patience()
    assert max(patience.silence, patience.first_word, patience.kill) <= 10.0
    assert patience.silence > 3 * protocol.HEARTBEAT_SECONDS


def test_jobs_are_done_in_order_by_one_process(make_test_client):
    """Three jobs, one child, answers in order, with progress on the way."""
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
    assert client.description["version"] == "test"
    assert jobs[0].progress.stage == "second"
    assert client.child.log_tail() == "words of a library"


@pytest.mark.parametrize(
    ("params", "code", "words"),
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
    make_test_client, params, code, words
):
    """Whatever happens to the child: a typed error in seconds, no process left, and on it goes."""
    stages = {"first": 1.0} if params["what"] == "endless stage" else {}
    client = make_test_client(stages=stages, log_megabytes=2, silence=2.5)
    job = client.submit("work", params)
    pump_until(client, lambda: client.child is not None)
    pid = client.child.pid
    assert pumped(client, job) == code
    assert words in job.error.message
    assert job.error.remedy
    assert client.child is not None or gone(pid)
    assert pumped(client, client.submit("work", {"what": "count"})) == "done"


def test_a_flood_of_words_does_not_stop_a_job(make_test_client):
    """What nobody reads goes to a file, so a talkative library blocks nothing."""
    client = make_test_client(log_megabytes=50)
    assert pumped(client, client.submit("work", {"what": "loud", "megabytes": 20})) == "done"
    assert client.child.log_size() > 15e6


@pytest.mark.parametrize(
    ("what", "code", "words"),
    [
        ("mute", "BACKEND_DIED", "no sign of life"),
        ("incomplete", "ENVIRONMENT_BROKEN", "torch_that_is_not_there"),
        ("other version", "ENVIRONMENT_BROKEN", "protocol 99"),
        ("newer", "ENVIRONMENT_BROKEN", "another version"),
    ],
)
def test_a_child_that_cannot_be_used_fails_all_jobs(make_test_client, what, code, words):
    """A backend that does not start or is of another version is told, not tried for ever."""
    client = make_test_client(what, first_word=1.5)
    jobs = [client.submit("work", {"what": "count"}) for _ in range(2)]
    assert [pumped(client, job) for job in jobs] == [code, code]
    assert words in jobs[0].error.message
    assert client.child is None


def test_no_such_program(make_client):
    """A wrong path in the preferences is an error with a remedy."""
    client = make_client(("/no/such/python", "-m", "backend"))
    assert pumped(client, client.submit("work")) == "ENVIRONMENT_BROKEN"


@pytest.mark.parametrize(("what", "limit"), [("patient", 0.45), ("never", 0.95), ("deaf", 3.0)])
def test_cancel_asks_then_terminates_then_kills(make_test_client, what, limit):
    """A job that listens stops at once; one that does not is ended, and one that resists killed."""
    client = make_test_client()
    job = client.submit("work", {"what": what})
    pump_until(client, lambda: job.progress.stage == "first")
    start, pid = time.monotonic(), client.child.pid
    time.sleep(0.1)
    client.cancel(job)
    assert pumped(client, job) == "CANCELLED"
    assert time.monotonic() - start < limit + 0.5
    assert alive(pid) == (what == "patient")
    assert pumped(client, client.submit("work", {"what": "count"})) == "done"


def test_cancel_now_and_cancel_while_waiting(make_test_client):
    """Stop now kills the process; a job that has not begun is simply taken from the queue."""
    client = make_test_client()
    first, second = (client.submit("work", {"what": "never"}) for _ in range(2))
    pump_until(client, lambda: first.progress.stage == "first")
    pid = client.child.pid
    client.cancel(second)
    assert second.error.code == "CANCELLED"
    client.cancel(first, now=True)
    assert first.error.code == "CANCELLED"
    assert gone(pid)


def test_closing_leaves_no_process(make_test_client):
    """The child goes with its client, and so does what the child had started."""
    client = make_test_client()
    job = client.submit("work", {"what": "grandchild"})
    pump_until(client, lambda: job.progress.stage == "grandchild")
    pids = client.child.pid, int(job.progress.message)
    client.close()
    assert [gone(pid) for pid in pids] == [True, True]
    assert job.error.code == "CANCELLED"


def test_wait_is_for_scripts(make_test_client, client_module):
    """Without a window the same client is pumped by a loop, which hands on progress and cancel."""
    client, told = make_test_client(), []
    progress_module = importlib.import_module(f"{PACKAGE}.backend.progress")
    progress = progress_module.Progress(lambda *report: told.append(report))
    assert client.wait(client.submit("work", {"what": "count"}), progress) == {"done": None}
    assert told
    assert told[-1][0] == "second"
    progress = progress_module.Progress(lambda *_: progress.cancel())
    with pytest.raises(sys.modules[f"{PACKAGE}.backend.errors"].Cancelled):
        client.wait(client.submit("work", {"what": "patient"}), progress)


def test_time_in_which_nobody_listened_is_not_the_childs(make_test_client):
    """A parent that was busy, or a computer that slept, does not take its child for dead."""
    client = make_test_client(silence=2.0)
    job = client.submit("work", {"what": "patient"})
    pump_until(client, lambda: job.progress.stage == "first")
    time.sleep(2.5)
    client.pump()
    assert not job.finished


def serving(*command: str, **variables: str) -> subprocess.Popen:
    """A child with open pipes, for tests that are its parent themselves."""
    return subprocess.Popen(
        command or (sys.executable, "-P", "-c", CHILD, "good"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=child_variables(**variables),
    )


def ask(child: subprocess.Popen, identity: int, method: str, **params) -> None:
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


def test_garbage_is_answered_and_not_fatal():
    """A server survives whatever is sent to it, and says what it did not understand."""
    with serving() as child:
        child.stdin.write(b'not json\n{"jsonrpc":"2.0","id":5,"method":"dance"}\n')
        child.stdin.flush()
        assert answer(child, None)["error"]["code"] == protocol.PARSE_ERROR
        assert answer(child, 5)["error"]["code"] == protocol.UNKNOWN_METHOD
        ask(child, 6, protocol.INITIALIZE, protocol=0)
        assert answer(child, 6)["error"]["code"] == protocol.INVALID_PARAMS
        ask(child, 7, protocol.SHUTDOWN)
        assert answer(child, 7)["result"] == {}
        assert child.wait(5) == 0


def test_status_and_cancel_are_answered_while_a_job_runs():
    """The thread that listens does not wait for the one that works."""
    with serving() as child:
        ask(child, 1, "work", what="patient")
        ask(child, 2, "work", what="count")
        time.sleep(0.3)
        ask(child, 3, protocol.STATUS)
        status = answer(child, 3)["result"]
        assert (status["running"], status["stage"], status["waiting"]) == (1, "first", [2])
        start = time.monotonic()
        ask(child, 4, protocol.CANCEL, id=1)
        assert answer(child, 4)["result"] == {"cancelled": True}
        assert answer(child, 1)["error"]["data"]["code"] == "CANCELLED"
        assert time.monotonic() - start < 1.0
        assert answer(child, 2)["result"] == {"done": None}
        ask(child, 8, protocol.RELEASE)
        assert answer(child, 8)["result"] == {}
        child.stdin.close()
        assert child.wait(5) == 0


@pytest.mark.parametrize("what", ["patient", "never"])
def test_a_child_ends_with_its_parent(what):
    """When the pipe closes, a job has two seconds to stop; then the process is gone anyhow."""
    with serving() as child:
        ask(child, 1, "work", what=what)
        time.sleep(0.5)
        child.stdin.close()
        assert child.wait(5) == (0 if what == "patient" else 1)


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
        assert alive(pid)
        process.kill()
    assert gone(pid, 6.0)


# The real backend.


@pytest.fixture
def backend(make_client):
    """A client of the real backend, on one thread."""
    command = (sys.executable, "-P", "-m", "backend.command_line", "serve")
    return make_client(command, first_word=30.0, silence=20.0, terminate=5.0, kill=10.0)


@pytest.fixture
def views(make_capture, tmp_path) -> Path:
    """A tiny capture."""
    return make_capture(tmp_path / "views", views=6, size=48)


def small(views: Path, output: Path) -> dict:
    """The parameters of a quick reconstruction."""
    sizes = {"texture_size": 64, "faces": 400}
    return {"views": str(views), "output": str(output), "refine": "off", **sizes}


def files_of(folder: Path) -> dict[str, bytes]:
    """All files below a folder, with what they hold."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


# The real backend, with a `kill -9` of its own at the beginning of a stage.
DYING = """
import os, signal, sys
from backend import rpc_server, serve
tell = rpc_server.Server._tell

def die(server, job, stage, fraction, text):
    tell(server, job, stage, fraction, text)
    if stage == sys.argv[1]:
        os.kill(os.getpid(), signal.SIGKILL)

rpc_server.Server._tell = die
sys.exit(serve.run(None))
"""


def test_killed_in_every_stage_the_previous_result_stays(backend, make_client, views, tmp_path):
    """`kill -9` in each stage: a typed error, the previous result untouched, the next job works."""
    output = tmp_path / "result"
    first = backend.submit("reconstruct", small(views, output))
    assert pumped(backend, first, 60) == "done"
    stages = [stage["name"] for stage in first.result["report"]["stages"] if not stage["note"]]
    assert {"views", "mesh", "texture", "write"} <= set(stages)
    before = files_of(output)
    deaths = []
    for stage in stages:  # side by side, because each has to start anew
        dying = make_client((sys.executable, "-P", "-c", DYING, stage), first_word=30.0)
        deaths.append((stage, dying, dying.submit("reconstruct", small(views, output))))
        dying.pump()
    for stage, dying, job in deaths:
        assert pumped(dying, job, 60) == "BACKEND_DIED"
        assert job.progress.stage == stage
    assert files_of(output) == before
    assert pumped(backend, backend.submit("reconstruct", small(views, output)), 60) == "done"


def test_bad_views_are_told_with_their_code(backend, views, tmp_path):
    """The backend's own errors cross the pipe; a wrong parameter is told too."""
    (views / "images" / "0002.png").unlink()
    job = backend.submit("check", {"views": str(views)})
    assert pumped(backend, job, 60) == "BAD_IMAGE"
    assert "0002" in job.error.message
    wrong = {**small(views, tmp_path / "result"), "faces": "many", "beauty": 9}
    job = backend.submit("reconstruct", wrong)
    assert pumped(backend, job) == "BAD_REQUEST"
    assert "beauty" in job.error.message
    assert not (tmp_path / "result").exists()


INSTALL = """
import sys
from pathlib import Path
from backend.install_server import serve
sys.exit(serve(Path(sys.argv[1])))
"""


@pytest.fixture
def install(make_client, tmp_path, monkeypatch):
    """A client of the installation, as the button starts it, without a network."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return make_client((sys.executable, "-P", "-c", INSTALL, str(tmp_path / "environment")))


def test_the_button_tells_why_it_could_not_install(install):
    """Without a network the installation is an error that says so, and can be tried again."""
    job = install.submit("install")
    assert pumped(install, job, 120) == "ENVIRONMENT_BROKEN"
    assert "run the same command again" in job.error.remedy


def test_the_button_is_quick_where_all_is_there(install, tmp_path):
    """An environment that is complete is not installed again; the answer names its Python."""
    environment = backend_environment(tmp_path / "environment")
    environment.python.parent.mkdir(parents=True)
    environment.python.symlink_to(sys.executable)
    record = {"python": THIS_PYTHON, "requirements": environment.requirements}
    environment.marker.write_text(json.dumps(record))
    job = install.submit("install")
    assert pumped(install, job, 60) == "done"
    assert job.result == {"python": str(environment.python)}


@pytest.mark.slow
def test_two_hundred_kills(backend, views, tmp_path):
    """Killed at two hundred random moments, nothing is lost but the job at hand."""
    output = tmp_path / "result"
    assert pumped(backend, backend.submit("reconstruct", small(views, output)), 120) == "done"
    dice = random.Random(7)  # noqa: S311 - a test's dice
    survived = 0
    for _ in range(200):
        before = files_of(output)
        job = backend.submit("reconstruct", small(views, output))
        end = time.monotonic() + dice.uniform(0.0, 8.0)
        while time.monotonic() < end and not job.finished:
            backend.pump()
            time.sleep(0.002)
        if backend.child is not None:
            os.kill(backend.child.pid, signal.SIGKILL)
        state = pumped(backend, job, 20)
        survived += state == "done"
        assert state in ("BACKEND_DIED", "ENVIRONMENT_BROKEN", "done")
        assert set(files_of(output)) == set(before)
        assert state == "done" or files_of(output) == before
    assert pumped(backend, backend.submit("reconstruct", small(views, output)), 120) == "done"
