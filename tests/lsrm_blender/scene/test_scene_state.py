# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The user's scene is unchanged by a capture, also by one that is cancelled."""

from __future__ import annotations

import pytest


def _changes_by_a_capture(path, stop_at, output):
    """The properties of all data-blocks of the open file that a capture has changed.

    `stop_at` is the report of progress at which the user cancels; 0 lets the capture finish.
    """
    from pathlib import Path

    import bpy
    from lsrm.backend.shared.errors import Cancelled
    from lsrm.backend.shared.progress import Progress
    from lsrm.lsrm_blender.scene.assets.asset_objects import Asset
    from lsrm.lsrm_blender.scene.cameras.scene_cameras import Framing
    from lsrm.lsrm_blender.scene.capture.capture import capture
    from lsrm.lsrm_blender.scene.capture.settings import CaptureSettings
    from lsrm.lsrm_blender.scene.lighting import EnvironmentLight
    from lsrm.lsrm_blender.scene.render_settings import RenderSettings

    def properties_of(block, depth=0):
        """All properties of an RNA struct, pointers to other data-blocks by name."""
        values = {}
        for prop in block.bl_rna.properties:
            name = prop.identifier
            # Reading the palette of uv_sculpt crashes Blender 4.2.
            if name in ("rna_type", "session_uid", "original", "uv_sculpt"):
                continue
            value = getattr(block, name, None)
            if isinstance(value, bpy.types.ID):
                values[name] = f"{value.name} of {value.users}"
            elif prop.type == "COLLECTION":
                values[name] = [getattr(item, "name", type(item).__name__) for item in value]
            elif prop.type == "POINTER":
                deeper = value is not None and depth < 3
                values[name] = properties_of(value, depth + 1) if deeper else None
            elif getattr(prop, "is_array", False):
                values[name] = [str(item) for item in value]
            else:
                values[name] = str(value)
        return values

    def everything():
        blocks = {}
        for kind in dir(bpy.data):
            collection = getattr(bpy.data, kind)
            if isinstance(collection, bpy.types.bpy_prop_collection):
                for block in collection:
                    is_block = isinstance(block, bpy.types.ID)
                    if is_block and block.name != "Render Result":
                        blocks[f"{kind} {block.name}"] = properties_of(block)
        blocks["selected"] = [shown.name for shown in bpy.context.selected_objects]
        blocks["active"] = str(bpy.context.view_layer.objects.active)
        blocks["scene"] = bpy.context.scene.name
        return blocks

    bpy.ops.wm.open_mainfile(filepath=path)
    scene = bpy.context.scene
    scene.render.resolution_x, scene.view_settings.exposure = 123, 0.5
    scene.frame_set(7)
    bpy.context.view_layer.update()
    before = everything()
    calls = 0

    def listener(stage, fraction, message):
        nonlocal calls
        calls += 1
        if calls == stop_at:
            progress.cancel()

    progress = Progress(listener)
    settings = CaptureSettings(
        views=2,
        test_views=1,
        framing=Framing(16),
        render=RenderSettings(1),
        environment=EnvironmentLight("forest"),
        relight=(EnvironmentLight("city"),),
        passes=True,
        panorama_width=16,
    )
    cancelled = False
    try:
        capture(Asset([bpy.data.objects["Block"]]), Path(output), settings, progress)
    except Cancelled:
        cancelled = True
    after = everything()
    changed = []
    for name in before.keys() | after.keys():
        old, new = before.get(name, {}), after.get(name, {})
        if isinstance(old, dict) and isinstance(new, dict):
            changed += [f"{name}.{k}" for k in old.keys() | new.keys() if old.get(k) != new.get(k)]
        elif old != new:
            changed.append(f"{name}: {old} -> {new}")
    return {"cancelled": cancelled, "calls": calls, "changed": changed, "blocks": len(before)}


def test_a_finished_capture_changes_nothing(block, in_blender, tmp_path):
    """After a capture with every option, each property of each data-block is what it was."""
    output = tmp_path / "views"
    seen = in_blender(_changes_by_a_capture, path=block[0], stop_at=0, output=output)
    assert seen["blocks"] > 5
    assert not seen["cancelled"]
    assert seen["changed"] == []
    assert (output / "transforms.json").is_file()


@pytest.mark.parametrize("stop_at", [2, 6, 8])
def test_a_cancelled_capture_changes_nothing(block, in_blender, tmp_path, stop_at):
    """Cancelled in the input views, in the relit views or in the passes, nothing is changed."""
    output = tmp_path / "views"
    seen = in_blender(_changes_by_a_capture, path=block[0], stop_at=stop_at, output=output)
    assert seen["cancelled"]
    assert seen["changed"] == []
    assert list(tmp_path.iterdir()) == []
