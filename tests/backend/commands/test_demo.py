# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The demo from end to end, as the README shows it."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from PIL import Image

from backend.commands import demo
from backend.shared.virtual_environments import child_variables


@pytest.mark.slow
def test_demo_writes_all_files_of_the_readme(blender_python, validate_glb, tmp_path):
    """One command writes every file that the README lists, and a valid mesh."""
    variables = child_variables(LSRM_BLENDER=str(blender_python), LSRM_BACKEND=sys.executable)
    command = [sys.executable, "-P", "-m", "backend", "demo", "--out", str(tmp_path), "--json"]
    result = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    report = json.loads(result.stdout)
    assert report == json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert set(report["files"]) == {path.name for path in tmp_path.iterdir()} == set(demo.FILES)
    assert {path.stem for path in (tmp_path / "relit").iterdir()} == set(demo.LIGHTS)
    assert validate_glb(tmp_path / "mesh.glb")["issues"]["numErrors"] == 0
    with Image.open(tmp_path / "comparison.png") as picture:
        assert picture.width == 4 * 512
