# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The button that installs the backend: failures, a finished environment, cancelling."""

from __future__ import annotations

import json
import os
import sys

import pytest

from backend.shared.virtual_environments import PYTHON_VERSION, backend_environment
from tests.children import children_of, ends_within, pump_until, pumped

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")

INSTALL = (sys.executable, "-P", "-m", "backend.setup.install_server")


@pytest.fixture
def install(make_client, tmp_path, monkeypatch):
    """A client of the process that the button starts, without a network."""
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return make_client((*INSTALL, str(tmp_path / "environment")))


def test_installation_without_a_network_fails_with_a_remedy(install):
    """Without a network the installation fails with an error, and can be tried again."""
    job = install.submit("install")
    assert pumped(install, job, 120) == "ENVIRONMENT_BROKEN"
    assert "run the same command again" in job.error.remedy


@pytest.mark.parametrize("extras", [[], ["photos"]])
def test_a_complete_environment_is_not_installed_again(install, tmp_path, extras):
    """The installation of a complete environment returns its Python at once."""
    environment = backend_environment(tmp_path / "environment", extras=extras)
    environment.python.parent.mkdir(parents=True)
    environment.python.symlink_to(sys.executable)
    record = {"python": PYTHON_VERSION, "requirements": environment.requirements}
    environment.installation_record.write_text(json.dumps(record))
    job = install.submit("install", {"extras": extras})
    assert pumped(install, job, 60) == "done"
    assert job.result == {"python": str(environment.python)}


def test_cancelling_the_installation(install, tmp_path):
    """A cancel ends pip in seconds and keeps the process for the next installation."""
    job = install.submit("install")
    pump_until(install, lambda: job.progress.stage == "install", 60)
    pid = install.child.pid
    install.cancel(job)
    assert pumped(install, job, 5) == "CANCELLED"
    assert install.child.pid == pid
    assert not [each for each in children_of(pid) if not ends_within(each)]
    assert not (tmp_path / "environment" / "backend" / "tmp").exists()
