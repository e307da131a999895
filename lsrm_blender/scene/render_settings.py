# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Render settings of working scenes: Cycles, unchanged colors, reproducible pixels."""

from __future__ import annotations

from dataclasses import dataclass

import bpy

from ...backend.shared.errors import EnvironmentBroken

DENOISER = "OPENIMAGEDENOISE"


@dataclass(frozen=True)
class RenderSettings:
    """The settings in which renders differ.

    Attributes:
        samples: paths per pixel.
        seed: of the random numbers.
        denoise: whether to remove the remaining noise, if this Blender can.
        transparent: whether to leave out the background, so that alpha is the coverage.
        threads: of the processor; 0 takes all.
    """

    samples: int = 32
    seed: int = 0
    denoise: bool = True
    transparent: bool = True
    threads: int = 0


def can_denoise(scene: bpy.types.Scene) -> bool:
    """Enable the denoiser in a working scene, and return whether this build of Blender has it.

    Debian's build has not, which shows only when it is enabled.
    """
    try:
        scene.cycles.denoiser = DENOISER
    except TypeError:
        return False
    return True


def _device() -> str:
    """The graphics card if the user set one up in the preferences, else the processor."""
    cycles = bpy.context.preferences.addons.get("cycles")
    if cycles is None or cycles.preferences.compute_device_type == "NONE":
        return "CPU"
    used = [device for device in cycles.preferences.devices if device.use and device.type != "CPU"]
    return "GPU" if used else "CPU"


def use_cycles(scene: bpy.types.Scene, settings: RenderSettings) -> None:
    """Set Cycles as the renderer of a working scene.

    Raises:
        EnvironmentBroken: if this Blender was built or started without Cycles.
    """
    try:
        scene.render.engine = "CYCLES"
    except TypeError as error:
        raise EnvironmentBroken(
            "This Blender has no Cycles renderer.",
            "Enable the Cycles add-on in the preferences, or use another build of Blender.",
        ) from error
    cycles = scene.cycles
    cycles.device = _device()
    cycles.samples = settings.samples
    cycles.use_adaptive_sampling = False
    cycles.seed = settings.seed
    cycles.use_denoising = settings.denoise and can_denoise(scene)
    # Denoising the guides would double the time; after a few samples they have no noise.
    cycles.denoising_prefilter = "FAST"
    scene.render.film_transparent = settings.transparent
    scene.render.use_persistent_data = True
    if settings.threads > 0:
        scene.render.threads_mode = "FIXED"
        scene.render.threads = settings.threads


def use_true_colors(scene: bpy.types.Scene) -> None:
    """Store colors as sRGB and nothing else: no film look, no exposure, no dither."""
    view = scene.view_settings
    view.view_transform = "Standard"
    view.look = "None"
    view.exposure = 0.0
    view.gamma = 1.0
    view.use_curve_mapping = False
    scene.render.dither_intensity = 0.0
    scene.render.use_compositing = False
    scene.render.use_sequencer = False
    scene.render.use_stamp = False


def use_linear_file(scene: bpy.types.Scene) -> None:
    """Write renders as 32-bit EXR: linear, premultiplied, untouched by the view transform."""
    image = scene.render.image_settings
    image.file_format = "OPEN_EXR"
    image.color_mode = "RGBA"
    image.color_depth = "32"
    image.exr_codec = "NONE"
