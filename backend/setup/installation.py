# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install virtual environments with pip.

An interrupted installation is continued by running the same command again: pip keeps its downloads
and skips the packages that are complete. Standard library only.
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import subprocess
import sys
import threading
import time
from collections import deque
from dataclasses import dataclass
from importlib import util
from typing import IO, TYPE_CHECKING

from ..shared.errors import EnvironmentBroken
from ..shared.machine.torch_builds import CPU, CUDA_13, Cost, index_options, requirement
from ..shared.terminal import say
from ..shared.virtual_environments import PYTHON_VERSION, child_variables
from .system_libraries import install_command, missing_libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..shared.machine.torch_builds import TorchBuild
    from ..shared.virtual_environments import VirtualEnvironment

    Poll = Callable[[], None]


SUPPORTED_PYTHONS = ((3, 11), (3, 13))  # those that the bpy wheels are published for

BPY = Cost("Blender as a Python module", 0.4, 1.0)

# Optional dependencies that users install when they need them, by their names in pyproject.toml.
EXTRAS = {
    "photos": Cost("photos, for photographs without cameras or masks", 0.1, 0.3),
    "onnx": Cost("onnx, for a mask model of your own", 0.1, 0.1),
    "train": Cost("train, for TensorBoard's view of a training", 0.1, 0.1),
}

NETWORK_FAILURE = re.compile(
    r"connection|timed? ?out|name resolution|proxy|SSL|unreachable|from versions: none",
    re.IGNORECASE,
)
POLL_SECONDS = 0.2


def _do_nothing() -> None:
    """The default of `poll`."""


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> None:
    """Raise for a Python version without a bpy wheel.

    Raises:
        EnvironmentBroken: with the supported versions and this one.
    """
    if version[:2] not in SUPPORTED_PYTHONS:
        found = ".".join(str(part) for part in version)
        raise EnvironmentBroken(
            f"LSRM runs on Python 3.11 and 3.13, and this is Python {found}.",
            "Call it with one of those, for example: python3.13 -m backend demo",
        )


def install(
    *environments: VirtualEnvironment, poll: Poll = _do_nothing, build: TorchBuild | None = None
) -> None:
    """Install environments completely, whatever state they are in.

    Args:
        environments: to install.
        poll: called several times a second; an exception of it stops the installation.
        build: of PyTorch; None leaves the choice to pip and its settings.

    Raises:
        EnvironmentBroken: with what is missing: a supported Python, a system library, disk space,
            the network, or with the error of pip. What can be checked is checked before the
            first download.
    """
    check_python()
    _check_system(environments, build)
    _announce(environments, build)
    for environment in environments:
        try:
            environment.folder.mkdir(parents=True, exist_ok=True)
            with _exclusive_lock(environment.folder.with_suffix(".lock")) as lock:
                if not environment.ready:  # another process may have finished it meanwhile
                    _install(environment, lock, poll, build)
        except OSError as error:
            raise EnvironmentBroken(
                f"The {environment.name} environment cannot be written: {error}.",
                f"Make room and give yourself write access in {environment.folder.parent}",
            ) from error


def _install(
    environment: VirtualEnvironment, lock: IO[str], poll: Poll, build: TorchBuild | None
) -> None:
    environment.installation_record.unlink(missing_ok=True)
    _remove_unfinished_packages(environment.folder)
    run = _Runner(environment.folder / "tmp", lock, poll)
    run([sys.executable, "-m", "venv", *_clear_option(environment), str(environment.folder)])
    pip = [str(environment.python), "-m", "pip", "install", "--disable-pip-version-check"]
    run([*pip, *_packages(environment, build)])
    if environment.name == "blender":
        _check_blender(environment)
    record = {
        "python": PYTHON_VERSION,
        "requirements": environment.requirements,
        "build": build.name if build else "",
    }
    environment.installation_record.write_text(json.dumps(record, indent=2), "utf-8")
    say(f"The {environment.name} environment is ready.\n")


def _packages(environment: VirtualEnvironment, build: TorchBuild | None) -> list[str]:
    """What pip installs, with the options that it needs to find it."""
    if build is None:
        return list(environment.requirements)
    pins = [requirement(pin, build) for pin in environment.requirements]
    return pins if pins == list(environment.requirements) else [*index_options(build), *pins]


def possible_costs(environment: VirtualEnvironment, build: TorchBuild | None = None) -> list[Cost]:
    """The possible sizes of an environment, largest first: on Linux pip decides for a build."""
    if environment.name == "blender":
        return [BPY]
    if build is not None:
        return [build.cost]
    return [CUDA_13.cost, CPU.cost] if sys.platform.startswith("linux") else [CPU.cost]


def _announce(environments: Sequence[VirtualEnvironment], build: TorchBuild | None) -> None:
    say(f"First use: installing into {environments[0].folder.parent}")
    fresh = [each for each in environments if not each.python.exists()]
    for environment in fresh:
        largest, *smaller = possible_costs(environment, build)
        say(f"  {environment.name:<8} {largest}")
        for cost in smaller:
            say(f"       or  {cost}, if pip finds that build")
    if fresh and build is None and CUDA_13.cost in possible_costs(fresh[0]):
        say("  No NVIDIA card? PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu")
    say("  If this is interrupted, run the same command again: it continues.")


