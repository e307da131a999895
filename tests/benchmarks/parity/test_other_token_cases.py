# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Selection and routing of other sizes than the golden cases, query by query from the formulas."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import pytest
import torch
from torch import Tensor

from backend.shared.cameras import fibonacci_sphere, look_at
from tests.benchmarks.parity.case_files import ranges, some_tokens, write_case, wrong

if TYPE_CHECKING:
    from pathlib import Path

ROUTING = {
    "wide window": {"attn_winsize": 4, "topk_volume": 5, "patch_size": 6},
    "more than there are": {"topk_volume": 90, "topk_multiimage": 40, "image_num_per_batch": 1},
    "cropped": {"crop": True, "bbox_radius": 0.7, "block_size": 3},
}
USUAL = {"bbox_radius": 0.5, "patch_size": 4, "block_size": 2, "volume_res": 6, "topk_volume": 3}
USUAL |= {"topk_multiimage": 2, "attn_winsize": 2, "image_num_per_batch": 3}
SIDE = 6  # patches along a side of a view


class Views:
    """Random surface points of two instances, seen by three cameras each."""

    def __init__(self, args: dict[str, Any], seed: int) -> None:
        self.args, self.batch, self.count = args, 2, 3
        random = torch.Generator().manual_seed(seed)
        self.size = SIDE * args["patch_size"] // 2
        shape = (self.batch, self.count, self.size, self.size)
        self.points = (torch.rand(*shape, 3, generator=random) - 0.5) * args["bbox_radius"]
        self.opacity = torch.rand(*shape, 1, generator=random)
        poses = [look_at(1.4 * d, (0, 0, 0)) for d in fibonacci_sphere(self.batch * self.count)]
        rows = [[*pose.ravel().tolist(), 0.8, 0.8, 0.5, 0.5] for pose in poses]
        self.cameras = torch.tensor(rows).view(self.batch, self.count, 20).float()
        corner = torch.randint(0, 30, (self.batch, self.count, 2), generator=random)
        side = torch.randint(60, 90, (self.batch, self.count), generator=random)
        top, left = corner.unbind(-1)
        self.windows = torch.stack([top, top + side, left, left + side], -1).float()
        self.frame = torch.tensor([[120.0, 160.0]] * self.batch)
        block, resolution = args["block_size"], args["volume_res"]
        images = (self.batch, self.count, SIDE, SIDE)
        self.image = some_tokens(images, 2, block, seed=seed)
        self.volume = some_tokens((self.batch, *[resolution] * 3), 3, block, seed=seed + 1)

    def inputs(self) -> dict[str, Tensor]:
        """As cases store them."""
        given = {"cameras_input": self.cameras, "surface_points": self.points}
        given |= {"surface_opacity": self.opacity, "image_index": torch.tensor(self.image).int()}
        given["volume_index"] = torch.tensor(self.volume).int()
        if self.args.get("crop"):
            given |= {"crop_input": self.windows, "origin_size": self.frame}
        return given

    def point_of(self, row: tuple[int, ...], *, volume: bool) -> Tensor:
        """The point of a token (QUIRK 8; the most opaque pixel of a patch)."""
        if volume:
            last, rho = self.args["volume_res"] - 1, 1.05 * self.args["bbox_radius"]
            z, y, x = (2 * (value / last - 0.5) * rho for value in row[1:])
            return torch.tensor([x, y, z], dtype=torch.float64)
        instance, view, line, column = row
        pixels = self.size // SIDE
        best: tuple[float, Tensor] = (-1.0, torch.zeros(3))
        for i, j in itertools.product(range(pixels), repeat=2):
            at = instance, view, line * pixels + i, column * pixels + j
            if float(self.opacity[at]) > best[0]:
                best = float(self.opacity[at]), self.points[at].double()
        return best[1]

    def place_in(self, instance: int, view: int, point: Tensor) -> tuple[float, float]:
        """Where a point is seen, in blocks."""
        camera = self.cameras[instance, view].double()
        x, y, z = (torch.linalg.inv(camera[:16].view(4, 4)) @ torch.cat([point, torch.ones(1)]))[:3]
        depth, slope = max(-float(z), 1e-6), math.tan(float(camera[16]) / 2)
        u = 0.5 * (float(x) / depth / slope + 1)
        v = 0.5 * (-float(y) / depth / slope + 1)
        h = self.size
        px, py = u * (h - 1), v * (h - 1)
        if self.args.get("crop"):
            top, bottom, left, _ = self.windows[instance, view].tolist()
            frame = float(self.frame[instance, 0])
            px = (u * (frame - 1) - left) / (bottom - top - 1) * (h - 1)
            py = (v * (frame - 1) - top) / (bottom - top - 1) * (h - 1)
        in_block = h // (SIDE // self.args["block_size"])
        return px / in_block, py / in_block

    def surface_distance(self, instance: int, view: int, block: tuple, point: Tensor) -> float:
        """From a point to what a block sees; faint pixels lie at twice the radius."""
        in_block = self.size // (SIDE // self.args["block_size"])
        nearest = math.inf
        for i, j in itertools.product(range(in_block), repeat=2):
            at = instance, view, block[0] * in_block + i, block[1] * in_block + j
            seen = float(self.opacity[at]) > 0.2
            distance = float((self.points[at].double() - point).norm())
            nearest = min(nearest, distance if seen else 2 * self.args["bbox_radius"])
        return nearest

    def to_images(self, instance: int, point: Tensor) -> list[int]:
        """The image blocks that a query point selects."""
        block, wanted = self.args["block_size"], self.args["attn_winsize"] ** 2
        found, offset = [], 0
        for view in range(self.count):
            blocks = sorted(
                {
                    (r // block, c // block)
                    for b, v, r, c in self.image
                    if (b, v) == (instance, view)
                }
            )
            x, y = self.place_in(instance, view, point)
            flat = [(c + 0.5 - x) ** 2 + (r + 0.5 - y) ** 2 for r, c in blocks]
            for number in sorted(range(len(blocks)), key=flat.__getitem__)[:wanted]:
                distance = self.surface_distance(instance, view, blocks[number], point)
                found.append((distance, offset + number))
            offset += len(blocks)
        count = self.args["topk_multiimage"] * self.args["image_num_per_batch"]
        return _padded([number for _, number in sorted(found)[:count]], count)


def _padded(ids: list[int], count: int) -> list[int]:
    return ids + [-1] * (count - len(ids))


@pytest.mark.parametrize("name", ROUTING)
def test_routing_of_other_sizes(tmp_path: Path, name: str) -> None:
    """Blocks, points and all four tables."""
    args = USUAL | ROUTING[name]
    args["input_image_res"] = [SIDE * args["patch_size"] // 2, SIDE * args["patch_size"]]
    views, expected = Views(args, seed=len(name)), {}
    at = {
        "v": [views.point_of(row, volume=True) for row in views.volume],
        "i": [views.point_of(row, volume=False) for row in views.image],
    }
    rows = {"v": views.volume, "i": views.image}
    blocks = {
        "v": ranges(views.volume, 3, args["block_size"]),
        "i": ranges(views.image, 2, args["block_size"]),
    }
    long = {"v": "vol", "i": "img"}
    for query_stream, key_stream in itertools.product("vi", repeat=2):
        stored, short = (
            f"{long[query_stream]}_to_{long[key_stream]}_attn",
            f"{query_stream}2{key_stream}",
        )
        table, gaps = [], []
        for instance in range(views.batch):
            own = [
                blocks[key_stream][k] for k in owned(rows[key_stream], blocks[key_stream], instance)
            ]
            queries = [
                p
                for p, row in zip(at[query_stream], rows[query_stream], strict=True)
                if row[0] == instance
            ]
            expected[f"trace.{short}.b{instance}.query_points"] = torch.stack(queries)
            if key_stream == "v":
                centers = torch.stack([torch.stack(at["v"][a:b]).mean(0) for a, b in own])
                expected[f"trace.{short}.b{instance}.block_centers"] = centers
                for query in queries:
                    distance, near = (centers - query).norm(dim=1).sort()
                    count = args["topk_volume"]
                    table.append(_padded(sorted(near[:count].tolist()), count))
                    gap = distance[count] - distance[count - 1] if count < len(near) else math.inf
                    gaps.append(float(gap))
            else:
                table += [views.to_images(instance, query) for query in queries]
        expected[f"{stored}.block_topk"] = torch.tensor(table).int()
        counts = [len(owned(rows[key_stream], blocks[key_stream], i)) for i in range(views.batch)]
        expected[f"{stored}.cu_seqblocks"] = torch.tensor([0, *itertools.accumulate(counts)]).int()
        ends = torch.tensor([0, *(b for _, b in blocks[key_stream])]).int()
        expected[f"{stored}.cu_block_include_tokens"] = ends
        if key_stream == "v":  # tokens on a grid have ties
            expected[f"margin.{short}"] = torch.tensor(gaps)
        else:  # random points have none
            clear = torch.full((len(rows[query_stream]),), torch.inf)
            expected |= {f"margin.{short}.{kind}": clear for kind in ("final", "window")}
    document = {"kind": "routing", "config": {"args": args}}
    assert wrong(write_case(tmp_path / "case", document, {}, views.inputs(), expected)) == []


def owned(rows: list[tuple[int, ...]], blocks: list[tuple[int, int]], instance: int) -> list[int]:
    """Numbers of an instance's blocks."""
    return [number for number, (first, _) in enumerate(blocks) if rows[first][0] == instance]


@pytest.mark.parametrize(("block", "samples", "dilation"), [(2, 3, 1), (3, 2, 0), (6, 4, 2)])
def test_selection_of_other_sizes(tmp_path: Path, block: int, samples: int, dilation: int) -> None:
    """The kept patches and volume tokens, their order, and their features of the dense stage."""
    patch, side, resolution, batch, count = 3, 6, 6, 2, 2
    random = torch.Generator().manual_seed(block)
    mask = torch.rand(batch, count, 1, side * patch, side * patch, generator=random)
    mask = mask * (torch.rand(mask.shape, generator=random) < 0.05)
    cells = (batch, resolution, samples, resolution, samples, resolution, samples)
    level = torch.randn(batch, resolution, 1, resolution, 1, resolution, 1, generator=random)
    sdf = level + 0.4 * torch.randn(cells, generator=random)
    alpha = 10 ** (-4 * torch.rand(batch, resolution, 1, resolution, 1, resolution, 1))
    alpha = alpha.expand(cells).contiguous()
    old = {"volfeat": torch.randn(batch, 8, 5, generator=random)}
    old["imfeat.0"] = torch.randn(batch, count * 9, 5, generator=random)
    kept = sorted(
        (b, v, r // block, c // block, r, c)
        for b, v, r, c in itertools.product(range(batch), range(count), range(side), range(side))
        if mask[b, v, 0, r * patch : (r + 1) * patch, c * patch : (c + 1) * patch].sum() != 0
    )
    image = [(b, v, r, c) for b, v, _, _, r, c in kept]
    near = torch.zeros(batch, resolution, resolution, resolution, dtype=torch.bool)
    for b, z, y, x in itertools.product(range(batch), *[range(resolution)] * 3):
        s, a = sdf[b, z, :, y, :, x], alpha[b, z, :, y, :, x]
        crossing = s.max() > 0 and s.min() < 0
        outside = s.min() > 0 and a.max() > 2e-3
        near[b, z, y, x] = crossing or outside or (s.max() < 0 and a.min() < 1 - 2e-3)
    grown = torch.zeros_like(near)
    for b, z, y, x in near.nonzero().tolist():
        low, high = ([v + d for v in (z, y, x)] for d in (-dilation, dilation + 1))
        cube = [slice(max(first, 0), last) for first, last in zip(low, high, strict=True)]
        grown[b][tuple(cube)] = True
    voxels = sorted(
        grown.nonzero().tolist(), key=lambda row: (row[0], [v // block for v in row[1:]], row[1:])
    )
    unit = torch.nn.functional.normalize
    volume_feature = [
        old["volfeat"][
            b, ((z * 2 // resolution) * 2 + y * 2 // resolution) * 2 + x * 2 // resolution
        ]
        for b, z, y, x in voxels
    ]
    image_feature = [
        old["imfeat.0"][b, (v * 3 + r * 3 // side) * 3 + c * 3 // side] for b, v, r, c in image
    ]
    expected = {
        "one.image_index": torch.tensor(image).int(),
        "one.volume_index": torch.tensor(voxels).int(),
        "one.volume_mask_before_dilation": near,
        "one.volume_mask": grown.flatten(),
        "one.volfeat_sparse": unit(torch.stack(volume_feature), dim=1),
        "one.imfeat_sparse.0": unit(torch.stack(image_feature), dim=1),
        "one.actual_im_num": torch.tensor(count).int(),
    }
    inputs = {"mask_input": mask, "sdf_volume": sdf.reshape(batch, -1, 1)} | old
    inputs["alpha_volume"] = alpha.reshape(batch, -1, 1)
    args = {"patch_size": patch, "block_size": block, "volume_res": resolution}
    document: dict[str, Any] = {"kind": "sparsify", "config": {"args": args, "n_imfeat": 1}}
    document["config"]["settings"] = {"one": {"volume_dilation_radius": dilation}}
    assert wrong(write_case(tmp_path / "case", document, {}, inputs, expected)) == []
