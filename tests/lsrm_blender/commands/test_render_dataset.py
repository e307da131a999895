# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `render-dataset`: assets to a data set that training reads."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from backend.shared.virtual_environments import ROOT, child_variables
from backend.training.datasets.shards import StoredDataset
from tests.small_batch import CUBE


@pytest.mark.slow
def test_assets_become_samples(blender_python, tmp_path):
    """A cube is stored with views, masks, depth, normals and materials that fit each other."""
    assets, output = tmp_path / "assets", tmp_path / "out"
    assets.mkdir()
    (assets / "cube.obj").write_text(CUBE)
    (assets / "corrupt.glb").write_bytes(b"glTF\x02\0\0\0\xff\xff\0\0")
    variables = child_variables(LSRM_BACKEND=sys.executable, OMP_NUM_THREADS="1")
    del variables["PYTHONPATH"]
    entry = str(ROOT / "lsrm_blender" / "entry.py")
    command = [str(blender_python), "-P", entry, "render-dataset", str(assets), "-o", str(output)]
    command += ["--views=3", "--size=40", "--samples=2", "--threads=1", "--json"]
    done = subprocess.run(
        command, env=variables, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 1, done.stderr
    summary = json.loads(done.stdout)
    states = {each["name"]: each["state"] for each in summary["items"]}
    assert (states, summary["objects"]) == ({"cube": "done", "corrupt": "failed"}, 1)
    assert not (output / "cube" / "capture").exists()
    dataset = StoredDataset(output)
    sample = dataset[0].check()
    assert sample.images.shape == (3, 3, 40, 40)
    assert sample.depth is not None
    assert sample.normals is not None
    covered = sample.masks > 0.99
    assert 0.05 < covered.float().mean() < 0.9
    assert (sample.depth[covered] > 0).float().mean() > 0.98
    # Corners of the cube lie on the sphere; its sides are 0.5 * 0.99 / sqrt(3) from the middle.
    row = torch.arange(40) + 0.5
    for view in range(3):
        fx, fy, cx, cy = sample.intrinsics[view]
        local = torch.stack(
            [(row[None] - cx).expand(40, 40) / fx, (cy - row[:, None]).expand(40, 40) / fy,
             -torch.ones(40, 40)], dim=-1,
        ) * sample.depth[view, ..., None]  # fmt: skip
        pose = sample.camera_to_world[view]
        points = (local @ pose[:3, :3].T + pose[:3, 3])[covered[view]]
        normals = sample.normals[view].permute(1, 2, 0)[covered[view]]
        distance = (points * normals).sum(dim=1)
        assert (distance - 0.5 * 0.99 / 3**0.5).abs().median() < 2e-3
