# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: exit codes, JSON on stdout, words on stderr, Ctrl-C."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import types

import pytest

from backend.commands import command_line, demo
from backend.commands.command_line import main
from backend.shared import errors
from backend.shared.progress import Progress
from backend.shared.terminal import PlainProgress, cancel_on_interrupt
from backend.shared.virtual_environments import child_variables


@pytest.fixture
def fake_command(monkeypatch):
    """Put a command of the test's own in the place of `metrics`."""

    def install(run) -> None:
        module = types.ModuleType("backend.commands.metrics")
        module.add_arguments = lambda parser: None
        module.run = run
        monkeypatch.setitem(sys.modules, "backend.commands.metrics", module)

    return install


def raising(error):
    """A command that fails."""

    def run(arguments):
        raise error

    return run


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.BadImage("One picture is broken.", "Replace it."), 1),
        (errors.EnvironmentBroken("No torch.", "Install it."), 3),
        (errors.Cancelled("Stopped.", "Start again."), 130),
        (KeyboardInterrupt(), 130),
        (errors.DeviceUnavailable("No such card.", "Use another."), 3),
        (RuntimeError("a fault of ours"), 1),
    ],
)
def test_failures_have_their_exit_code_and_are_json_on_request(fake_command, capsys, error, code):
    """Whatever happens, a program that asked for JSON gets one document and a telling code."""
    fake_command(raising(error))
    assert main(["metrics", "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert set(document["error"]) == {"code", "message", "remedy"}


def test_a_fault_of_ours_keeps_its_traceback(fake_command, capsys):
    """An unexpected error is told like others, below the traceback that a report needs."""
    fake_command(raising(RuntimeError("a fault of ours")))
    assert main(["metrics"]) == 1
    words = capsys.readouterr().err
    assert words.index("Traceback") < words.index("ERROR: Unexpected RuntimeError")


class OutOfMemoryError(RuntimeError):
    """Named as torch names what a card refuses."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 8 TB."),
    ],
)
def test_refused_memory_is_no_fault_of_ours(fake_command, capsys, error):
    """Whoever refuses memory, the artist reads what would fit, and no traceback."""
    fake_command(raising(error))
    assert main(["metrics", "--json"]) == 1
    told = capsys.readouterr()
    assert json.loads(told.out)["error"]["code"] == "OUT_OF_MEMORY"
    assert "Traceback" not in told.err


def test_torch_refuses_memory_in_the_words_we_know():
    """What torch raises for a tensor larger than any memory is told as OUT_OF_MEMORY."""
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert errors.as_lsrm_error(caught.value).code == "OUT_OF_MEMORY"
    assert torch.OutOfMemoryError.__name__ == OutOfMemoryError.__name__


def test_an_answer_is_printed_as_json(fake_command, capsys):
    """A command's answer is the only thing on stdout."""
    fake_command(lambda arguments: {"psnr": 30.0})
    assert main(["metrics", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"psnr": 30.0}


def test_wrong_usage_is_two(capsys):
    """No command, an unknown one and a wrong option all end with 2 and say why."""
    assert main([]) == 2
    assert main(["nonsense"]) == 2
    assert "no command 'nonsense'" in capsys.readouterr().err
    assert main(["metrics", "--nonsense"]) == 2
    assert main(["--help"]) == 0
    listed = capsys.readouterr().err
    assert all(name in listed for name in command_line.COMMANDS)


@pytest.mark.parametrize("name", ["parity", "bench"])
def test_benchmarks_need_a_clone(repository, tmp_path, name):
    """In the installed extension there are no benchmarks, and the error says so."""
    installed = tmp_path / "installed" / "backend"
    shutil.copytree(repository / "backend", installed, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "backend.commands.command_line", name, "checks"],
        env=child_variables(PYTHONPATH=str(installed.parent)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "needs a clone" in done.stderr


@pytest.mark.parametrize("wrong", [["--refine", "soon"], ["--faces", "0"], ["--material", "gold"]])
def test_reconstruct_refuses_wrong_values(wrong, capsys):
    """A typing mistake is told by argparse before anything is loaded."""
    assert main(["reconstruct", "views", "-o", "out", *wrong]) == 2
    assert wrong[0] in capsys.readouterr().err


def test_first_interrupt_cancels_and_second_ends():
    """Ctrl-C lets the job stop between its blocks; somebody in a hurry presses twice."""
    # A suite started in the background of a shell inherits an ignored interrupt.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    progress = Progress()
    with cancel_on_interrupt(progress):
        signal.raise_signal(signal.SIGINT)
        with pytest.raises(errors.Cancelled):
            progress.check()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_progress_in_a_log_is_two_lines_a_stage(capsys):
    """Where no one is looking there is no bar, only where each stage began and ended."""
    progress = Progress(PlainProgress())
    for fraction in (0, 0.3, 0.6, 1):
        progress.report("hull", fraction)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_demo_is_the_commands_of_the_readme(tmp_path):
    """The demo is nothing but commands that a user could type, in this order."""
    names = [step.name for step in demo.steps(tmp_path, None)]
    assert names == ["asset", "capture", "reconstruct", "import", "relight", "evaluate"]
    assert [step.name for step in demo.steps(tmp_path, tmp_path / "my.glb")] == names[1:]


def test_demo_stops_with_the_code_of_the_step_that_failed(tmp_path, monkeypatch, capfd):
    """A failing step has told its error; the demo hands on its code and claims no result."""
    failing = demo.Step("train", [sys.executable, "-P", "-m", "backend", "train"])
    monkeypatch.setattr(demo, "steps", lambda folder, asset: [failing, failing])
    assert main(["demo", "--out", str(tmp_path)]) == 2
    words = capfd.readouterr().err
    assert "1/2 train: python3 -m backend train" in words
    assert "2/2" not in words
    assert not (tmp_path / "report.json").exists()
