# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look at made objects, and measure how fast they are made.

python -m benchmarks.training.synthetic sheet FILE.png [--objects 24] [--size 160] [--views 2]
python -m benchmarks.training.synthetic speed FILE.json [--objects 100] [--size 64] [--views 8]
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader

from backend.training.synthetic.dataset import SyntheticDataset, SyntheticSettings
from backend.views.contact_sheet import Picture, write_contact_sheet


def write_sheet(dataset: SyntheticDataset, file: Path) -> None:
    """Write all views of the first objects on one sheet, over white."""
    pictures = []
    for index in range(len(dataset)):
        sample = dataset[index]
        shown = sample.images * sample.masks[:, None] + 1 - sample.masks[:, None]
        for image in shown:
            pixels = (255 * image.permute(1, 2, 0)).round().byte().cpu().numpy()
            pictures.append(Picture(np.ascontiguousarray(pixels)))
    write_contact_sheet(pictures, file)


def measure_speed(dataset: SyntheticDataset, processes: int) -> dict[str, float | int]:
    """Objects per second, with one process for each core.

    By the clock, and by the time that the processors were given, which other work does not change.
    """
    before, begin = os.times(), time.perf_counter()
    loader = DataLoader(
        dataset, batch_size=None, num_workers=processes, worker_init_fn=_on_one_core
    )
    for sample in loader:
        sample.check()
    seconds, after = time.perf_counter() - begin, os.times()
    busy = after.children_user + after.children_system
    busy -= before.children_user + before.children_system
    settings = dataset.settings
    return {
        "processes": processes,
        "views": settings.views,
        "size": settings.size,
        "objects": len(dataset),
        "objects_per_second": round(len(dataset) / seconds, 3),
        "objects_per_second_alone": round(processes * len(dataset) / busy, 3),
    }


def _on_one_core(_worker: int) -> None:
    torch.set_num_threads(1)


def _settings(arguments: argparse.Namespace) -> SyntheticSettings:
    return SyntheticSettings(
        views=arguments.views,
        size=arguments.size,
        objects=arguments.objects,
        seed=arguments.seed,
        panoramas=tuple(arguments.panoramas),
        device=arguments.device,
    )


def main() -> None:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("sheet", "speed"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--objects", type=int, default=24)
    parser.add_argument("--views", type=int, default=2)
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--panoramas", type=Path, nargs="*", default=[])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    arguments = parser.parse_args()
    dataset = SyntheticDataset(_settings(arguments))
    if arguments.what == "sheet":
        write_sheet(dataset, arguments.file)
    else:
        found = measure_speed(dataset, arguments.processes)
        arguments.file.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
        print(json.dumps(found))


if __name__ == "__main__":
    main()
