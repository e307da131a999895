# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Views to the network's input: as in the release where that is right, and right elsewhere."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from backend.model.config.presets import preset
from backend.model.preprocess import Window, from_views, object_window
from backend.model.release.captures import ReleaseSettings, read_real
from backend.model.release.rig import read_rig
from backend.model.routing.release_cameras import Cameras
from backend.shared.cameras import Intrinsics, Normalization, intrinsics_from_fov, look_at, project
from backend.shared.capture.reader import read_capture
from backend.shared.errors import BadCapture, BadImage
from backend.shared.srgb import linear_to_srgb, srgb_to_linear
from backend.views.views import View, load_views
from benchmarks.parity.case import read_case
from benchmarks.parity.preprocess_case import run_preprocess_case

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from backend.model.config.model_config import ModelConfig

SIZE = 64
POSITIONS = ((1.6, 0.3, 0.5), (-0.4, 1.5, -0.6), (0.2, -1.2, 1.3), (-1.3, -0.7, 0.2))
UNIT = Normalization((0.0, 0.0, 0.0), 1.0)


def config(**changes: Any) -> ModelConfig:
    """The tiny model at a size for tests."""
    base = preset("tiny")
    return replace(base, sparse=replace(base.sparse, image_size=SIZE), **changes)


def ball_views(
    intrinsics: Intrinsics, center: tuple[float, float, float] = (0.1, -0.05, 0.08)
) -> list[View]:
    """Noise with a ball of radius 0.3 in front, seen from four positions."""
    random = np.random.default_rng(7)
    views = []
    for number, eye in enumerate(POSITIONS):
        pose = look_at(eye, (0.0, 0.0, 0.0))
        shape = (intrinsics.height, intrinsics.width)
        grid = np.stack(np.meshgrid(*(np.arange(n) + 0.5 for n in shape[::-1])), -1)
        rays = (grid - (intrinsics.cx, intrinsics.cy)) / (intrinsics.fx, -intrinsics.fy)
        rays = np.concatenate([rays, -np.ones((*shape, 1))], -1) @ pose[:3, :3].T
        rays /= np.linalg.norm(rays, axis=-1, keepdims=True)
        miss = np.linalg.norm(np.cross(np.subtract(center, pose[:3, 3]), rays), axis=-1)
        stored = random.integers(0, 256, (*shape, 3))
        views.append(
            View(
                f"{number:03d}",
                (stored / np.float32(255)).astype(np.float32),
                (miss < 0.3).astype(np.float32),
                intrinsics,
                pose,
            )
        )
    return views


SQUARE = intrinsics_from_fov(90, 90, 0.8)


def save(path: Path, values: NDArray[np.float32]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.rint(values * 255).astype(np.uint8)).save(path)


def write_real(folder: Path, views: list[View], field_of_view: float) -> None:
    """The views in the "real" layout."""
    frames = []
    for view in views:
        save(folder / "input" / f"{view.name}.png", view.image)
        save(folder / "mask" / f"{view.name}.png", view.mask)
        pose = view.camera_to_world.tolist()
        frames.append({"file_path": f"input/{view.name}", "transform_matrix": pose})
    document = {"camera_angle_x": field_of_view, "frames": frames}
    (folder / "transforms_input.json").write_text(json.dumps(document))
    (folder / "transforms_output.json").write_text(json.dumps(document))


def write_rig(folder: Path, views: list[View], field_of_view: float) -> None:
    """The views in the "rig" layout, the object at (1, 2, 3) and half as large."""
    location = np.array((1.0, 2.0, 3.0))
    poses = []
    for number, view in enumerate(views):
        save(folder / "images" / "rgb" / f"rgb{number:07d}.png", view.image)
        save(folder / "images" / "rgb" / f"mask{number:07d}.png", view.mask)
        pose = view.camera_to_world.copy()
        pose[:3, 3] = pose[:3, 3] / 2 + location
        poses.append(pose.tolist())
    height, width = views[0].mask.shape
    intrinsic = {"fov": math.degrees(field_of_view), "height": height, "width": width}
    (folder / "images" / "CameraRig.json").write_text(
        json.dumps({"intrinsic": intrinsic, "to_world": poses})
    )
    (folder / "scene").mkdir()
    (folder / "scene" / "scene_info.json").write_text(
        json.dumps({"object_location": location.tolist()})
    )


