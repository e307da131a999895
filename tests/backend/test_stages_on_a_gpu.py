# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A job without a network on the simulated GPU: what crosses to the CPU, and its memory."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from backend import pipeline, planned_memory, surface_memory
from backend.field.field_file import PosedField
from backend.mesh import surfaces
from backend.refine import novel_view_error
from backend.refine.config import RefineConfig
from backend.request import ReconstructRequest
from backend.shared.errors import OutOfMemory
from backend.stereo import hull_grid, patch_match, stereo_start
from backend.stereo.convex_carve import CarveConfig
from backend.surface_memory import plan_surface
from kernels.core.dispatch import forced
from tests.backend.crossings import Crossings, listed_crossings
from tests.kernels.gpu.simulated_gpu import simulated_gpu

if TYPE_CHECKING:
    from backend.model.weights.memory import MemoryNeed

AROUND_THE_STAGES = {"views", "write"}
"""Images are read in the one, files are written in the other: both are for the CPU."""

RESOLUTIONS = (
    (surfaces, "MESH_RESOLUTION"),
    (surface_memory, "MESH_RESOLUTION"),
    (novel_view_error, "RESOLUTION"),
    (hull_grid, "RESOLUTION"),
    (stereo_start, "JUDGE_RESOLUTION"),
)
OF_OTHER_JOBS = {
    "backend/mesh/live_preview.py",
    "backend/mesh/network_surface.py",
    "backend/mesh/surfaces.py",
    "backend/refine/gloss.py",
    "kernels/core/adam.py",
}
"""What crosses with a network, under light that is known or estimated, or where somebody watches;
materials apart, which have tests of their own."""

VIEWS, SIZE = 6, 32


def small_fit(**given: int) -> RefineConfig:
    """Two coarse levels of some steps."""
    config = RefineConfig(**given)
    first, *_, last = config.levels
    levels = (replace(first, resolution=24, steps=2), replace(last, resolution=32, steps=2))
    return replace(config, levels=levels, rays_per_step=256)


@pytest.fixture(scope="module")
def job(tmp_path_factory, make_capture):
    """The result, its report, what crossed to the CPU, and the memory that was planned."""
    folder = tmp_path_factory.mktemp("gpu")
    views = make_capture(folder / "views", VIEWS, SIZE, "arch")
    crossings, planned = Crossings(), []

    def listening(*given: object) -> MemoryNeed:
        planned.append(plan_surface(*given))
        return planned[-1]

    request = ReconstructRequest(
        views, folder / "out", device="cuda", texture_size="32", faces=500, material="rgb"
    )
    with pytest.MonkeyPatch.context() as patch:
        for module in (pipeline, planned_memory):
            patch.setattr(module, "RefineConfig", small_fit)
        patch.setattr(planned_memory, "plan_surface", listening)
        patch.setattr(surface_memory, "POINTS_PER_CHUNK", 33**3)
        for module, name in RESOLUTIONS:
            patch.setattr(module, name, 32)
        patch.setattr(stereo_start, "ITERATIONS", 1)
        patch.setattr(patch_match, "PERTURBATIONS", 1)
        few = CarveConfig(iterations=4, more_iterations=2)
        patch.setattr(stereo_start, "CarveConfig", lambda: few)
        with simulated_gpu(crossings.note), forced("reference"):
            report = pipeline.reconstruct(request, crossings)
    return folder / "out", report, crossings.modules, planned[0]


def test_all_stages_ran(job):
    """None is left out but those of the network."""
    folder, report, *_ = job
    ran = {stage.name for stage in report.stages if stage.seconds}
    assert ran == {"views", "hull", "stereo", "refine", "mesh", "texture", "write"}
    assert (folder / "mesh.glb").stat().st_size > 1000


def test_the_field_is_fitted_on_the_gpu(job):
    """The fit, too, holds memory of the GPU; its field is read back on any machine."""
    folder, report, *_ = job
    memory = {stage.name: stage.peak_device_memory_mb for stage in report.stages}
    assert memory["refine"] > 0
    if (folder / "field.safetensors").exists():
        assert PosedField.read(folder / "field.safetensors").field.volume.rows.isfinite().all()


def test_memory_is_planned(job):
    """No stage holds more tensors than were planned for it, nor a fit less than a quarter."""
    _, report, _, need = job
    counted = {
        stage.name: stage.peak_device_memory_mb << 20
        for stage in report.stages
        if stage.name in need.stages
    }
    assert set(counted) == set(need.stages)
    assert all(counted[stage] <= planned for stage, planned in need.stages.items())
    assert need.stages["refine"] < 4 * counted["refine"]


def test_too_small_a_card_is_refused(job):
    """The error names the stage, and what would fit."""
    need = job[3]
    with pytest.raises(OutOfMemory, match=r"The stage \w+ needs .* GB, cuda has .*smaller texture"):
        need.check([need.peak - 1], ["cuda"])


def test_what_crosses_to_the_cpu_is_listed(job):
    """The page on architecture names every module that reads or makes tensors of the CPU."""
    listed = listed_crossings()
    crossed = set().union(
        *(found for stage, found in job[2].items() if stage not in AROUND_THE_STAGES)
    )
    of_materials = {module for module in listed if module.startswith("backend/materials/")}
    assert crossed == listed - OF_OTHER_JOBS - of_materials
