# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing an environment: announced, resumable, one at a time, and honest when it fails.

Standard library only. An installation that was interrupted, even by a power cut, is continued by
running the same command again: pip keeps its downloads and skips the packages that are complete.
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
from ..shared.terminal import say
from ..shared.virtual_environments import THIS_PYTHON, child_variables
from .system_libraries import install_command, missing_libraries

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ..shared.virtual_environments import VirtualEnvironment

    Watch = Callable[[], None]


@dataclass(frozen=True)
class Cost:
    """What an installation takes, in gigabytes."""

    what: str
    download: float
    disk: float

    def __str__(self) -> str:
        return f"{self.what}: {self.download:.1f} GB to download, {self.disk:.1f} GB on disk"


SUPPORTED = ((3, 11), (3, 13))  # the Pythons that Blender's module is published for

# Measured on x86-64 Linux with the pins of November 2026, except for the disk space of the CUDA
# build (estimated from its wheels). Other systems get the CPU build and are taken to be alike.
CPU = Cost("torch for the CPU", 0.5, 1.9)
CUDA = Cost("torch with CUDA, as PyPI offers it for Linux", 2.9, 6.0)
BPY = Cost("Blender as a Python module", 0.4, 1.0)

NETWORK_FAILURE = re.compile(
    r"connection|timed? ?out|name resolution|proxy|SSL|unreachable|from versions: none",
    re.IGNORECASE,
)
WATCH_SECONDS = 0.2


def _nobody() -> None:
    """Nobody watches."""


def check_python(version: tuple[int, ...] = sys.version_info[:3]) -> None:
    """Refuse a Python for which there is no Blender module.

    Raises:
        EnvironmentBroken: naming the versions that work, and this one.
    """
    if version[:2] not in SUPPORTED:
        found = ".".join(str(part) for part in version)
        raise EnvironmentBroken(
            f"LSRM runs on Python 3.11 and 3.13, and this is Python {found}.",
            "Call it with one of those, for example: python3.13 -m backend demo",
        )


def install(*environments: VirtualEnvironment, watch: Watch = _nobody) -> None:
    """Make environments ready, from whatever state they are in.

    Args:
        environments: which.
        watch: called several times a second; whatever it raises ends the installation.

    Raises:
        EnvironmentBroken: saying what is missing: a supported Python, a library of the system,
            disk space, the network, or whatever else pip stumbled over. All that can be known
            before the first download is told before it.
    """
    check_python()
    _check_system(environments)
    _announce(environments)
    for environment in environments:
        try:
            environment.folder.mkdir(parents=True, exist_ok=True)
            with _only_one(environment.folder.with_suffix(".lock")) as lock:
                if not environment.ready:  # another process may have finished it meanwhile
                    _install(environment, lock, watch)
        except OSError as error:
            raise EnvironmentBroken(
                f"The {environment.name} environment cannot be written: {error}.",
                f"Make room and give yourself write access in {environment.folder.parent}",
            ) from error


def _install(environment: VirtualEnvironment, lock: IO[str], watch: Watch) -> None:
    environment.marker.unlink(missing_ok=True)
    _forget_unfinished_packages(environment.folder)
    run = _Runner(environment.folder / "tmp", lock, watch)
    run([sys.executable, "-m", "venv", *_renewal(environment), str(environment.folder)])
    pip = [str(environment.python), "-m", "pip", "install", "--disable-pip-version-check"]
    run([*pip, *environment.requirements])
    if environment.name == "blender":
        _check_blender(environment)
    record = {"python": THIS_PYTHON, "requirements": environment.requirements}
    environment.marker.write_text(json.dumps(record, indent=2), "utf-8")
    say(f"The {environment.name} environment is ready.\n")


def costs(environment: VirtualEnvironment) -> list[Cost]:
    """What an environment may take; the dearest first, where it depends on what pip finds."""
    if environment.name == "blender":
        return [BPY]
    return [CUDA, CPU] if sys.platform.startswith("linux") else [CPU]


def _announce(environments: Sequence[VirtualEnvironment]) -> None:
    say(f"First use: installing into {environments[0].folder.parent}")
    for environment in environments:
        dearest, *cheaper = costs(environment)
        say(f"  {environment.name:<8} {dearest}")
        for cost in cheaper:
            say(f"       or  {cost}, if pip finds that build")
    if CUDA in costs(environments[0]):
        say("  No NVIDIA card? PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu")
    say("  If this is interrupted, run the same command again: it continues.")


