# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the backend does on Windows and macOS, pretended here."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace

import pytest

from backend.result import report
from backend.setup import bootstrap, device, installation, system_libraries
from backend.shared import temporary_folder
from backend.shared.errors import DeviceUnavailable
from backend.shared.machine import torch_builds
from backend.shared.virtual_environments import backend_environment, child_variables
from backend.workers import worker_process

BINARY = """
import os, sys, types
modes = []
sys.modules["msvcrt"] = types.SimpleNamespace(setmode=lambda end, mode: modes.append(mode))
os.O_BINARY = 32768
sys.platform = "win32"
from backend.shared.rpc.server import Pipe
pipe = Pipe.take_standard_streams()
os.write(pipe._sending, f"{modes}\\n".encode())
print("to the log")
"""


def test_interpreters(monkeypatch, tmp_path):
    """Windows has another folder, and another name, for the Python of an environment."""
    environment = backend_environment(tmp_path)
    monkeypatch.setattr("backend.shared.virtual_environments.os.name", "nt")
    assert environment.python.parts[-2:] == ("Scripts", "python.exe")
    monkeypatch.setattr("backend.shared.virtual_environments.os.name", "posix")
    assert environment.python.parts[-2:] == ("bin", "python")


@pytest.mark.parametrize("refuse", [False, True])
def test_the_lock_of_an_installation_on_windows(monkeypatch, tmp_path, refuse):
    """One byte of the file is locked; another process that has it is waited for."""
    locked = []

    def locking(_number, mode, count):
        if refuse:
            raise OSError(36, "Resource deadlock avoided")
        locked.append((mode, count))

    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(LK_NBLCK=2, locking=locking))
    monkeypatch.setattr(installation.sys, "platform", "win32")
    with (tmp_path / "backend.lock").open("w") as file:
        assert installation._try_lock(file) is not refuse
    assert locked == ([] if refuse else [(2, 1)])


def test_folders_without_locks(monkeypatch, tmp_path):
    """Windows cannot lock a folder: temporary ones still go, abandoned ones stay."""
    (tmp_path / "work-abandoned").mkdir()
    monkeypatch.setattr(temporary_folder.sys, "platform", "win32")
    with temporary_folder.temporary_folder(tmp_path, "work-") as folder:
        temporary_folder.remove_abandoned(tmp_path, "work-")
        assert folder.is_dir()
    assert [each.name for each in tmp_path.iterdir()] == ["work-abandoned"]


def test_a_process_is_not_replaced_on_windows(monkeypatch):
    """The program runs as a child, whose exit code is passed on."""
    monkeypatch.setattr(bootstrap.os, "name", "nt")
    monkeypatch.setattr(bootstrap.subprocess, "call", lambda command, env: len(command) + len(env))
    with pytest.raises(SystemExit) as ended:
        bootstrap.replace_process(["python", "-m", "backend"], {"A": "1"})
    assert ended.value.code == 4


def test_streams_are_binary_on_windows():
    """Both ends of the pipe, which else would get a carriage return in every line."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", BINARY], env=child_variables(), stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert done.stdout == "[32768, 32768]\n"
    assert "to the log" in done.stderr


def test_workers_have_no_console_on_windows(monkeypatch):
    """No window opens for any of them."""
    started = []
    monkeypatch.setattr(worker_process.sys, "platform", "win32")
    monkeypatch.setattr(subprocess, "CREATE_NO_WINDOW", 0x08000000, raising=False)
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **options: started.append(options))
    worker_process._start(("python",), {}, 2)
    assert started[0]["creationflags"] == 0x08000000


def test_windows_connects_no_cards(monkeypatch):
    """There is no NCCL: the error says so before anything is loaded."""
    monkeypatch.setattr(device.torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(device.torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(device.sys, "platform", "win32")
    with pytest.raises(DeviceUnavailable, match="Windows cannot connect"):
        device.choose_devices("cuda:0,1")


def test_the_driver_is_found_without_a_console(monkeypatch, tmp_path):
    """On Windows NVIDIA's tool says it, in a hidden window; on a Mac there is none."""
    options = []

    def answer(_command, **found):
        options.append(found["creationflags"])
        return SimpleNamespace(returncode=0, stdout=b"581.57\r\n")

    monkeypatch.setattr(torch_builds, "DRIVER_FILE", tmp_path / "none")
    monkeypatch.setattr(torch_builds.sys, "platform", "win32")
    monkeypatch.setattr(torch_builds.subprocess, "run", answer)
    assert torch_builds.nvidia_driver() == 581
    assert options == [torch_builds.NO_WINDOW]
    monkeypatch.undo()
    monkeypatch.setattr(torch_builds, "DRIVER_FILE", tmp_path / "none")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert torch_builds.nvidia_driver() == 0


def test_only_linux_lacks_libraries(monkeypatch):
    """Elsewhere Blender brings all that it needs."""
    for platform in ("win32", "darwin"):
        monkeypatch.setattr(system_libraries.sys, "platform", platform)
        assert system_libraries.missing_libraries() == []


def test_memory_is_counted_in_other_units_on_a_mac(monkeypatch):
    """In bytes, not in kibibytes; Windows does not count it."""
    used = SimpleNamespace(RUSAGE_SELF=0, getrusage=lambda _: SimpleNamespace(ru_maxrss=3 << 20))
    monkeypatch.setitem(sys.modules, "resource", used)
    monkeypatch.setattr(report.sys, "platform", "darwin")
    assert report.peak_memory_mb() == 3
    monkeypatch.setattr(report.sys, "platform", "linux")
    assert report.peak_memory_mb() == 3 << 10
    monkeypatch.setitem(sys.modules, "resource", None)
    assert report.peak_memory_mb() is None
