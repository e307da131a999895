# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `install`: extras with their size, and environments that the user has chosen."""

from __future__ import annotations

import json
import os
import sys
from argparse import ArgumentParser
from pathlib import Path

import pytest

from backend.commands import install
from backend.shared import virtual_environments
from backend.shared.errors import EnvironmentBroken
from backend.shared.exit_codes import DONE
from backend.shared.virtual_environments import PYTHON_VERSION, backend_environment


def parsed(*arguments):
    """The parsed arguments of a command line."""
    parser = ArgumentParser()
    parser.add_argument("--json", action="store_true")
    install.add_arguments(parser)
    return parser.parse_args(arguments)


def test_extras_have_pins_and_a_size(capsys):
    """The extra `photos` is pinned, and help states its size."""
    pins = backend_environment(extras=("photos",)).requirements
    assert {pin.split("==")[0] for pin in pins} >= {"torch", "pycolmap", "opencv-python-headless"}
    assert not any("pycolmap" in pin for pin in backend_environment().requirements)
    with pytest.raises(SystemExit):
        parsed("--help")
    assert "0.1 GB to download" in " ".join(capsys.readouterr().out.split())
    with pytest.raises(SystemExit):
        parsed("--extra", "nothing")


@pytest.mark.skipif(os.name != "posix", reason="links of POSIX")
def test_installed_already(tmp_path, monkeypatch, capsys):
    """What is complete is not installed again."""
    environment = backend_environment(tmp_path, extras=("photos",))
    environment.python.parent.mkdir(parents=True)
    environment.python.symlink_to(sys.executable)
    record = {"python": PYTHON_VERSION, "requirements": environment.requirements}
    environment.installation_record.write_text(json.dumps(record))
    monkeypatch.delenv(environment.variable, raising=False)
    monkeypatch.setattr(install, "backend_environment", lambda extras: environment)
    monkeypatch.setattr(virtual_environments, "are_installed", lambda requirements: False)
    assert install.run(parsed("--extra", "photos")) == DONE
    assert f"backend, photos ({environment.python})" in capsys.readouterr().err


def test_chosen_interpreter_without_the_extra(tmp_path, monkeypatch):
    """Nothing is installed into an interpreter of the user; the error has the command for it."""
    environment = virtual_environments.VirtualEnvironment(
        "backend", tmp_path, ("lsrm-fake==1.0",), "LSRM_BACKEND"
    )
    monkeypatch.setenv("LSRM_BACKEND", sys.executable)
    monkeypatch.setattr(install, "backend_environment", lambda extras: environment)
    with pytest.raises(EnvironmentBroken) as caught:
        install.run(parsed())
    assert f'{Path(sys.executable)} -m pip install "lsrm-fake==1.0"' in caught.value.remedy
