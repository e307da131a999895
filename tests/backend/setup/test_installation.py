# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual environments: their pins, the installation of a small test package, and all errors."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from backend import __main__ as front
from backend.commands.command_line import COMMANDS
from backend.setup import bootstrap, installation
from backend.shared import virtual_environments
from backend.shared.errors import EnvironmentBroken
from backend.shared.exit_codes import DONE, ENVIRONMENT, USAGE

FAKE = "lsrm-fake==1.0"


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> Path:
    """A folder with one wheel, so that pip has something to install without a network."""
    folder = tmp_path_factory.mktemp("wheels")
    info = "lsrm_fake-1.0.dist-info"
    with zipfile.ZipFile(folder / "lsrm_fake-1.0-py3-none-any.whl", "w") as wheel:
        wheel.writestr("lsrm_fake.py", "ANSWER = 42\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: lsrm-fake\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
    return folder


@pytest.fixture
def offline(monkeypatch, wheels) -> None:
    """Make pip find the wheels of this test and nothing else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> virtual_environments.VirtualEnvironment:
    """An environment with the test package only; the tests of this module share it, in order."""
    folder = tmp_path_factory.mktemp("environments")
    return virtual_environments.VirtualEnvironment(
        "backend", folder / "backend", (FAKE,), "LSRM_SMALL"
    )


def test_pins_are_exact():
    """Every package of both environments is pinned to one version."""
    pins = (
        virtual_environments.backend_environment(tests=True).requirements
        + virtual_environments.blender_environment().requirements
    )
    assert all(virtual_environments.PIN.match(pin) for pin in pins)
    assert any(pin.startswith("pytest==") for pin in pins)
    assert not any(
        "pytest" in pin for pin in virtual_environments.backend_environment().requirements
    )


@pytest.mark.parametrize(
    ("version", "supported"), [((3, 11, 9), True), ((3, 13, 0), True), ((3, 12, 1), False)]
)
def test_unsupported_python_versions(version, supported):
    """Only Pythons with a bpy wheel are accepted; the error names them and the one found."""
    if supported:
        installation.check_python(version)
        return
    with pytest.raises(EnvironmentBroken, match=r"3\.11 and 3\.13, and this is Python 3\.12\.1"):
        installation.check_python(version)


def test_exactly_one_blender_is_pinned_for_this_python():
    """The markers of the bpy pins leave one of them, whichever supported Python runs."""
    assert (
        sum(
            virtual_environments.marker_applies(pin)
            for pin in virtual_environments.blender_environment().requirements
        )
        == 1
    )


def test_triton_is_pinned_for_linux_and_windows():
    """Triton has one package for Linux and one for Windows, and none for macOS."""
    pins = [
        pin
        for pin in virtual_environments.backend_environment().requirements
        if pin.startswith("triton")
    ]
    assert len(pins) == 2
    assert sum(virtual_environments.marker_applies(pin) for pin in pins) == (
        platform.system() in ("Linux", "Windows")
    )


def test_markers_select_the_system():
    """Of three pins for three systems, one applies."""
    pins = [f"triton==1.0; platform_system == '{name}'" for name in ("Linux", "Windows", "Darwin")]
    assert sum(virtual_environments.marker_applies(pin) for pin in pins) == 1


def test_installed_packages_are_recognized(monkeypatch):
    """All pins must be installed in their version; a local version such as +cpu counts."""
    installed = f"pytest=={metadata.version('pytest')}"
    assert virtual_environments.are_installed([installed])
    assert not virtual_environments.are_installed([installed, "pytest==0.1"])
    assert not virtual_environments.are_installed([installed, FAKE])
    monkeypatch.setattr(metadata, "version", lambda _: "2.13.0+cpu")
    assert virtual_environments.are_installed(["torch==2.13.0"])


def test_a_named_interpreter_must_exist(monkeypatch):
    """LSRM_BACKEND and LSRM_BLENDER choose a program; a wrong path is an error, not a fallback."""
    monkeypatch.setenv("LSRM_BACKEND", sys.executable)
    assert virtual_environments.find_interpreter(
        virtual_environments.backend_environment()
    ) == Path(sys.executable)
    monkeypatch.setenv("LSRM_BACKEND", "/nowhere/python")
    with pytest.raises(EnvironmentBroken, match="/nowhere/python"):
        virtual_environments.find_interpreter(virtual_environments.backend_environment())


def test_environment_variables_of_children(monkeypatch):
    """PIP_* is passed on; the module paths of the parent are not."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://mirror/simple")
    monkeypatch.setenv("PYTHONHOME", "/nowhere")
    monkeypatch.setenv("PYTHONPATH", "/foreign")
    variables = virtual_environments.child_variables()
    assert variables["PIP_INDEX_URL"] == "http://mirror/simple"
    assert variables["PYTHONPATH"] == str(virtual_environments.ROOT)
    assert "PYTHONHOME" not in variables


def test_blender_option_is_extracted(monkeypatch):
    """`--blender PATH` may stand anywhere; without a path it is wrong usage."""
    monkeypatch.setenv("LSRM_BLENDER", "")
    assert bootstrap.extract_blender_option(["capture", "--blender", "/opt/blender", "a.glb"]) == [
        "capture",
        "a.glb",
    ]
    assert Path(os.environ["LSRM_BLENDER"]) == Path("/opt/blender").absolute()
    with pytest.raises(SystemExit) as caught:
        bootstrap.extract_blender_option(["capture", "--blender"])
    assert caught.value.code == USAGE


