# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What capture.json says of a capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy

from .. import lighting
from ..assets.external_files import missing_images

if TYPE_CHECKING:
    from ..cameras.camera_plan import CameraPlan
    from .settings import CaptureSettings
    from .studio import Studio


def description(
    studio: Studio, plan: CameraPlan, original: bpy.types.Scene, settings: CaptureSettings
) -> dict[str, Any]:
    """The entries of capture.json beside the source."""
    center = studio.normalization.apply(studio.sphere.center).tolist()
    return {
        "bounding_sphere": {
            "center": center,
            "radius": studio.sphere.radius * studio.normalization.scale,
        },
        "normalization": {
            "center": list(studio.normalization.center),
            "scale": studio.normalization.scale,
        },
        "placement": settings.placement,
        "views": plan.count,
        "surface_coverage": plan.coverage.to_dict() if plan.coverage else None,
        "seed": settings.render.seed,
        "engine": "CYCLES",
        "samples": settings.render.samples,
        "denoised": studio.scene.cycles.use_denoising,
        "field_of_view": settings.framing.field_of_view,
        "gain": studio.gain,
        "lighting": _lighting_description(studio, original, settings),
        "versions": {"blender": bpy.app.version_string},
        "missing_images": missing_images(),
    }


def _lighting_description(
    studio: Studio, original: bpy.types.Scene, settings: CaptureSettings
) -> dict[str, Any]:
    glowing = [{"name": each.name} for each in studio.glowing]
    if settings.environment is not None:
        described = settings.environment.to_dict()
        return {**described, "lamps": glowing} if glowing else described
    if original.world is None and not studio.lamps:
        return {"kind": "neutral", "lamps": glowing} if glowing else {"kind": "neutral"}
    world = original.world.name if original.world else None
    lamps = [
        {**lighting.describe_lamp(lamp, studio.normalization, studio.gain), "name": name}
        for lamp, name in zip(studio.lamps, studio.lamp_names, strict=True)
    ]
    return {"kind": "scene", "world": world, "lamps": [*lamps, *glowing]}
