# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of the add-on, checked in the package that Blender makes of the repository root."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

pytest.importorskip("mypy")


@pytest.mark.skipif(os.name != "posix", reason="needs a symbolic link")
def test_the_add_on_is_typed(repository, tmp_path):
    """Mypy accepts the whole add-on with its relative imports; Blender's modules are untyped."""
    (tmp_path / "lsrm").symlink_to(repository)
    settings = ["--config-file", "lsrm/pyproject.toml", "--cache-dir", str(tmp_path / "cache")]
    package = ["-p", "lsrm.lsrm_blender", "--exclude", "__main__"]  # its imports are absolute
    result = subprocess.run(
        [sys.executable, "-m", "mypy", *settings, *package],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert result.returncode == 0, result.stdout + result.stderr
