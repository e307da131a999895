# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Materials inside `reconstruct`: when they are estimated, what is written, what is refused."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest
from PIL import Image

from backend.mesh import surfaces
from backend.pipeline import reconstruct
from backend.request import ReconstructRequest
from backend.shared.capture.lamps import Lamp
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadRequest, Cancelled
from backend.shared.progress import Progress
from backend.shared.radiance_hdr import write_hdr


@pytest.fixture(autouse=True)
def _coarse(monkeypatch):
    """Small surfaces, so that these tests are quick."""
    monkeypatch.setattr(surfaces, "MESH_RESOLUTION", 64)


@pytest.fixture(scope="module")
def lit(make_capture, tmp_path_factory):
    """Views of a painted ball in uniform light of radiance 2; do not write to it."""
    folder = make_capture(tmp_path_factory.mktemp("lit") / "views", views=8, size=64)
    write_hdr(folder / "environment.hdr", np.full((16, 32, 3), 2.0, dtype=np.float32))
    return folder


def run(views, output, progress=None, **options):
    """Reconstruct at small sizes, without a fit."""
    sizes = {"texture_size": "128", "faces": 3000, "device": "cpu", "refine": "off"}
    return reconstruct(
        ReconstructRequest(views, output, **(sizes | options)), progress or Progress()
    )


def stage(report, name):
    """One stage of a report."""
    return next(stage for stage in report.stages if stage.name == name)


@pytest.fixture(scope="module")
def result(lit, tmp_path_factory):
    """The result under the known light, and its report."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(surfaces, "MESH_RESOLUTION", 64)
        folder = tmp_path_factory.mktemp("result") / "out"
        return folder, run(lit, folder)


def test_known_light_is_taken_out_of_the_color(lit, result, tmp_path):
    """Under light of radiance 2 base color is half of what is seen, in linear light."""
    folder, report = result
    assert stage(report, "materials").seconds > 0
    run(lit, tmp_path / "color", material="rgb")

    def linear_mean(path):
        display = np.asarray(Image.open(path / "textures" / "base_color.png")) / 255
        return np.where(display <= 0.04045, display / 12.92, ((display + 0.055) / 1.055) ** 2.4)

    shown, base = linear_mean(tmp_path / "color"), linear_mean(folder)
    assert np.median(base / np.maximum(shown, 0.02)) == pytest.approx(0.5, abs=0.05)


def test_the_result_is_scored_under_its_light(result):
    """The metrics on the input views compare what the light makes of the materials."""
    assert result[1].metrics["psnr_foreground"] > 24
    assert result[1].metrics["material_residual"] < 0.01


def test_glb_says_that_nothing_is_specular(result, validate_glb):
    """A surface without reflections is stored as such, in a valid file."""
    content = (result[0] / "mesh.glb").read_bytes()
    document = json.loads(content[20 : 20 + int.from_bytes(content[12:16], "little")])
    specular = document["materials"][0]["extensions"]["KHR_materials_specular"]
    assert specular == {"specularFactor": 0.0}
    report = validate_glb(result[0] / "mesh.glb")
    assert report["issues"]["numErrors"] == 0, report["issues"]["messages"]


def test_unknown_light_stays_in_the_color(make_capture, tmp_path):
    """Where nothing shows what light it was, colors keep it, and the report says why."""
    views = make_capture(tmp_path / "views", views=6, size=48)
    report = run(views, tmp_path / "out")
    assert "not known" in stage(report, "materials").note
    assert (report.light, report.material) == ("unknown", "rgb")
    assert not (tmp_path / "out" / "environment.hdr").exists()
    with pytest.raises(BadRequest, match="pbr"):
        run(views, tmp_path / "other", material="pbr")
    assert not (tmp_path / "other").exists()


def describe(views, lighting):
    """Let the capture.json of some views say something about their light."""
    document = json.loads((views / "capture.json").read_text()) | {"lighting": lighting}
    (views / "capture.json").write_text(json.dumps(document))


@pytest.mark.parametrize("lamps", [1, [{"name": "Key"}], [{"kind": "CANDLE"}]])
def test_lamps_without_description_are_unknown_light(lit, tmp_path, lamps):
    """A panorama seen from the center is wrong for lamps near the object: it is not used."""
    views = tmp_path / "views"
    shutil.copytree(lit, views)
    describe(views, {"kind": "scene", "world": "World", "lamps": lamps})
    assert read_capture(views).known_light is None
    assert read_capture(lit).known_light == lit / "environment.hdr"


def test_described_lamps_are_known_light(lit, tmp_path):
    """Lamps are used with the world without them: a sun makes its side of the color darker."""
    views = tmp_path / "views"
    shutil.copytree(lit, views)
    shutil.copy(views / "environment.hdr", views / "world.hdr")
    sun = Lamp("SUN", (4.0, 4.0, 4.0), direction=(0.0, 0.0, -1.0))
    describe(views, {"kind": "scene", "world": None, "lamps": [{"name": "Sun", **sun.to_dict()}]})
    capture = read_capture(views)
    assert capture.lamps == (sun,)
    assert capture.known_light == views / "world.hdr"
    run(views, tmp_path / "sun")
    run(lit, tmp_path / "out")
    lit_by_sun, other = (
        np.asarray(Image.open(tmp_path / name / "textures" / "base_color.png")).mean()
        for name in ("sun", "out")
    )
    assert lit_by_sun < other - 2


def test_light_that_is_too_dim_is_refused(lit, tmp_path):
    """No base color is brighter than white: colors keep the light, and the report says so."""
    views = tmp_path / "views"
    shutil.copytree(lit, views)
    write_hdr(views / "environment.hdr", np.full((16, 32, 3), 0.1, dtype=np.float32))
    report = run(views, tmp_path / "out")
    assert report.material == "rgb"
    assert "contradict" in stage(report, "materials").note


def test_coverage_is_stored(result):
    """A ball seen from all around has hardly an unseen part, and a map says so."""
    folder, report = result
    assert report.metrics["unseen_share"] < 0.05
    assert "constant" in stage(report, "materials").note
    coverage = np.asarray(Image.open(folder / "coverage.png"))
    assert coverage.dtype == np.uint8
    assert np.median(coverage) > 150


@pytest.mark.parametrize("lighting", ["sun", 3, {"lamps": "two"}, {"lamps": None}, None])
def test_odd_descriptions_of_light_are_no_lamps(lit, tmp_path, lighting):
    """What capture.json says of its light may be anything."""
    views = tmp_path / "views"
    shutil.copytree(lit, views)
    describe(views, lighting)
    assert read_capture(views).lamps == ()


def test_cancel_while_materials_are_estimated(lit, tmp_path):
    """A cancel in the stage ends the job and leaves no result."""
    progress = Progress()
    progress = Progress(lambda name, *_: progress.cancel() if name == "materials" else None)
    with pytest.raises(Cancelled):
        run(lit, tmp_path / "out", progress)
    assert not (tmp_path / "out").exists()


def test_other_materials_are_refused(tmp_path):
    """An unknown word is refused with those that are known."""
    with pytest.raises(BadRequest, match="gold"):
        ReconstructRequest(tmp_path, tmp_path, material="gold").check()