def assert_same(first: Any, second: Any, tolerance: float) -> None:
    for name in ("rgb", "background", "mask", "ray_origins", "ray_directions", "uv", "cameras"):
        difference = (getattr(first, name) - getattr(second, name)).abs().max().item()
        assert difference <= tolerance, f"{name}: {difference}"
    assert torch.allclose(first.windows, second.windows, atol=1e-3)
    assert torch.equal(first.frame_sizes, second.frame_sizes)


def test_golden_scenes(shared: Path) -> None:
    """Both released layouts give the stored tensors, to 5e-6 (K 1e-5), integers exactly."""
    folder = shared / "golden" / "preprocess"
    found = run_preprocess_case(read_case(folder)).tensors
    for name, expected in load_file(folder / "outputs.safetensors").items():
        assert found[name].shape == expected.shape, name
        assert found[name].dtype == expected.dtype, name
        difference = (found[name].double() - expected.double()).abs().max().item()
        assert difference <= (1e-5 if "K_input" in name else 5e-6), f"{name}: {difference}"


def test_square_views_are_the_released_ones(tmp_path: Path) -> None:
    """Square views give what either released layout gives for the same pictures and poses."""
    views = ball_views(SQUARE)
    settings = ReleaseSettings(image_size=SIZE, view_count=8, output_size=8)
    write_real(tmp_path / "real", views, 0.8)
    real = read_real(tmp_path / "real", settings).inputs
    assert_same(from_views(views, UNIT, config(compositing="linear")), real, 1e-6)
    write_rig(tmp_path / "rig", views, 0.8)
    rig = read_rig(tmp_path / "rig", settings).inputs
    assert_same(from_views(views, UNIT, config(compositing="display")), rig, 1e-6)


def test_a_capture_folder_is_read_to_the_same_tensors(tmp_path: Path) -> None:
    """From files on disk to tensors, our reader and the release's agree, background included."""
    write_real(tmp_path, ball_views(SQUARE), 0.8)
    settings = ReleaseSettings(image_size=SIZE, view_count=8, output_size=8)
    views = load_views(read_capture(tmp_path)).views
    converted = from_views(views, UNIT, config(compositing="linear"))
    assert_same(converted, read_real(tmp_path, settings).inputs, 1e-6)
    assert (converted.background - converted.rgb).abs().max() > 0.5


CAMERAS = {
    "landscape": intrinsics_from_fov(120, 80, 0.9),
    "portrait": intrinsics_from_fov(80, 120, 0.6),
    "shifted axis": Intrinsics(100, 90, 110.0, 110.0, 41.0, 52.0),
    "oblong pixels": Intrinsics(110, 80, 125.0, 105.0, 55.0, 40.0),
}


@pytest.mark.parametrize("name", CAMERAS)
def test_rays_go_where_the_camera_looks(name: str) -> None:
    """For any pinhole camera the ray of a pixel passes through the points seen there."""
    views = ball_views(CAMERAS[name])
    tensors = from_views(views, UNIT, config(relative_pose=False))
    point = np.array((0.1, -0.05, 0.08))
    for number, view in enumerate(views):
        window = object_window(view.mask)
        pixel = project(point[None], view.intrinsics, view.camera_to_world)[0][0]
        position = (pixel - (window.left, window.top)) * (SIZE / window.side)
        column, row = np.floor(position).astype(int)
        origin = tensors.ray_origins[number, row, column].double().numpy()
        direction = tensors.ray_directions[number, row, column].double().numpy()
        miss = np.linalg.norm(np.cross(point - origin, direction))
        # Half a pixel of the crop, diagonally, at a distance of about 1.7.
        assert miss < 0.71 * window.side / SIZE / view.intrinsics.fy * 1.9


@pytest.mark.parametrize("name", CAMERAS)
def test_routing_projects_right_for_every_camera(name: str) -> None:
    """The windows handed to the routing put points within a pixel of where they are seen."""
    views = ball_views(CAMERAS[name])
    tensors = from_views(views, UNIT, config())
    cameras = Cameras(tensors.cameras, tensors.windows, tensors.frame_sizes)
    point = np.array((0.15, 0.1, 0.0))
    turned = torch.tensor(point @ tensors.frame.rotation).float()[None]
    for number, view in enumerate(views):
        window = object_window(view.mask)
        pixel = project(point[None], view.intrinsics, view.camera_to_world)[0][0]
        expected = (pixel - (window.left, window.top)) * (32 / window.side)
        found = cameras.project(turned, number, 32)[0].numpy()
        # The release's formula spans pixel centers instead of edges: half a pixel and a little.
        assert np.abs(found + 0.5 - expected).max() < 0.8


