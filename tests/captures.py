# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A capture of simple shapes, ray-cast in numpy, for tests that need views but not Blender."""

from __future__ import annotations

import json
import math
import struct
import subprocess
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
from PIL import Image

from backend.shared.cameras import fibonacci_sphere, intrinsics_from_fov, look_at, pixel_rays
from backend.shared.capture.capture import Frame
from backend.shared.capture.json_files import write_capture_json
from backend.shared.capture.reader import read_capture
from backend.shared.capture.writer import write_transforms
from backend.shared.lenses import Lens
from backend.shared.virtual_environments import child_variables

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from backend.shared.cameras import Floats, Intrinsics
    from backend.shared.lenses import Distortion

# The whole sphere of radius 0.5 just fits the frame.
DISTANCE = 1.5
FIELD_OF_VIEW = math.radians(40.0)
# Along one side of a pixel: coverage is a multiple of 1 / 16.
RAYS = 4
PLAIN = (0.7, 0.4, 0.2)
BACKGROUND = (0.25, 0.3, 0.35)


class MakeCapture(Protocol):
    """The signature of the `make_capture` fixture."""

    def __call__(
        self,
        folder: Path,
        views: int = 8,
        size: int = 96,
        shape: str = "sphere",
        *,
        textured: bool = True,
        center: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Path:
        """Write a capture folder."""


@dataclass(frozen=True)
class Ball:
    """A sphere.

    Attributes:
        center: (x, y, z).
        radius: above zero.
    """

    center: tuple[float, float, float]
    radius: float

    def hit(self, origin: Floats, directions: Floats) -> Floats:
        """Depth [...] of the first intersection, infinite if the ray misses."""
        offset = origin - self.center
        a = (directions**2).sum(axis=-1)
        b = directions @ offset
        root = b * b - a * (offset @ offset - self.radius**2)
        return np.where(root > 0.0, (-b - np.sqrt(root.clip(0.0))) / a, np.inf)


@dataclass(frozen=True)
class Box:
    """An axis-aligned box.

    Attributes:
        center: (x, y, z).
        half: half the length of its sides.
    """

    center: tuple[float, float, float]
    half: tuple[float, float, float]

    def hit(self, origin: Floats, directions: Floats) -> Floats:
        """Depth [...] of the first intersection, infinite if the ray misses."""
        with np.errstate(divide="ignore"):
            inverse = 1.0 / directions
        middle = np.asarray(self.center) - origin
        first, last = (middle - self.half) * inverse, (middle + self.half) * inverse
        enter = np.minimum(first, last).max(axis=-1)
        leave = np.maximum(first, last).min(axis=-1)
        return np.where(enter < leave, enter, np.inf)


# All of them lie in the sphere of radius 0.5 around 0.
SHAPES: dict[str, tuple[Ball | Box, ...]] = {
    "sphere": (Ball((0.0, 0.0, 0.0), 0.4),),
    "box": (Box((0.0, 0.0, 0.0), (0.28, 0.22, 0.34)),),
    "two_spheres": (Ball((-0.26, 0.0, 0.0), 0.2), Ball((0.26, 0.0, 0.05), 0.2)),
    "plate": (Box((0.0, 0.0, 0.0), (0.33, 0.33, 0.02)),),
    "arch": (
        Box((-0.24, 0.0, -0.05), (0.08, 0.12, 0.3)),
        Box((0.24, 0.0, -0.05), (0.08, 0.12, 0.3)),
        Box((0.0, 0.0, 0.28), (0.32, 0.12, 0.08)),
    ),
}


@pytest.fixture(scope="session")
def plain_pose() -> list[list[float]]:
    """A correct pose as JSON."""
    return look_at((0.0, -4.0, 1.0), (0.0, 0.0, 0.0)).tolist()


@pytest.fixture(scope="session")
def put_image():
    """A function that writes an image of 40 x 30 pixels, or of another size."""

    def put(path: Path, size: tuple[int, int] = (40, 30)) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", size, (90, 120, 30)).save(path)

    return put


@pytest.fixture(scope="session")
def put_capture(put_image, plain_pose):
    """A function that writes a transforms.json, with the images that have a suffix.

    Frames without a pose get one.
    """

    def put(
        folder: Path, top: dict[str, Any], frames: list[Any], name: str = "transforms.json"
    ) -> Path:
        for frame in frames:
            frame.setdefault("transform_matrix", plain_pose)
            path = folder / frame["file_path"].replace("\\", "/")
            if path.suffix in {".png", ".jpg"}:
                put_image(path)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps({**top, "frames": frames}), encoding="utf-8")
        return folder

    return put


@pytest.fixture
def mount(tmp_path):
    """A function that mounts a tmpfs at `tmp_path / "disk"`; skips where that is not permitted."""
    mounted = []

    def make(options):
        folder = tmp_path / "disk"
        folder.mkdir(exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)]
        try:
            result = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            pytest.skip("no mount command here")
        if result.returncode:
            pytest.skip(f"a tmpfs needs the right to mount: {result.stderr.strip()}")
        mounted.append(folder)
        return folder

    yield make
    for folder in mounted:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.fixture
def make_client(lsrm, tmp_path):
    """A function that makes a client of a child process; all are closed at the end."""
    clients, client_module = [], lsrm("lsrm_blender.jobs.backend_client")

    def make(command: tuple[str, ...], **limits: float):
        child = lsrm("lsrm_blender.jobs.child_process").ChildCommand(
            "The child", command, tmp_path / "log.txt", child_variables()
        )
        defaults = {"first_message": 8.0, "silence": 3.0, "terminate": 0.5, "kill": 1.0}
        limits = client_module.TimeLimits(**(defaults | limits))
        clients.append(client_module.Client(lambda: child, limits))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


