# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials on the simulated GPU: what crosses to the CPU, its memory, and that nothing changes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
import trimesh

from backend.materials import light_estimate
from backend.materials.environment_map import EnvironmentMap, pixel_directions
from backend.materials.estimate import estimate_materials, estimate_unlit
from backend.materials.light_transport import Light
from backend.materials.texture import bake_materials
from backend.mesh.triangle_mesh import TriangleMesh
from backend.mesh.unwrap import unwrap
from backend.pipeline import normalize_scene
from backend.refine.config import RefineConfig
from backend.refine.gloss import LightLobes
from backend.request import ReconstructRequest
from backend.shared.capture.lamps import Lamp
from backend.shared.capture.reader import read_capture
from backend.surface_memory import OBSERVATION_BYTES, VERTEX_BYTES, plan_surface
from backend.views.views import load_views
from kernels.core import chunk_size
from tests.backend.crossings import Crossings, listed_crossings
from tests.kernels.gpu.simulated_gpu import GPU, MEMORY, simulated_gpu

if TYPE_CHECKING:
    from collections.abc import Sequence

    import torch

    from backend.materials.surface_materials import SurfaceMaterials
    from backend.mesh.triangle_mesh import UnwrappedMesh
    from backend.shared.cameras import Normalization
    from backend.views.views import View

CHUNK = 1 << 20
"""Bytes of a chunk, small beside the tensors of these few vertices."""


@dataclass(frozen=True)
class Scene:
    """A ball under a window and a lamp, and views of it."""

    mesh: UnwrappedMesh
    views: Sequence[View]
    normalization: Normalization
    light: Light

    def lit(self, device: torch.device | None, progress: Crossings) -> SurfaceMaterials:
        """The materials under the known light."""
        given = self.views, self.normalization, self.light
        return estimate_materials(self.mesh, *given, progress, device)

    def unlit(self, device: torch.device | None, progress: Crossings) -> SurfaceMaterials:
        """Base color under a light that is not known."""
        return estimate_unlit(self.mesh, self.views, self.normalization, progress, device)

    def baked(
        self, found: SurfaceMaterials, device: torch.device | None, progress: Crossings
    ) -> np.ndarray:
        """The textures of materials, [size, size, 5]."""
        made = bake_materials(found, self.views, self.normalization, progress, device)
        scalars = np.stack([made.roughness, made.metallic], axis=2)
        return np.concatenate([made.base_color, scalars], axis=2)


@pytest.fixture(scope="module")
def scene(make_capture, tmp_path_factory) -> Scene:
    """Four small views, of which some pixels are saturated."""
    views = load_views(read_capture(make_capture(tmp_path_factory.mktemp("gpu") / "ball", 4, 32)))
    bright = [replace(view, image=(1.5 * view.image).clip(0.0, 1.0)) for view in views.views]
    ball = trimesh.creation.icosphere(3, 0.4)
    mesh = TriangleMesh(np.asarray(ball.vertices), np.asarray(ball.faces, dtype=np.int64))
    directions, _ = pixel_directions(16, 32)
    room = EnvironmentMap(0.3 + 3.0 * (directions[..., :1] > 0.8) + np.zeros(3))
    lamp = Lamp("POINT", (20.0, 20.0, 20.0), (1.0, 1.0, 2.0))
    normalization = normalize_scene(views)
    light = Light(room, (lamp,), normalization)
    return Scene(unwrap(mesh, 64, Crossings()), bright, normalization, light)


@pytest.fixture(scope="module")
def jobs(scene):
    """Results on the GPU, with known and with unknown light, modules that crossed, and memory."""
    crossings = Crossings()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(chunk_size, "CHUNK_BYTES", CHUNK)
        patch.setattr(light_estimate, "LEAST_POINTS", 20)
        patch.setattr(light_estimate, "STEPS", 10)
        patch.setattr("backend.materials.estimate.LEAST_EXPLAINED", -10.0)
        expected = _textures(scene, None, Crossings())[0]
        with simulated_gpu(crossings.note):
            found, peak = _textures(scene, GPU, crossings)
            LightLobes.from_environment(scene.light.environment, GPU)
    return expected, found, set().union(*crossings.modules.values()), peak


def _textures(
    scene: Scene, device: torch.device | None, progress: Crossings
) -> tuple[list[np.ndarray], int]:
    """Those under known and unknown light, and the most memory that the first estimate held."""
    MEMORY.reset()
    lit = scene.lit(device, progress)
    peak = MEMORY.peak
    unlit = scene.unlit(device, progress)
    return [scene.baked(each, device, progress) for each in (lit, unlit)], peak


def test_the_gpu_finds_what_the_cpu_finds(jobs):
    """One code: sums in other chunks change the last digits only."""
    expected, found, *_ = jobs
    for first, second in zip(expected, found, strict=True):
        np.testing.assert_allclose(second, first, atol=2e-3)


def test_what_crosses_to_the_cpu_is_listed(jobs):
    """The page on architecture names the modules here that do, and no others."""
    crossed, listed = jobs[2], listed_crossings()
    assert crossed <= listed
    ours = {module for module in listed if module.startswith("backend/materials/")}
    assert ours | {"backend/refine/gloss.py"} <= crossed


def test_memory_is_planned(jobs, scene):
    """Vertices hold no more than is planned for them, and not much less."""
    per_vertex = VERTEX_BYTES + OBSERVATION_BYTES * len(scene.views)
    planned = per_vertex * len(scene.mesh.mesh.vertices)
    assert 0.5 * planned < jobs[3] < planned + CHUNK


def test_a_plan_has_the_materials_where_they_are_estimated(scene, tmp_path):
    """A job that keeps the light in the color holds no vertices."""
    stages = [
        plan_surface(scene.views, ReconstructRequest(tmp_path, tmp_path, material=kind), config)
        for kind, config in (("auto", RefineConfig()), ("rgb", RefineConfig()))
    ]
    assert ["materials" in plan.stages for plan in stages] == [True, False]