def test_every_view_may_have_a_camera_of_its_own() -> None:
    """Lens, size and shape are those of the view, whatever the others have."""
    alike = [ball_views(camera) for camera in CAMERAS.values()]
    number = range(min(len(views) for views in alike))
    mixed = from_views([alike[i][i] for i in number], UNIT, config(relative_pose=False))
    assert len(mixed.frame_sizes.unique()) > 1
    for i in number:
        same = from_views(alike[i], UNIT, config(relative_pose=False))
        for name in ("rgb", "mask", "ray_origins", "ray_directions", "uv", "cameras", "windows"):
            torch.testing.assert_close(getattr(mixed, name)[i], getattr(same, name)[i])
        assert mixed.frame_sizes[i] == same.frame_sizes[i]


def test_the_world_does_not_matter() -> None:
    """An object turned, moved and scaled in the world gives the same input, and comes back."""
    views = ball_views(SQUARE)
    turn = look_at((0.3, 0.5, 0.9), (0.0, 0.0, 0.0))[:3, :3]
    scale, move = 7.0, np.array((30.0, -12.0, 5.0))
    elsewhere = []
    for view in views:
        pose = view.camera_to_world.copy()
        pose[:3, :3] = turn @ pose[:3, :3]
        pose[:3, 3] = scale * turn @ pose[:3, 3] + move
        elsewhere.append(replace(view, camera_to_world=pose))
    there = Normalization(tuple(move.tolist()), 1.0 / scale)
    first, second = from_views(views, UNIT, config()), from_views(elsewhere, there, config())
    assert_same(first, second, 1e-5)
    points = np.random.default_rng(0).normal(size=(20, 3)) * 0.2
    expected = scale * first.frame.to_world(points) @ turn.T + move
    np.testing.assert_allclose(second.frame.to_world(points), expected, atol=1e-9)


def test_model_rays_come_back_to_the_world() -> None:
    """A ray of the input, taken to the world, is the ray of the capture's camera."""
    there = Normalization((0.5, 0.25, -1.0), 0.5)
    tensors = from_views(ball_views(SQUARE), there, config())
    camera = tensors.frame.to_world(tensors.ray_origins[2, 0, 0].numpy())
    np.testing.assert_allclose(camera, POSITIONS[2], atol=1e-6)


@pytest.mark.parametrize(
    ("box", "expected"),
    [
        ((10, 30, 20, 60), Window(0, 40, 20, 60)),  # pushed down from above the frame
        ((30, 50, 20, 60), Window(20, 60, 20, 60)),  # centered
        ((50, 60, 20, 60), Window(20, 60, 20, 60)),  # pushed up from below
        ((5, 45, 80, 90), Window(5, 45, 60, 100)),  # a tall object pushed left
        ((20, 30, 5, 95), Window(-20, 70, 5, 95)),  # wider than the frame is high
    ],
)
def test_windows(box: tuple[int, int, int, int], expected: Window) -> None:
    """The longer side fits tightly, the other one is centered and kept in the frame if it can."""
    mask = np.zeros((60, 100), np.float32)
    mask[box[0] : box[1], box[2] : box[3]] = 0.01
    assert object_window(mask) == expected


def test_an_empty_mask_gives_a_centered_square() -> None:
    """A view that shows nothing still has a square window."""
    assert object_window(np.zeros((60, 100))) == Window(0, 60, 20, 80)


