# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `benchmark` from a data set to its table."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from backend.commands import command_line
from backend.shared.virtual_environments import child_variables
from tests.benchmarks.paper import tiny_data


@pytest.mark.parametrize("arguments", [["benchmark", "gso"], ["benchmark", "imagenet", "a"]])
def test_wrong_usage(arguments, capsys):
    assert command_line.main(arguments) == 2
    assert "usage" in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.parametrize("protocol", ["novel-views", "relighting"])
def test_a_data_set_to_its_table(protocol, tmp_path, blender_python):
    """One object is measured, the damaged one named; a second run has nothing to do."""
    data = tiny_data.captures(tmp_path / "data")
    (tmp_path / "data" / "empty").mkdir()
    command = [
        sys.executable, "-m", "backend", "benchmark", protocol, str(data), "-o",
        str(tmp_path / "out"), "--refine", "off", "--samples", "4", "--json",
    ]  # fmt: skip
    variables = child_variables(LSRM_BLENDER=str(blender_python))
    for again in (False, True):
        done = subprocess.run(command, capture_output=True, text=True, env=variables, check=False)
        assert done.returncode == 1, done.stderr
        assert ("box is done already" in done.stderr) == again
        found = json.loads(done.stdout)
        assert list(found["failed"]) == ["empty"]
        measures = found["rows"][-1]["measures"]
        assert measures["psnr"] > 20
        assert measures["chamfer_x1e3"] > 0
    table = (tmp_path / "out" / "benchmark.md").read_text("utf-8")
    assert "**measured**" in table
    assert (tmp_path / "out" / "objects" / "box" / "comparison.png").is_file()
