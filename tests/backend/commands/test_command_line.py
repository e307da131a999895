# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command line: exit codes, JSON on stdout, text on stderr, Ctrl-C."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import types
from unittest.mock import Mock

import pytest

from backend.commands import command_line, demo
from backend.commands.command_line import main
from backend.shared import errors
from backend.shared.progress import Progress
from backend.shared.terminal import PlainProgress, cancel_on_interrupt, say
from backend.shared.virtual_environments import child_variables


@pytest.fixture
def fake_command(monkeypatch):
    """A function that replaces the command `metrics` by one of the test."""

    def install(run) -> None:
        module = types.ModuleType("backend.commands.metrics")
        module.add_arguments = lambda parser: None
        module.run = run
        monkeypatch.setitem(sys.modules, "backend.commands.metrics", module)

    return install


def raising(error):
    """A command that raises an error."""

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
        (RuntimeError("a bug"), 1),
    ],
)
def test_errors_have_an_exit_code_and_a_json_document(fake_command, capsys, error, code):
    """With `--json`, every error is one JSON document on stdout, beside its exit code."""
    fake_command(raising(error))
    assert main(["metrics", "--json"]) == code
    document = json.loads(capsys.readouterr().out)
    assert set(document["error"]) == {"code", "message", "remedy"}


def test_unexpected_errors_print_a_traceback(fake_command, capsys):
    """An unexpected error is printed like others, below its traceback."""
    fake_command(raising(RuntimeError("a bug")))
    assert main(["metrics"]) == 1
    text = capsys.readouterr().err
    assert text.index("Traceback") < text.index("ERROR: Unexpected RuntimeError")


class OutOfMemoryError(RuntimeError):
    """Named like PyTorch's exception for the memory of a GPU."""


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OutOfMemoryError("CUDA out of memory."),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 8 TB."),
    ],
)
def test_out_of_memory(fake_command, capsys, error):
    """Refused memory is an error with a remedy, without a traceback."""
    fake_command(raising(error))
    assert main(["metrics", "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["error"]["code"] == "OUT_OF_MEMORY"
    assert "Traceback" not in printed.err


def test_out_of_memory_of_pytorch():
    """PyTorch's exception for a tensor larger than any memory is recognized."""
    torch = pytest.importorskip("torch")
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert errors.as_lsrm_error(caught.value).code == "OUT_OF_MEMORY"
    assert torch.OutOfMemoryError.__name__ == OutOfMemoryError.__name__


def test_results_are_printed_as_json(fake_command, capsys):
    """A command's result is the only thing on stdout."""
    fake_command(lambda arguments: {"psnr": 30.0})
    assert main(["metrics", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"psnr": 30.0}


def test_wrong_usage(capsys):
    """No command, an unknown one and a wrong option return 2 and print the reason."""
    assert main([]) == 2
    assert main(["nonsense"]) == 2
    assert "no command 'nonsense'" in capsys.readouterr().err
    assert main(["metrics", "--nonsense"]) == 2
    assert main(["--help"]) == 0
    listed = capsys.readouterr().err
    assert all(name in listed for name in command_line.COMMANDS)


@pytest.mark.parametrize("name", ["parity", "bench"])
def test_benchmarks_need_a_clone(repository, tmp_path, name):
    """The installed extension has no benchmarks; the error says so."""
    installed = tmp_path / "installed" / "backend"
    shutil.copytree(repository / "backend", installed, ignore=shutil.ignore_patterns("__pycache__"))
    done = subprocess.run(
        [sys.executable, "-P", "-m", "backend.commands.command_line", name, "checks"],
        env=child_variables(PYTHONPATH=str(installed.parent)),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert "needs a clone" in done.stderr


@pytest.mark.parametrize(
    "wrong",
    [["--refine", "soon"], ["--faces", "0"], ["--faces", "500,900"], ["--material", "gold"]],
)
def test_reconstruct_rejects_wrong_values(wrong, capsys):
    """Argparse rejects wrong values before anything is loaded."""
    assert main(["reconstruct", "views", "-o", "out", *wrong]) == 2
    assert wrong[0] in capsys.readouterr().err


def test_first_interrupt_cancels_and_second_ends():
    """The first Ctrl-C cancels the job at its next report; the second ends the process."""
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


def test_work_goes_on_if_nobody_reads(monkeypatch):
    """A closed terminal, or the end of a pipe, makes no item of a batch fail."""
    closed = types.SimpleNamespace(write=Mock(side_effect=BrokenPipeError), flush=Mock())
    monkeypatch.setattr("sys.stderr", closed)
    say("Hello?")
    closed.write.assert_called_once_with("Hello?\n")


def test_progress_without_terminal_is_two_lines_per_stage(capsys):
    """In a log there is no bar, only a line for the beginning and end of each stage."""
    progress = Progress(PlainProgress())
    for fraction in (0, 0.3, 0.6, 1):
        progress.report("hull", fraction)
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_demo_runs_the_commands_of_the_readme(tmp_path):
    """The demo is a series of commands that a user could type, in this order."""
    names = [step.name for step in demo.steps(tmp_path, None)]
    assert names == ["asset", "capture", "reconstruct", "import", "relight", "evaluate"]
    assert [step.name for step in demo.steps(tmp_path, tmp_path / "my.glb")] == names[1:]


def test_demo_returns_the_code_of_a_failed_step(tmp_path, monkeypatch, capfd):
    """A failing step has printed its error; the demo returns its code and writes no report."""
    failing = demo.Step("train", [sys.executable, "-P", "-m", "backend", "train"])
    monkeypatch.setattr(demo, "steps", lambda folder, asset: [failing, failing])
    assert main(["demo", "--out", str(tmp_path)]) == 2
    text = capfd.readouterr().err
    assert "1/2 train: python3 -m backend train" in text
    assert "2/2" not in text
    assert not (tmp_path / "report.json").exists()
