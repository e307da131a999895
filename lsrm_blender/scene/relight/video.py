# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbered pictures as a video file, which Blender itself encodes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import bpy

from ....backend.shared.errors import EnvironmentBroken, write_failure
from ..render_settings import use_true_colors
from ..scene_state import no_trace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FRAMES_PER_SECOND = 24
CHANNEL = 1


def check_video(size: int) -> None:
    """Check that this Blender can make a video of square pictures.

    Args:
        size: in pixels.

    Raises:
        EnvironmentBroken: if it cannot.
    """
    if not bpy.app.ffmpeg.supported:
        raise EnvironmentBroken(
            "This Blender was built without video.", "Make frames, or use another build of Blender."
        )
    if size % 2:
        raise EnvironmentBroken(
            f"A video cannot have an odd number of pixels: {size}.", "Choose an even size."
        )


def write_video(frames: Sequence[Path], size: int, path: Path) -> None:
    """Write square pictures, one or more, as an H.264 video.

    Args:
        frames: without transparency.
        size: of the pictures, in pixels; even.
        path: of the file to write, .mp4.

    Raises:
        OutputNotWritable, DiskFull: if it cannot be written.
    """
    with no_trace():
        scene = bpy.data.scenes.new("LSRM video")
        _add_strip(scene, frames)
        use_true_colors(scene)
        scene.sequencer_colorspace_settings.name = "sRGB"
        _use_h264(scene, size, len(frames))
        scene.render.use_sequencer = True
        scene.render.filepath = str(path)
        try:
            bpy.ops.render.render(animation=True, scene=scene.name)
        except RuntimeError as error:
            raise write_failure(path, error) from error
    if not path.is_file() or path.stat().st_size == 0:
        raise write_failure(path, RuntimeError("nothing was written"))


def _add_strip(scene: bpy.types.Scene, frames: Sequence[Path]) -> None:
    """Put pictures into the sequencer of a scene, one after the other."""
    editor = scene.sequence_editor_create()
    strips = editor.strips if hasattr(editor, "strips") else editor.sequences  # before Blender 4.4
    strip = strips.new_image("LSRM frames", str(frames[0]), CHANNEL, 1)
    for frame in frames[1:]:
        strip.elements.append(frame.name)
    strip.frame_final_duration = len(frames)


def _use_h264(scene: bpy.types.Scene, size: int, count: int) -> None:
    """Set size, length and format of a scene's renders."""
    scene.frame_start, scene.frame_end = 1, count
    render = scene.render
    render.resolution_x = render.resolution_y = size
    render.resolution_percentage = 100
    render.fps, render.fps_base = FRAMES_PER_SECOND, 1.0
    render.use_file_extension = False
    if hasattr(render.image_settings, "media_type"):  # from Blender 5.0
        render.image_settings.media_type = "VIDEO"
    render.image_settings.file_format = "FFMPEG"
    render.ffmpeg.format, render.ffmpeg.codec = "MPEG4", "H264"
    render.ffmpeg.constant_rate_factor = "HIGH"
    render.ffmpeg.audio_codec = "NONE"