def _check_system(environments: Sequence[VirtualEnvironment], build: TorchBuild | None) -> None:
    """Raise if something is missing that would make the download useless."""
    if util.find_spec("venv") is None or util.find_spec("ensurepip") is None:
        raise EnvironmentBroken(
            f"This Python {PYTHON_VERSION} cannot make environments: venv or ensurepip is missing.",
            f"Install them, on Debian and Ubuntu with: apt install python{PYTHON_VERSION}-venv",
        )
    fresh = [each for each in environments if not each.python.exists()]
    needed = sum(min(cost.disk for cost in possible_costs(each, build)) for each in fresh)
    existing = next(folder for folder in environments[0].folder.parents if folder.exists())
    free = shutil.disk_usage(existing).free / 1e9
    if free < needed:
        raise EnvironmentBroken(
            f"The installation needs {needed:.1f} GB on disk, and {existing} has {free:.1f} free.",
            "Free some disk space and run the same command again.",
        )
    blender = any(each.name == "blender" for each in environments)
    if blender and (missing := missing_libraries()):
        raise EnvironmentBroken(
            f"Blender needs system libraries that are missing here: {', '.join(missing)}.",
            f"Install them with: {install_command(missing)}",
        )


def _check_blender(environment: VirtualEnvironment) -> None:
    """Import bpy once: the list of system libraries may not be complete for this system."""
    command = [str(environment.python), "-c", "import bpy"]
    result = subprocess.run(
        command, env=child_variables(), capture_output=True, text=True, check=False
    )
    if result.returncode:
        last = (result.stderr.strip().splitlines() or ["no message"])[-1]
        raise EnvironmentBroken(
            f"Blender was installed but does not start: {last}.",
            "Install the library that is named there and run the same command again.",
        )


@contextlib.contextmanager
def _exclusive_lock(path: Path) -> Iterator[IO[str]]:
    """Lock a file; the system releases the lock when the last process holding it ends."""
    with path.open("w") as lock:
        if not _try_lock(lock):
            say(f"Another process is installing ({path}); waiting for it.")
            while not _try_lock(lock):
                time.sleep(0.5)
        yield lock


def _try_lock(lock: IO[str]) -> bool:
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(lock.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _clear_option(environment: VirtualEnvironment) -> list[str]:
    """`--clear`, if the folder contains an environment of another Python version."""
    try:
        settings = (environment.folder / "pyvenv.cfg").read_text("utf-8")
    except OSError:
        return []
    same = re.search(rf"^version = {re.escape(PYTHON_VERSION)}\.", settings, re.MULTILINE)
    return [] if same and environment.python.exists() else ["--clear"]


def _remove_unfinished_packages(folder: Path) -> None:
    """Remove packages that pip has not finished, so that it installs them again.

    pip writes INSTALLER after all other files of a package.
    """
    for pattern in ("lib/python*/site-packages/*.dist-info", "Lib/site-packages/*.dist-info"):
        for package in folder.glob(pattern):
            if not (package / "INSTALLER").exists():
                shutil.rmtree(package)


@dataclass(frozen=True)
class _Runner:
    """Runs the commands of an installation, with their output on stderr.

    Attributes:
        temporary: folder for downloads; the system's own may be on a small disk.
        lock: inherited by the commands: if this process is killed, a second one waits for pip.
        poll: called while a command runs; an exception of it stops the command.
    """

    temporary: Path
    lock: IO[str]
    poll: Poll

    def __call__(self, command: Sequence[str]) -> None:
        shutil.rmtree(self.temporary, ignore_errors=True)
        last_lines: deque[str] = deque(maxlen=50)
        try:
            self.temporary.mkdir(parents=True)
            with self._start(command) as process:
                self._wait(process, last_lines)
        finally:
            shutil.rmtree(self.temporary, ignore_errors=True)
        if process.returncode:
            raise _installation_error(last_lines)

    def _start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        inherited = () if sys.platform == "win32" else (self.lock.fileno(),)
        temporary = str(self.temporary)
        return subprocess.Popen(
            command,
            env=child_variables(TMPDIR=temporary, TEMP=temporary, TMP=temporary),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            pass_fds=inherited,
        )

    def _wait(self, process: subprocess.Popen[str], last_lines: deque[str]) -> None:
        reader = threading.Thread(target=_forward_lines, args=(process.stderr, last_lines))
        reader.start()
        try:
            while process.poll() is None:
                self.poll()
                time.sleep(POLL_SECONDS)
        except BaseException:
            process.terminate()
            raise
        finally:
            reader.join()


def _forward_lines(lines: IO[str] | None, last_lines: deque[str]) -> None:
    """Print lines on stderr and keep the last ones."""
    for line in lines or ():
        sys.stderr.write(line)
        last_lines.append(line.strip())


def _installation_error(last_lines: deque[str]) -> EnvironmentBroken:
    """The error with a remedy for the output of a failed pip."""
    errors = [line for line in last_lines if line.startswith("ERROR")]
    errors = errors or list(last_lines) or ["no message"]
    message = f"The installation stopped: {errors[-1].removeprefix('ERROR: ')}"
    again = "run the same command again; what was downloaded is kept."
    if any("No space left" in line for line in last_lines):
        return EnvironmentBroken(message, f"Free some disk space and {again}")
    if any(NETWORK_FAILURE.search(line) for line in last_lines):
        remedy = "No package index could be reached: connect to the network, or set PIP_INDEX_URL"
        return EnvironmentBroken(message, f"{remedy}, and {again}")
    return EnvironmentBroken(message, f"Read the output of pip above, then {again}")
