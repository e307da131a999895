# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sparse stage on several processes of this machine against one, all with one thread each.

Both are timed in turn in the same processes: while the first one computes alone, the others wait
for it. A forward is that of `run_sparse`, from views to voxels, with everything that is made once
per object: assignment, exchange of tokens and tiles.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
import torch.multiprocessing

from backend.model.config.presets import preset
from backend.model.encoder import EncoderInputs
from backend.model.routing.routes import Plan, Routes
from backend.model.stage import SparseBatch, Stage, run_sparse
from backend.parallel.group import ALONE, Group
from backend.parallel.rendezvous import joined

from ..kernels.layer import layer_config, plan_of
from ..kernels.scene import scene_of

if TYPE_CHECKING:
    from backend.model.config.model_config import ModelConfig
    from backend.views.views import Views

    from ..kernels.scene import Scene

RESOLUTION, WIDTH = 32, 512
"""Voxels per side and channels: about 20,000 tokens of half the released width."""
REPEATS = 3


@dataclass(frozen=True)
class Throughput:
    """Times of the forwards of one object.

    Attributes:
        tokens: of both streams.
        alone: seconds of each forward on one process.
        shared: seconds of each forward on all of them.
        alone_cpu_seconds: that the one process computed in a forward, on average.
        cpu_seconds: that each process computed in a shared forward, on average.
        received_bytes: by each process in each shared forward, by collective.
        difference: largest difference of voxels between both ways, over the largest voxel.
    """

    tokens: int
    alone: tuple[float, ...]
    shared: tuple[float, ...]
    alone_cpu_seconds: float
    cpu_seconds: tuple[float, ...]
    received_bytes: tuple[dict[str, float], ...]
    difference: float

    @property
    def speedup(self) -> float:
        """Median time alone over median time shared."""
        return statistics.median(self.alone) / statistics.median(self.shared)

    @property
    def cpu_speedup(self) -> float:
        """The same of the time computed, without waiting: what a busy machine leaves to measure."""
        return self.alone_cpu_seconds / max(self.cpu_seconds)

    @property
    def slowest_speedup(self) -> float:
        """The shortest time alone over the longest time shared."""
        return min(self.alone) / max(self.shared)


def measure(views: Views, name: str, processes: int, config: ModelConfig) -> Throughput:
    """Time the forward of an object on so many processes, and on the first of them alone."""
    scene = scene_of(views, name, config.sparse.transformer.volume_resolution)
    shown = min(len(views.views), config.routing.views)
    config = replace(config, routing=replace(config.routing, views=shown))
    with tempfile.TemporaryDirectory(prefix="lsrm-throughput-") as folder:
        torch.save(scene, Path(folder) / "scene")
        call = processes, folder, config
        torch.multiprocessing.spawn(_rank, call, processes)  # type: ignore[attr-defined,no-untyped-call]
        ranks = [
            json.loads((Path(folder) / f"{rank}.json").read_text("utf-8"))
            for rank in range(processes)
        ]
    first = ranks[0]
    return Throughput(
        first["tokens"],
        tuple(first["alone"]),
        tuple(map(max, zip(*(rank["shared"] for rank in ranks), strict=True))),
        first["alone_cpu_seconds"],
        tuple(rank["cpu_seconds"] for rank in ranks),
        tuple(rank["received_bytes"] for rank in ranks),
        first["difference"],
    )


def measured_config(resolution: int = RESOLUTION, width: int = WIDTH) -> ModelConfig:
    """The released sparse stage with one layer of each kind and no features of the dense stage."""
    config = preset("lsrm-rgb")
    transformer = replace(
        layer_config(width), depth=1, skip_links=(0,), volume_resolution=resolution
    )
    encoder = replace(config.sparse.encoder, width=width, feature_width=0)
    sparse = replace(
        config.sparse, image_size=8 * resolution, encoder=encoder, transformer=transformer
    )
    return replace(config, image_features="none", sparse=sparse)


def _rank(rank: int, processes: int, folder: str, config: ModelConfig) -> None:
    """What each process does; its results are a file."""
    torch.set_num_threads(1)
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # sockets of this machine only
    scene: Scene = torch.load(Path(folder) / "scene", weights_only=False)
    with joined(Path(folder), rank, processes, torch.device("cpu")):
        found = _timed(scene, config, Group.of_process())
    (Path(folder) / f"{rank}.json").write_text(json.dumps(found), encoding="utf-8")


@torch.no_grad()
def _timed(scene: Scene, config: ModelConfig, group: Group) -> dict[str, Any]:
    torch.manual_seed(0)
    stage = Stage(config.sparse).eval()
    batch = _batch(scene, config) if group.rank == 0 else _nothing(config)
    found: dict[str, Any] = {"alone": [], "shared": [], "difference": 0.0}
    found |= {"alone_cpu_seconds": 0.0, "cpu_seconds": 0.0}
    for _ in range(REPEATS):
        dist.barrier()
        alone = None
        if group.rank == 0:
            begin, computed = time.perf_counter(), time.process_time()
            alone = run_sparse(stage, _fresh(batch), ALONE).rows
            found["alone"].append(time.perf_counter() - begin)
            found["alone_cpu_seconds"] += (time.process_time() - computed) / REPEATS
        dist.barrier()
        begin, computed = time.perf_counter(), time.process_time()
        shared = run_sparse(stage, _fresh(batch), group).rows
        found["shared"].append(time.perf_counter() - begin)
        found["cpu_seconds"] += (time.process_time() - computed) / REPEATS
        if alone is not None:
            found["difference"] = float((shared - alone).abs().max() / alone.abs().max())
    found["received_bytes"] = {
        name: count / REPEATS for name, count in sorted(group.received.items())
    }
    streams = batch.plan.volume, batch.plan.image
    return found | {"tokens": sum(int(each.offsets[-1]) for each in streams)}


def _batch(scene: Scene, config: ModelConfig) -> SparseBatch:
    """The object with random pixels and rays."""
    if scene.tokens is None:
        raise ValueError("a repeated object has no tokens of its own")
    size, views = config.sparse.image_size, int(scene.tokens.image[:, 1].max()) + 1
    inputs = EncoderInputs(torch.rand(1, views, 3, size, size), torch.rand(1, views, 6, size, size))
    return SparseBatch(inputs, scene.tokens, plan_of(scene), None)


def _nothing(config: ModelConfig) -> SparseBatch:
    """The batch of a process that only helps."""
    return replace(SparseBatch.empty(config, torch.zeros(0)), features=None)


def _fresh(batch: SparseBatch) -> SparseBatch:
    """The same without tiles that an earlier forward made."""
    plan = batch.plan
    if plan.routes is None:
        raise ValueError("tiles belong to the sparse stage")
    routes = {
        name: replace(route, plan=replace(route.plan)) for name, route in vars(plan.routes).items()
    }
    plan = Plan(replace(plan.volume), replace(plan.image), Routes(**routes))
    return replace(batch, plan=plan)
