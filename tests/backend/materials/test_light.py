# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Environment light and lobes against what follows from their definitions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from backend.materials.environment_map import (
    EnvironmentMap,
    fibonacci_directions,
    look_up,
    pixel_directions,
)
from backend.materials.ggx import ROUGHNESS, half_vectors, lobe, split_sum
from backend.materials.spherical_harmonics import basis, gaussian_attenuation
from backend.shared.radiance_hdr import sample_panorama


@pytest.fixture(scope="module")
def sky() -> EnvironmentMap:
    """A smooth environment: brighter above, redder towards +x."""
    directions, _ = pixel_directions(64, 128)
    x, _, z = np.moveaxis(directions, -1, 0)
    return EnvironmentMap(np.stack([2.0 + x + z, 1.5 + z, 1.2 + 0.5 * z], axis=-1))


def test_pixels_cover_the_sphere():
    """Solid angles sum to 4 pi, directions are unit, and the first column looks along -x."""
    directions, solid_angles = pixel_directions(32, 64)
    assert solid_angles.sum() == pytest.approx(4 * np.pi)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=-1), 1.0)
    assert directions[16, 0, 0] < -0.99
    assert directions[0, 0, 2] > 0.99


def test_sampling_follows_the_mapping_of_the_captures(sky, lsrm_panorama):
    """The backend reads a panorama as the capture of Blender writes it, also as a tensor."""
    directions = fibonacci_directions(200)
    expected = lsrm_panorama(sky.radiance, directions)
    np.testing.assert_allclose(sample_panorama(sky.radiance, directions), expected, atol=1e-9)
    picture = torch.from_numpy(sky.radiance).permute(2, 0, 1)
    np.testing.assert_allclose(look_up(picture, torch.from_numpy(directions)), expected, atol=1e-9)


@pytest.fixture(scope="module")
def lsrm_panorama():
    """Bilinear lookup by the written formula: column 0.5 - atan2(y, x) / 2 pi, row by asin(z)."""

    def sample(radiance, directions):
        height, width = radiance.shape[:2]
        found = []
        for x, y, z in directions:
            column = (0.5 - np.arctan2(y, x) / (2 * np.pi)) * width - 0.5
            row = (0.5 - np.arcsin(z) / np.pi) * height - 0.5
            total = np.zeros(3)
            for r in (int(np.floor(row)), int(np.floor(row)) + 1):
                for c in (int(np.floor(column)), int(np.floor(column)) + 1):
                    share = (1 - abs(row - r)) * (1 - abs(column - c))
                    total += share * radiance[min(max(r, 0), height - 1), c % width]
            found.append(total)
        return np.array(found)

    return sample


def test_cells_keep_the_flux(sky):
    """The cells hold all light, and irradiance by cells is that of the picture."""
    cells = sky.cells(256)
    directions, solid_angles = pixel_directions(64, 128)
    light = sky.radiance * solid_angles[..., None]
    np.testing.assert_allclose(cells.flux.sum(dim=0), light.sum(axis=(0, 1)))
    assert float(cells.solid_angles.sum()) == pytest.approx(4 * np.pi)
    for normal in fibonacci_directions(20):
        exact = (np.clip(directions @ normal, 0, None)[..., None] * light).sum(axis=(0, 1))
        cosines = (cells.directions @ torch.from_numpy(normal)).clamp_min(0.0)
        found = (cosines[:, None] * cells.flux).sum(dim=0)
        np.testing.assert_allclose(found, exact, rtol=0.02)


@pytest.mark.parametrize("roughness", ROUGHNESS)
def test_uniform_light_stays_uniform(roughness):
    """A lobe in uniform light reflects that light, whatever its width."""
    uniform = EnvironmentMap(np.full((256, 512, 3), 0.7))
    np.testing.assert_allclose(uniform.filtered(roughness), 0.7, rtol=1e-9)
    assert uniform.prefiltered(roughness) is uniform.prefiltered(roughness)


@pytest.mark.parametrize("height", [8, 9])
def test_filtered_light_is_the_sum_over_all_pixels(height):
    """Rows and columns that no symmetry relates, by the definition."""
    size = (height, 2 * height + 1)
    directions, solid_angles = pixel_directions(*size)
    picture = np.random.default_rng(0).random((*size, 3))
    cosine = torch.from_numpy(directions.reshape(-1, 3) @ directions.reshape(-1, 3).T)
    weight = lobe(0.5, cosine).numpy() * solid_angles.reshape(-1)
    expected = weight @ picture.reshape(-1, 3) / weight.sum(axis=1, keepdims=True)
    found = EnvironmentMap(picture).filtered(0.5)
    np.testing.assert_allclose(found.permute(1, 2, 0).reshape(-1, 3), expected, rtol=1e-9)


@pytest.mark.parametrize("roughness", [0.55, 0.7, 1.0])
def test_linear_light_is_attenuated_by_the_mean_cosine(roughness):
    """Light that varies as z, weighed by a lobe around d, is the lobe's mean cosine times d_z."""
    directions, _ = pixel_directions(128, 256)
    ramp = EnvironmentMap(np.repeat(directions[..., 2:], 3, axis=-1))
    found = ramp.prefiltered(roughness)
    axis, _ = pixel_directions(*found.shape[1:])
    half = half_vectors(roughness, 200_000)
    cosine = 2.0 * half[:, 2] ** 2 - 1.0
    weight = cosine.clip(0.0)
    mean = (weight * cosine).sum() / weight.sum()
    np.testing.assert_allclose(found[0], mean * axis[..., 2], atol=0.03)


def test_a_smooth_mirror_reflects_by_schlick():
    """At low roughness scale and bias are those of Schlick's formula."""
    cosine = np.array([0.3, 0.6, 0.9])
    table = split_sum(0.08, torch.from_numpy(cosine))
    np.testing.assert_allclose(table.bias, (1 - cosine) ** 5, atol=0.02)
    np.testing.assert_allclose(table.scale, 1 - (1 - cosine) ** 5, atol=0.02)


@pytest.mark.parametrize("roughness", ROUGHNESS)
def test_no_lobe_creates_energy(roughness):
    """A single scattering returns at most all light, and less when it is rough."""
    table = split_sum(roughness, torch.linspace(0.05, 1.0, 50))
    assert (table.scale + table.bias <= 1.02).all()
    assert (table.lost >= -0.02).all()


def test_basis_is_orthonormal():
    """Integrals of products over the sphere are 1 for equal functions, else 0."""
    directions, solid_angles = pixel_directions(128, 256)
    functions = basis(torch.from_numpy(directions)).reshape(-1, 16).numpy()
    gram = functions.T @ (functions * solid_angles.reshape(-1, 1))
    np.testing.assert_allclose(gram, np.eye(16), atol=2e-3)


def test_a_sharp_gaussian_hardly_attenuates():
    """Blurring by a point keeps all coefficients, by everything keeps the mean only."""
    np.testing.assert_allclose(gaussian_attenuation(5000.0), 1.0, atol=0.01)
    np.testing.assert_allclose(gaussian_attenuation(0.0)[1:], 0.0, atol=1e-3)
