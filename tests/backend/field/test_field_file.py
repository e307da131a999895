# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A field written to disk and read again answers as before."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from backend.field.config import HALF_SIDE, DecoderConfig
from backend.field.decoders import DirectDecoder, MlpDecoder
from backend.field.field import TwoLevelField, VolumeField
from backend.field.field_file import PosedField
from backend.field.grids import grid_points
from backend.field.volumes import DenseVolume, SparseVolume
from backend.refine.narrow_band import NarrowBand, sample_grid
from backend.shared.cameras import Normalization
from kernels.core.sparse_grid import Bricks

NORMALIZATION = Normalization((1.0, -2.0, 0.5), 0.25)
ROTATION = ((0.0, -1.0, 0.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0))


def _points(count=2000):
    return (torch.rand(count, 3, generator=torch.Generator().manual_seed(1)) - 0.5) * 2 * HALF_SIDE


def _written_and_read(field, path):
    PosedField(field, NORMALIZATION, ROTATION).write(path)
    found = PosedField.read(path)
    assert found.normalization == NORMALIZATION
    assert np.array_equal(found.rotation, ROTATION)
    return found.field


def test_a_fitted_field_is_read_back_to_the_bit(tmp_path) -> None:
    """Rows, their voxels and the dense volume below them are stored as they are."""
    grid = sample_grid(lambda p: p.norm(dim=1) - 0.3, grid_points(HALF_SIDE, 24, "zyx"), 24)
    band = NarrowBand.around(grid, 3.0, HALF_SIDE)
    colors = torch.randn(len(band.voxels), 3, generator=torch.Generator().manual_seed(0))
    rows = torch.cat([band.row_distance()[:, None], colors], 1)
    field = VolumeField(band.volume(rows), DirectDecoder(3), 300.0)
    again = _written_and_read(field, tmp_path / "field.safetensors")
    for quantity in ("signed_distance", "appearance", "density"):
        before, after = (getattr(one, quantity)(_points()) for one in (field, again))
        assert torch.equal(before, after), quantity


def test_the_same_field_is_the_same_file(tmp_path) -> None:
    """Two runs of a job agree to the bit in all that they write, headers included."""
    grid = sample_grid(lambda p: p.norm(dim=1) - 0.3, grid_points(HALF_SIDE, 8, "zyx"), 8)
    field = VolumeField(DenseVolume(grid[None], HALF_SIDE), DirectDecoder(0), 300.0)
    paths = [tmp_path / f"{number}.safetensors" for number in range(8)]
    for path in paths:
        PosedField(field, NORMALIZATION, ROTATION).write(path)
    assert len({path.read_bytes() for path in paths}) == 1


def test_a_predicted_field_is_read_back_in_half_precision(tmp_path) -> None:
    """Both levels with their decoders; the coarse volume, which they share, is stored once."""
    config = DecoderConfig(8, 16, 1, 1, 1, "both", HALF_SIDE)
    torch.manual_seed(0)
    coarse = DenseVolume(torch.randn(8, 6, 6, 6), HALF_SIDE)
    numbers = torch.full((6,) * 3, -1, dtype=torch.int32)
    kept = torch.randperm(6**3)[:60]
    numbers.view(-1)[kept] = torch.arange(60, dtype=torch.int32)
    sparse = SparseVolume(torch.randn(480, 8), Bricks(numbers, 2), coarse)
    field = TwoLevelField(
        VolumeField(coarse, MlpDecoder(config), 60.0),
        VolumeField(sparse, MlpDecoder(config), 200.0),
    )
    again = _written_and_read(field, tmp_path / "field.safetensors")
    assert again.sparse.volume.coarse is again.coarse.volume
    assert torch.equal(again.sparse.volume.bricks.numbers, numbers)
    assert again.sparse.volume.bricks.side == 2
    points = _points()
    with torch.no_grad():
        # Features and weights of size 1 with 11 bits each, summed over three layers.
        for quantity in ("signed_distance", "appearance"):
            before, after = (getattr(one, quantity)(points) for one in (field, again))
            torch.testing.assert_close(after, before, atol=5e-3, rtol=0)
    stored = (tmp_path / "field.safetensors").stat().st_size
    assert stored < 2 * (8 * 6**3 + 480 * 8) + 6 * 60 + 2 * 2 * 2000 + 8000


def test_another_file_is_refused(tmp_path) -> None:
    """A safetensors file of another format is an error that names it."""
    path = tmp_path / "other.safetensors"
    save_file({"rows": torch.zeros(2)}, path)
    with pytest.raises(ValueError, match="holds no field"):
        PosedField.read(path)
