# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Damaged captures end with an error of the hierarchy or are read; libraries stay silent."""

from __future__ import annotations

import copy
import json
import math
import random
import time
import warnings
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from PIL import Image

from backend.shared.cameras import Normalization
from backend.shared.capture.reader import read_capture
from backend.shared.errors import LsrmError
from backend.shared.radiance_hdr import write_hdr
from backend.views import visual_hull
from backend.views.views import load_views

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VIEWS, SIZE = 5, 20
# Seconds after which the default run ends, and that one capture may take.
ENOUGH, LONGEST = 8.0, 20.0
MANY = 10_000
TINY, HUGE = (5e-324, 1e-320, 1e-200, 1e-30, 1e-9), (1e9, 1e18, 1e29, 1e200, 1e308)
NUMBERS = (*TINY, *HUGE, 0, -0.0, 1, -1, 0.5, 1e4, 2**31, 2**63, math.nan, math.inf, 10**400)
OTHERS = (None, True, False, "", "x", "50", "\0", "é" * 300, [], {}, [[]], [math.nan] * 4, [1e-320])
FORMATS = ("png", "jpg", "webp", "tif", "hdr", "exr")
QUICK, SHARE_OF_EXR = 5, 0.05


@dataclass(frozen=True)
class Files:
    """A capture that can be damaged and restored.

    Attributes:
        folder: of the capture.
        contents: of its files, by relative path.
    """

    folder: Path
    contents: dict[str, bytes]

    def restore(self) -> None:
        """Write all files as they were."""
        for path, content in self.contents.items():
            (self.folder / path).write_bytes(content)


@pytest.fixture(autouse=True)
def coarse_hull(monkeypatch):
    """The hull is sampled at few points, so that many captures fit into the time."""
    coarse = partial(visual_hull._shrink, resolution=16)
    monkeypatch.setattr(visual_hull, "_shrink", coarse)


@pytest.fixture(scope="module")
def captures(tmp_path_factory, make_capture) -> list[Files]:
    """The same views in every format that can be written here."""
    plain = make_capture(tmp_path_factory.mktemp("plain") / "box", VIEWS, SIZE, "box")
    return [
        files
        for suffix in FORMATS
        if (files := in_format(plain, tmp_path_factory.mktemp(suffix), suffix))
    ]


def in_format(source: Path, target: Path, suffix: str) -> Files | None:
    """A copy of a capture with images in a format; None if that cannot be written."""
    document = json.loads((source / "transforms.json").read_text())
    for number, frame in enumerate(document["frames"]):
        pixels = np.asarray(Image.open(source / frame["file_path"]))
        mask = np.asarray(Image.open(source / frame["mask_path"]))
        frame["file_path"] = f"{number}.{suffix}"
        path = target / frame["file_path"]
        if suffix == "exr":
            openexr = pytest.importorskip("OpenEXR") if _has_openexr() else None
            if openexr is None:
                return None
            planes = {"RGBA": np.dstack([pixels, mask]).astype(np.float32) / 255}
            with openexr.File({"compression": openexr.PIZ_COMPRESSION}, planes) as file:
                file.write(str(path))
            del frame["mask_path"]
        elif suffix == "hdr":
            write_hdr(path, pixels / 255)
        elif suffix == "webp":
            Image.fromarray(np.dstack([pixels, mask])).save(path)
            del frame["mask_path"]
        else:
            exif = Image.Exif()
            exif[0x0112] = 1 + number
            Image.fromarray(pixels).save(path, exif=exif)
        if "mask_path" in frame:
            frame["mask_path"] = f"mask_{number}.png"
            Image.fromarray(mask).save(target / frame["mask_path"])
    if suffix in {"png", "hdr"}:
        document["frames"][0] |= {"k1": 0.0, "camera_angle_x": 0.7}
    if suffix in {"png", "tif"}:
        (target / "capture.json").write_bytes((source / "capture.json").read_bytes())
    (target / "transforms.json").write_text(json.dumps(document))
    return Files(target, {path.name: path.read_bytes() for path in target.iterdir()})


def _has_openexr() -> bool:
    try:
        import OpenEXR  # noqa: F401
    except ImportError:
        return False
    return True


def damaged_bytes(content: bytes, chance: random.Random) -> bytes:
    """A content with bytes altered, cut out, inserted, or cut off."""
    data = bytearray(content)
    # Headers are short: without favor, most changes would meet pixels.
    limit = chance.choice((len(data), min(len(data), 64), min(len(data), 400)))
    start = chance.randrange(limit)
    length = chance.choice((1, 1, 2, 4, 16))
    kind = chance.randrange(5)
    if kind == 0:
        for index in range(start, min(len(data), start + length)):
            data[index] = chance.choice((0, 1, 0x7F, 0x80, 0xFF, chance.randrange(256)))
    elif kind == 1:
        del data[start : start + length]
    elif kind == 2:
        data[start:start] = bytes(chance.randrange(256) for _ in range(length))
    elif kind == 3:
        del data[start:]
    else:
        data[start] ^= 1 << chance.randrange(8)
    return bytes(data)


