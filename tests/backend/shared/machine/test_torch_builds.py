# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The build of PyTorch for a driver and a system, with the system pretended."""

from __future__ import annotations

import subprocess
from types import SimpleNamespace

import pytest

from backend.setup import install_server, installation
from backend.shared.machine import torch_builds
from backend.shared.machine.torch_builds import CPU, CUDA_12, CUDA_13, fitting_build, requirement
from backend.shared.virtual_environments import backend_environment


@pytest.mark.parametrize(
    ("platform", "driver", "expected"),
    [
        ("linux", 0, CPU),
        ("linux", 470, CPU),
        ("linux", 550, CUDA_12),
        ("win32", 580, CUDA_13),
        ("darwin", 0, CPU),
        ("darwin", 590, CPU),
    ],
)
def test_the_build_fits_driver_and_system(platform, driver, expected):
    """The newest CUDA that the driver runs; without one, and on Macs, that of the processor."""
    assert fitting_build(driver, platform) is expected


def test_only_what_pypi_does_not_have_is_pinned_to_a_build():
    """PyPI has CUDA for Linux, the processor for Windows, and one build for macOS."""
    pin = "torch==2.13.0"
    assert requirement(pin, CPU, "linux") == f"{pin}+cpu"
    assert requirement(pin, CUDA_13, "linux") == pin
    assert requirement(pin, CUDA_12, "win32") == f"{pin}+cu126"
    assert requirement(pin, CPU, "win32") == pin
    assert requirement(pin, CPU, "darwin") == pin
    assert requirement("numpy==2.4.6", CPU, "linux") == "numpy==2.4.6"


def test_pip_gets_the_index_of_the_build(tmp_path, monkeypatch):
    """A build that PyPI lacks is looked for in the index of PyTorch; the rest is as pinned."""
    monkeypatch.setattr(installation, "requirement", lambda p, b: requirement(p, b, "linux"))
    environment = backend_environment(tmp_path)
    option, index, *pins = installation._packages(environment, CPU)
    assert (option, index) == ("--extra-index-url", "https://download.pytorch.org/whl/cpu")
    changed = set(pins) - set(environment.requirements)
    assert [each.endswith("+cpu") for each in changed] == [True]
    assert installation._packages(environment, None) == list(environment.requirements)
    assert installation.possible_costs(environment, CUDA_12) == [CUDA_12.cost]


@pytest.mark.parametrize(
    ("file", "answer", "expected"),
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.90.07  Fri\n", None, 550),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  590.10  R\n", None, 590),
        (None, "576.02\n", 576),
        (None, "", 0),
        (None, None, 0),
    ],
)
def test_the_driver_is_found(tmp_path, monkeypatch, file, answer, expected):
    """Linux has a file; elsewhere NVIDIA's tool is asked, which may be missing."""
    described = tmp_path / "version"
    if file is not None:
        described.write_text(file)
    monkeypatch.setattr(torch_builds, "DRIVER_FILE", described)

    def run(*_arguments, **_options):
        if answer is None:
            raise FileNotFoundError
        return SimpleNamespace(returncode=0, stdout=answer.encode())

    monkeypatch.setattr(subprocess, "run", run)
    assert torch_builds.nvidia_driver() == expected


def test_a_chosen_index_is_respected(monkeypatch):
    """Who has set up pip keeps what pip chooses; else the driver decides."""
    for name in torch_builds.OWN_INDEX:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(install_server, "nvidia_driver", lambda: 0)
    assert install_server._chosen_build("auto") is CPU
    assert install_server._chosen_build("cu126") is CUDA_12
    assert install_server._chosen_build("") is None
    monkeypatch.setenv("PIP_INDEX_URL", "https://example.invalid/simple")
    assert install_server._chosen_build("auto") is None