@pytest.mark.usefixtures("offline")
def test_two_processes_install_once(small):
    """Started twice at the same time, one installs and the other waits; then both can use it."""
    code = """if True:
        import sys
        from pathlib import Path
        from backend.setup.bootstrap import find_or_install
        from backend.shared.virtual_environments import VirtualEnvironment
        small = VirtualEnvironment("backend", Path(sys.argv[1]), (sys.argv[2],), "LSRM_SMALL")
        print(*find_or_install(small))
    """
    command = [sys.executable, "-P", "-c", code, str(small.folder), FAKE]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    both = [
        subprocess.Popen(command, env=virtual_environments.child_variables(), **pipes)
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("Successfully installed" in err for _, err in outputs) == 1
    assert {out.strip() for out, _ in outputs} == {str(small.python)}
    answer = subprocess.run(
        [small.python, "-c", "import lsrm_fake; print(lsrm_fake.ANSWER)"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert answer.stdout.strip() == "42"


def test_ready_environment_is_not_installed_again(small, monkeypatch):
    """Once installed, no process is started."""
    monkeypatch.setattr(subprocess, "Popen", None)
    before = small.installation_record.stat().st_mtime_ns
    assert bootstrap.find_or_install(small) == [small.python]
    assert small.installation_record.stat().st_mtime_ns == before


@pytest.mark.usefixtures("offline")
def test_interrupted_installation_is_continued(small):
    """A package that pip has not finished is installed again, although it looks complete."""
    small.installation_record.unlink()
    site = next(small.folder.glob("[lL]ib/**/lsrm_fake-1.0.dist-info")).parent
    (site / "lsrm_fake.py").unlink()
    (site / "lsrm_fake-1.0.dist-info" / "INSTALLER").unlink()
    assert not small.ready
    bootstrap.find_or_install(small)
    assert small.ready
    assert (site / "lsrm_fake.py").exists()


def test_missing_network(small, monkeypatch):
    """An index that cannot be reached gives an error with pip's message and a remedy."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    incomplete = virtual_environments.VirtualEnvironment(
        "backend", small.folder, (FAKE, "lsrm-absent==1.0"), "X"
    )
    with pytest.raises(EnvironmentBroken, match=r"lsrm-absent==1\.0") as caught:
        bootstrap.find_or_install(incomplete)
    assert "No package index could be reached" in caught.value.remedy
    assert not incomplete.ready


def test_too_little_disk_space(tmp_path, monkeypatch):
    """Found before the download; the error names the needed and the free space."""
    monkeypatch.setattr(installation.shutil, "disk_usage", lambda _: SimpleNamespace(free=5e8))
    with pytest.raises(EnvironmentBroken, match=r"needs 2\.9 GB .* has 0\.5"):
        installation.install(
            virtual_environments.backend_environment(tmp_path),
            virtual_environments.blender_environment(tmp_path),
        )


def test_missing_venv(tmp_path, monkeypatch):
    """Debian's Python comes without venv: the error names the package to install."""
    monkeypatch.setattr(installation.util, "find_spec", lambda _: None)
    with pytest.raises(EnvironmentBroken) as caught:
        installation.install(virtual_environments.backend_environment(tmp_path))
    assert f"apt install python{virtual_environments.PYTHON_VERSION}-venv" in caught.value.remedy


def test_missing_system_libraries(tmp_path, monkeypatch):
    """Found before the download; the remedy is the command that installs them."""
    monkeypatch.setattr(installation, "missing_libraries", lambda: ["libXi.so.6", "libGL.so.1"])
    monkeypatch.setattr("shutil.which", lambda name: name if name == "apt-get" else None)
    with pytest.raises(EnvironmentBroken, match=r"libXi\.so\.6, libGL\.so\.1") as caught:
        installation.install(virtual_environments.blender_environment(tmp_path))
    assert caught.value.remedy.endswith("apt-get install -y --no-install-recommends libxi6 libgl1")


def run_without_packages(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`python3 -m backend ARGUMENTS` in a Python without site-packages, as on a fresh machine."""
    command = [sys.executable, "-S", "-m", "backend", *arguments]
    variables = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    return subprocess.run(
        command, cwd=repository, env=variables, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help_needs_no_installation(repository, command):
    """The help of every command is printed by the standard library alone."""
    result = run_without_packages(repository, *command, "--help")
    assert result.returncode == DONE, result.stderr
    assert "usage: python3 -m backend" in result.stdout + result.stderr
    assert "First use" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["learn"],
        ["demo", "--blender"],
        *([name, "--wrong"] for name in COMMANDS if name != "test"),
    ],
)
def test_wrong_usage_needs_no_installation(repository, arguments):
    """Wrong usage ends with its exit code before anything is installed."""
    result = run_without_packages(repository, *arguments)
    assert result.returncode == USAGE, result.stderr
    assert "First use" not in result.stderr


def test_doctor_needs_no_installation(repository):
    """The doctor examines a computer on which nothing is installed."""
    result = run_without_packages(repository, "doctor", "--json")
    assert result.returncode in (DONE, ENVIRONMENT), result.stderr


def test_unsupported_python(monkeypatch, capsys):
    """Every command ends with the exit code of the environment, and both versions are named."""
    check = installation.check_python
    monkeypatch.setattr(front, "check_python", lambda: check((3, 12, 1)))
    assert front.main(["demo"]) == ENVIRONMENT
    assert "Python 3.11 and 3.13" in capsys.readouterr().err