def test_a_window_over_the_border_is_white_there() -> None:
    """Where a wide object's window leaves the frame there is white, no mask and a right ray."""
    wide = Intrinsics(160, 40, 60.0, 60.0, 80.0, 20.0)
    view = ball_views(wide)[0]
    mask = np.zeros_like(view.mask)
    mask[10:30, 5:155] = 1.0
    tensors = from_views([replace(view, mask=mask)], UNIT, config(relative_pose=False))
    assert (tensors.rgb[0, :, 0] == 1.0).all()
    assert (tensors.mask[0, :, 0] == 0.0).all()
    top = tensors.ray_directions[0, 0, SIZE // 2].numpy() @ view.camera_to_world[:3, :3]
    np.testing.assert_allclose(top[1] / -top[2], 74.4 / 60.0, atol=0.03)  # row -54.4


def test_low_resolution_rays_are_averaged() -> None:
    """QUIRK 1: the dense stage reads averages of unit directions, which are shorter than one."""
    low = from_views(ball_views(SQUARE), UNIT, config()).downsampled(8)
    lengths = low.ray_directions.norm(dim=-1)
    assert 0.99 < lengths.min() < lengths.max() < 1.0 - 1e-6
    _, directions = low.surface_rays(16)
    assert torch.allclose(directions.norm(dim=-1), torch.ones(4, 16, 16), atol=1e-6)


def test_light_round_trip() -> None:
    """To linear light and back changes nothing beyond float32, at the knee as well."""
    values = np.linspace(0, 1, 10001, dtype=np.float32)
    np.testing.assert_allclose(linear_to_srgb(srgb_to_linear(values)), values, atol=3e-7)


def test_rig_archives_hold_the_same_pictures(tmp_path: Path) -> None:
    """Pictures in rgb.tar and mask.tar are those of the folder."""
    import tarfile

    write_rig(tmp_path, ball_views(SQUARE), 0.8)
    settings = ReleaseSettings(
        image_size=SIZE, view_count=2, output_size=8, input_views=(2, 0), output_views=(3,)
    )
    expected = read_rig(tmp_path, settings)
    pictures = tmp_path / "images" / "rgb"
    for kind in ("rgb", "mask"):
        with tarfile.open(pictures / f"{kind}.tar", "w") as tar:
            for path in sorted(pictures.glob(f"{kind}*.png")):
                tar.add(path, path.name)
                path.unlink()
    found = read_rig(tmp_path, settings)
    assert torch.equal(found.inputs.rgb, expected.inputs.rgb)
    assert torch.equal(found.targets.rgb, expected.targets.rgb)


def test_rig_pictures_that_were_cropped_before(tmp_path: Path) -> None:
    """With CropArea.json the pictures are taken as they are, with the rays of their windows."""
    views = ball_views(SQUARE)
    write_rig(tmp_path, views, 0.8)
    settings = ReleaseSettings(image_size=SIZE, view_count=4, output_size=8, output_views=(1,))
    expected = read_rig(tmp_path, settings)
    areas = [vars(crop.window) for crop in expected.crops]
    (tmp_path / "images" / "CropArea.json").write_text(json.dumps({"rgb": {"crop_areas": areas}}))
    found = read_rig(tmp_path, settings)
    assert [crop.window for crop in found.crops] == [crop.window for crop in expected.crops]
    assert torch.equal(found.inputs.windows, expected.inputs.windows)
    # Rays go through a detour over a smaller grid, which clamps half a pixel at its border.
    difference = (found.inputs.ray_directions - expected.inputs.ray_directions).abs().max()
    assert 0 < difference < 0.8 / SIZE


@pytest.mark.parametrize("layout", ["real", "rig"])
def test_transparent_and_gray_pictures_are_put_on_white(tmp_path: Path, layout: str) -> None:
    """DEFECT 4: pictures with alpha are composited, gray ones are gray; the release fails."""
    views = ball_views(SQUARE)[:2]
    write, read = {"real": (write_real, read_real), "rig": (write_rig, read_rig)}[layout]
    write(tmp_path, views, 0.8)
    pictures = sorted(tmp_path.glob("input/*" if layout == "real" else "images/rgb/rgb*"))
    blue = np.broadcast_to(np.array((0, 0, 255, 0), np.uint8), (90, 90, 4)).copy()
    blue[45:, :, 3] = 255
    Image.fromarray(blue).save(pictures[0])
    Image.fromarray(np.full((90, 90), 51, np.uint8)).save(pictures[1])
    settings = ReleaseSettings(image_size=SIZE, view_count=2, output_size=8)
    background = read(tmp_path, settings).inputs.background
    assert torch.allclose(background[0, :, 0, 0], torch.ones(3))
    assert torch.allclose(background[0, :, -1, 0], torch.tensor((-1.0, -1.0, 1.0)))
    assert torch.allclose(background[1], torch.tensor(51 / 127.5 - 1), atol=1e-6)


def test_broken_scenes_are_errors(tmp_path: Path) -> None:
    """A missing description, value or picture is an error that names it."""
    settings = ReleaseSettings(image_size=SIZE, view_count=4, output_size=8)
    with pytest.raises(BadCapture, match=r"transforms_input\.json"):
        read_real(tmp_path, settings)
    with pytest.raises(BadCapture, match=r"CameraRig\.json"):
        read_rig(tmp_path, settings)
    write_real(tmp_path, ball_views(SQUARE), 0.8)
    (tmp_path / "mask" / "001.png").unlink()
    with pytest.raises(BadImage, match=r"001\.png"):
        read_real(tmp_path, settings)
    (tmp_path / "transforms_input.json").write_text("{}")
    with pytest.raises(BadCapture, match="frames"):
        read_real(tmp_path, settings)
