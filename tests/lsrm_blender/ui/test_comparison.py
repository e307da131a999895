# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A result is compared with the views it was made of, by a button, in both child processes."""

from __future__ import annotations

import numpy as np
from PIL import Image

COMPARE = """
call(bpy.ops.lsrm.capture)
views = Path(settings.views_folder)
result = views.parent / "result"
result.mkdir()
bpy.ops.object.select_all(action="DESELECT")
scene.objects["Cube"].select_set(True)
scene.objects["Cube"].scale = (1.0, 1.0, 0.5)
bpy.ops.export_scene.gltf(filepath=str(result / "mesh.glb"), use_selection=True)
report = {"name": "Cube", "request": {"views": str(views)}, "views": {"left_out": ["0000"]}}
(result / "report.json").write_text(json.dumps(report))
before, state = seen(), bpy.context.window_manager.lsrm_comparison
results["nothing"] = call(bpy.ops.lsrm.compare_with_views)
settings.result_folder = str(result)
results["compare"] = call(bpy.ops.lsrm.compare_with_views) + [run.note]
results["unchanged"] = seen() == before
results["state"] = [state.asset, state.result, state.views, state.lit, state.worst]
results["scores"] = [state.psnr, state.ssim, state.iou]
results["picture"] = list(module_of("ui.pictures")._previews["comparison"]["comparison"].image_size)
results["drawn"] = drawn(module_of("ui.comparison.comparison_panel").LSRM_PT_comparison).texts
results["left"] = sorted(each.name for each in (work / "jobs").iterdir())
views.rename(work / "elsewhere")
results["gone"] = call(bpy.ops.lsrm.compare_with_views, directory=str(result))
"""


def test_a_result_is_compared_with_its_views(blender, tmp_path):
    """The score is that of the views that were used; what differs is bright on the picture."""
    results = blender(COMPARE)
    job, done = tmp_path / "jobs" / "Cube" / "001", ["FINISHED", ""]
    assert results["nothing"][1].startswith("BAD_ASSET")
    psnr, _, iou = results["scores"]
    assert results["compare"] == [
        *done, f"Cube is compared with 3 views: PSNR {psnr:.1f} dB",
    ]  # fmt: skip
    assert results["unchanged"]
    asset, result, views, lit, worst = results["state"]
    assert (asset, result, views, lit) == ("Cube", str(job / "result"), 3, False)
    assert worst in ("0001", "0002", "0003")
    assert 0.4 < iou < 0.95, "half of the height is missing"
    with Image.open(job / "result" / "comparison.png") as picture:
        truth, render, error = np.split(np.asarray(picture, float).mean(axis=2), 3, axis=1)
    assert truth.shape == (3 * 48, 48)
    differs = np.abs(truth - render) > 100
    assert differs.any()
    assert error[differs].mean() > error[~differs].mean() + 60
    assert results["picture"] == [3 * 128, 3 * 128]
    assert any(f"PSNR {psnr:.1f} dB" in text for text in results["drawn"])
    assert results["left"] == ["Cube"]
    assert results["gone"][1].startswith("BAD_CAPTURE")