def damaged_document(content: bytes, chance: random.Random) -> bytes:
    """JSON with one to three values replaced, removed, scaled or repeated."""
    document = json.loads(content)
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        owner, key = chance.choice(places(document))
        value = owner[key]
        kind = chance.randrange(6)
        if kind == 0:
            del owner[key]
        elif kind == 1 and isinstance(value, int | float):
            owner[key] = value * chance.choice((-1, *TINY, *HUGE, 0.99, 1.01, 100))
        elif kind == 2:
            owner[key] = copy.deepcopy(chance.choice(OTHERS))
        elif kind == 3 and isinstance(owner, list):
            owner.insert(key, copy.deepcopy(value))
        else:
            owner[key] = chance.choice(NUMBERS)
    return json.dumps(document).encode()


def damaged_everywhere(content: bytes, chance: random.Random) -> bytes:
    """JSON with one value replaced by the same number in every frame."""
    document = json.loads(content)
    frames = document.get("frames")
    if not isinstance(frames, list):
        return content
    number, key = chance.choice(NUMBERS), chance.choice(("fl_x", "fl_y", "cx", "cy", "w", "h"))
    row, column = chance.randrange(4), chance.randrange(4)
    for frame in frames:
        if chance.random() < 0.5:
            frame[key] = number
        else:
            frame["transform_matrix"][row][column] = number
    return json.dumps(document).encode()


def places(value: Any) -> list[tuple[Any, Any]]:
    """All (container, key) of nested lists and objects."""
    if isinstance(value, dict):
        keys = list(value)
    elif isinstance(value, list):
        keys = list(range(len(value)))
    else:
        return []
    below = [place for key in keys for place in places(value[key])]
    return [(value, key) for key in keys] + below


def outcome(folder: Path) -> str:
    """Read a capture and look at its hull; the code of the error, or "read"."""
    try:
        views = load_views(read_capture(folder))
        sphere = views.bounding_sphere or visual_hull.estimate_bounding_sphere(views.views)
        normalization = Normalization.from_sphere(sphere.center, sphere.radius)
        hull = visual_hull.VisualHull.from_views(views.views, normalization, torch.device("cpu"))
        distance = hull.signed_distance(torch.zeros(1, 3))
        return "read" if distance.isfinite().all() else "not finite"
    except LsrmError as error:
        return error.code if error.code != "ERROR" else f"ERROR {error}"


def damage(files: Files, chance: random.Random) -> str:
    """Damage one file; says how."""
    name = chance.choice([*files.contents, *["transforms.json"] * len(files.contents)])
    ways: list[Callable[[bytes, random.Random], bytes]] = [damaged_bytes]
    if name.endswith(".json"):
        ways += [damaged_document, damaged_document, damaged_everywhere]
    way = chance.choice(ways)
    (files.folder / name).write_bytes(way(files.contents[name], chance))
    return f"{way.__name__} of {name}"


def run_mutations(captures: list[Files], count: int, seconds: float) -> dict[str, int]:
    """Damage captures until there are enough or the time is up; the outcomes, by how often."""
    outcomes: dict[str, int] = {}
    end = time.perf_counter() + seconds
    for number in range(count):
        chance = random.Random(number)  # noqa: S311 - no secret
        # The decoder of OpenEXR is a process of its own, which takes longer than all others.
        files = chance.choice(captures if chance.random() < SHARE_OF_EXR else captures[:QUICK])
        how = damage(files, chance)
        # Of this process alone: a busy machine is no fault.
        start = time.process_time()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                found = outcome(files.folder)
        except Exception as error:  # noqa: BLE001 - what must not be
            found = f"mutation {number}, {files.folder.name}, {how}: {error!r}"
        if time.process_time() - start > LONGEST:
            found = f"mutation {number}, {files.folder.name}, {how}: took too long"
        outcomes[found] = outcomes.get(found, 0) + 1
        files.restore()
        if time.perf_counter() > end:
            break
    return outcomes


def check(outcomes: dict[str, int], capfd) -> None:
    """All outcomes have a code, several codes and successes are among them, nothing is printed."""
    unexpected = [found for found in outcomes if found != "read" and not found.isupper()]
    assert not unexpected, "\n".join(unexpected)
    assert outcomes["read"] > 0
    assert len(outcomes) > 3
    assert capfd.readouterr() == ("", "")


def test_damaged_captures(captures, capfd):
    """As many as fit into a few seconds."""
    check(run_mutations(captures, MANY, ENOUGH), capfd)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_many_damaged_captures(captures, capfd):
    """All of them."""
    check(run_mutations(captures, MANY, math.inf), capfd)