@pytest.fixture(scope="session")
def make_capture() -> MakeCapture:
    """A function that writes a capture folder of one of the `SHAPES`."""
    return write_analytic_capture


def write_analytic_capture(
    folder: Path,
    views: int = 8,
    size: int = 96,
    shape: str = "sphere",
    *,
    textured: bool = True,
    center: tuple[float, float, float] = (0.0, 0.0, 0.0),
) -> Path:
    """Write a capture folder with views of a shape from all directions."""
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    lens = intrinsics_from_fov(size, size, FIELD_OF_VIEW)
    frames = []
    for index, direction in enumerate(fibonacci_sphere(views)):
        name = f"{index:04d}"
        pose = look_at(center + DISTANCE * direction, center)
        image, mask = trace(shape, lens, pose, center, textured=textured)
        paths = folder / "images" / f"{name}.png", folder / "masks" / f"{name}.png"
        for path, pixels in zip(paths, (image, mask), strict=True):
            Image.fromarray(np.rint(pixels * 255).astype(np.uint8)).save(path)
        frames.append(Frame(name, *paths, lens, pose))
    write_transforms(folder / "transforms.json", frames)
    sphere = {"center": list(center), "radius": 0.5}
    write_capture_json(folder, {"source": shape, "bounding_sphere": sphere})
    return folder


def trace(
    shape: str,
    lens: Intrinsics | Lens,
    pose: Floats,
    center: tuple[float, float, float],
    *,
    textured: bool,
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Image [h, w, 3] over a plain background, and coverage [h, w]: box-filtered, unlit."""
    origin, directions = _rays(lens, pose)
    origin = origin - center
    depth = np.min([part.hit(origin, directions) for part in SHAPES[shape]], axis=0)
    inside = np.isfinite(depth)
    color = np.broadcast_to(BACKGROUND, directions.shape).copy()
    points = origin + depth[inside, None] * directions[inside]
    color[inside] = surface_color(points) if textured else PLAIN
    return _box_filter(color), _box_filter(inside.astype(np.float64))


def _rays(lens: Intrinsics | Lens, pose: Floats) -> tuple[Floats, Floats]:
    """Origin [3] and directions [height, width, 3] of `RAYS` by `RAYS` rays for each pixel."""
    if not isinstance(lens, Lens):
        return pixel_rays(lens.scaled(RAYS * lens.width, RAYS * lens.height), pose)
    return pose[:3, 3].copy(), lens_rays(lens, RAYS) @ pose[:3, :3].T


def lens_rays(lens: Lens, rays: int) -> Floats:
    """Directions [height, width, 3] in camera coordinates, `rays` by `rays` for each pixel."""
    size = lens.intrinsics.width, lens.intrinsics.height
    u, v = ((np.arange(rays * side) + 0.5) / rays for side in size)
    pixels = np.stack(np.meshgrid(u, v), axis=-1)
    x, y = np.moveaxis(lens.distortion.undistort(lens.normalized(pixels)), -1, 0)
    return np.stack([x, -y, -np.ones_like(x)], axis=-1)


def distort_capture(folder: Path, distortion: Distortion, shape: str) -> Path:
    """Replace the images and masks of `write_analytic_capture` by those of a lens."""
    document = json.loads((folder / "transforms.json").read_text("utf-8"))
    for frame in read_capture(folder).frames:
        lens = Lens(frame.intrinsics, distortion)
        pixels = trace(shape, lens, frame.camera_to_world, (0.0, 0.0, 0.0), textured=True)
        for path, values in zip((frame.image_path, frame.mask_path), pixels, strict=True):
            Image.fromarray(np.rint(values * 255).astype(np.uint8)).save(path)
    document["camera_model"] = "OPENCV_FISHEYE" if distortion.is_fisheye else "OPENCV"
    values = (*distortion.radial, *distortion.tangential)
    document |= dict(zip(("k1", "k2", "k3", "k4", "k5", "k6", "p1", "p2"), values, strict=True))
    (folder / "transforms.json").write_text(json.dumps(document), "utf-8")
    return folder


def surface_color(points: Floats) -> Floats:
    """The colors [n, 3] of a smooth pattern without symmetry, with a few periods on the shape."""
    waves = points @ np.array([[9.0, 2.0, -3.0], [1.0, 8.0, 4.0], [-2.0, 3.0, 10.0]])
    return 0.5 + 0.4 * np.sin(waves + np.array([0.3, 1.1, 2.3]))


def deep_png(pixels: NDArray[np.uint16]) -> bytes:
    """A PNG of 16-bit values [height, width, 1 or 3], which Pillow cannot write."""
    height, width, channels = pixels.shape
    # Every row starts with the number of its filter: none.
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    color_type = {1: 0, 3: 2}[channels]
    chunks = {b"IHDR": struct.pack(">IIBBBBB", width, height, 16, color_type, 0, 0, 0)}
    chunks |= {b"IDAT": zlib.compress(rows), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks.items()
    )


def _box_filter(fine: Floats) -> NDArray[np.float32]:
    height, width = fine.shape[0] // RAYS, fine.shape[1] // RAYS
    cells = fine.reshape(height, RAYS, width, RAYS, *fine.shape[2:])
    return cells.mean(axis=(1, 3)).astype(np.float32)