def _check_system(environments: Sequence[VirtualEnvironment]) -> None:
    """Find out before the download what would make it useless."""
    if util.find_spec("venv") is None or util.find_spec("ensurepip") is None:
        raise EnvironmentBroken(
            f"This Python {THIS_PYTHON} cannot make environments: venv or ensurepip is missing.",
            f"Install them, on Debian and Ubuntu with: apt install python{THIS_PYTHON}-venv",
        )
    fresh = [each for each in environments if not each.python.exists()]
    needed = sum(min(cost.disk for cost in costs(each)) for each in fresh)
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
def _only_one(path: Path) -> Iterator[IO[str]]:
    """Hold a lock that the system drops when the last process holding it ends."""
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


def _renewal(environment: VirtualEnvironment) -> list[str]:
    """`--clear`, if the folder holds an environment of another Python."""
    try:
        settings = (environment.folder / "pyvenv.cfg").read_text("utf-8")
    except OSError:
        return []
    same = re.search(rf"^version = {re.escape(THIS_PYTHON)}\.", settings, re.MULTILINE)
    return [] if same and environment.python.exists() else ["--clear"]


def _forget_unfinished_packages(folder: Path) -> None:
    """Have pip unpack again what it was killed over: it writes INSTALLER after all other files."""
    for pattern in ("lib/python*/site-packages/*.dist-info", "Lib/site-packages/*.dist-info"):
        for package in folder.glob(pattern):
            if not (package / "INSTALLER").exists():
                shutil.rmtree(package)


@dataclass(frozen=True)
class _Runner:
    """Runs the steps of an installation, their words on stderr.

    Attributes:
        scratch: for downloads; not the system's place for temporary files, which may be small.
        lock: held by the child too: if we are killed, nobody starts a second pip beside it.
        watch: called while a step runs; whatever it raises ends the step.
    """

    scratch: Path
    lock: IO[str]
    watch: Watch

    def __call__(self, command: Sequence[str]) -> None:
        shutil.rmtree(self.scratch, ignore_errors=True)
        heard: deque[str] = deque(maxlen=50)
        try:
            self.scratch.mkdir(parents=True)
            with self._start(command) as process:
                self._accompany(process, heard)
        finally:
            shutil.rmtree(self.scratch, ignore_errors=True)
        if process.returncode:
            raise _explain(heard)

    def _start(self, command: Sequence[str]) -> subprocess.Popen[str]:
        inherited = () if sys.platform == "win32" else (self.lock.fileno(),)
        place = str(self.scratch)
        return subprocess.Popen(
            command,
            env=child_variables(TMPDIR=place, TEMP=place, TMP=place),
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno(),
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            pass_fds=inherited,
        )

    def _accompany(self, process: subprocess.Popen[str], heard: deque[str]) -> None:
        listener = threading.Thread(target=_repeat, args=(process.stderr, heard))
        listener.start()
        try:
            while process.poll() is None:
                self.watch()
                time.sleep(WATCH_SECONDS)
        except BaseException:
            process.terminate()
            raise
        finally:
            listener.join()


def _repeat(lines: IO[str] | None, heard: deque[str]) -> None:
    for line in lines or ():
        sys.stderr.write(line)
        heard.append(line.strip())


def _explain(heard: deque[str]) -> EnvironmentBroken:
    """Turn what pip said into an error with a remedy."""
    errors = [line for line in heard if line.startswith("ERROR")] or list(heard) or ["no message"]
    message = f"The installation stopped: {errors[-1].removeprefix('ERROR: ')}"
    again = "run the same command again; what was downloaded is kept."
    if any("No space left" in line for line in heard):
        return EnvironmentBroken(message, f"Free some disk space and {again}")
    if any(NETWORK_FAILURE.search(line) for line in heard):
        remedy = "No package index could be reached: connect to the network, or set PIP_INDEX_URL"
        return EnvironmentBroken(message, f"{remedy}, and {again}")
    return EnvironmentBroken(message, f"Look at pip's words above, then {again}")
