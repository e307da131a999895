# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Structure from motion by pycolmap, in a process of its own.

pycolmap computes for minutes without a check for a cancel and writes to the terminal: a process can
be ended at any time, and its messages go to a file. Progress is reported as lines of JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pycolmap

if TYPE_CHECKING:
    from collections.abc import Callable

    Report = Callable[[str, float], None]

# In the folder of the process: prepared images, what to do, and the cameras found.
IMAGES, JOB, MODEL = "images", "job.json", "model"

IMAGES_PER_CHUNK = 4
CHUNKS_OF_PAIRS = 50
MAX_FEATURES = 6000
MIN_MODEL_SIZE = 3
LENS_MODEL = "SIMPLE_RADIAL"
SEED = 0


def find_cameras(folder: Path, report: Report) -> dict[str, Any]:
    """Find the cameras of the prepared images; the largest model is written to `MODEL`.

    Args:
        folder: with `IMAGES` and `JOB`. That lists the images of each lens, with its parameters if
            they are known roughly, and the pairs of images to compare.
        report: receives stage and fraction.

    Returns:
        Mean error of the points in pixels and their number; empty if no images connect.
    """
    job = json.loads((folder / JOB).read_text("utf-8"))
    count = sum(len(lens["images"]) for lens in job["lenses"])
    pycolmap.set_random_seed(SEED)
    done = 0
    for lens in job["lenses"]:
        for start in range(0, len(lens["images"]), IMAGES_PER_CHUNK):
            report("features", done / count)
            names = lens["images"][start : start + IMAGES_PER_CHUNK]
            _extract_features(folder, names, lens["parameters"], is_first=start == 0)
            done += len(names)
    step = max(1, len(job["pairs"]) // CHUNKS_OF_PAIRS)
    for start in range(0, len(job["pairs"]), step):
        report("matching", start / len(job["pairs"]))
        _match(folder, job["pairs"][start : start + step])
    return _map_images(folder, count, report)


def _extract_features(folder: Path, names: list[str], parameters: str, *, is_first: bool) -> None:
    """Find features in images of one lens, which is a new one for the first of them."""
    database = folder / "database.db"
    options = pycolmap.FeatureExtractionOptions()
    options.use_gpu = False
    options.sift.max_num_features = MAX_FEATURES
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = LENS_MODEL
    if is_first:
        reader.camera_params = parameters
    else:
        with pycolmap.Database.open(database) as opened:
            reader.existing_camera_id = max(each.camera_id for each in opened.read_all_cameras())
    pycolmap.extract_features(
        database_path=database,
        image_path=folder / IMAGES,
        image_names=names,
        camera_mode=pycolmap.CameraMode.SINGLE,
        reader_options=reader,
        extraction_options=options,
        device=pycolmap.Device.cpu,
    )


def _match(folder: Path, pairs: list[list[str]]) -> None:
    """Compare pairs of images."""
    listed = folder / "pairs.txt"
    listed.write_text("".join(f"{one} {other}\n" for one, other in pairs), "utf-8")
    options = pycolmap.FeatureMatchingOptions()
    options.use_gpu = False
    pairing = pycolmap.ImportedPairingOptions()
    pairing.match_list_path = listed
    pycolmap.match_image_pairs(
        folder / "database.db",
        matching_options=options,
        pairing_options=pairing,
        device=pycolmap.Device.cpu,
    )


def _map_images(folder: Path, count: int, report: Report) -> dict[str, Any]:
    """Find the cameras of all images that connect; see `find_cameras`."""
    options = pycolmap.IncrementalPipelineOptions()
    options.min_model_size = MIN_MODEL_SIZE
    options.extract_colors = False
    options.random_seed = SEED
    found = 0

    def count_image() -> None:
        nonlocal found
        found += 1
        report("cameras", min(found / count, 0.99))

    report("cameras", 0.0)
    (folder / "models").mkdir()
    models = pycolmap.incremental_mapping(
        folder / "database.db",
        folder / IMAGES,
        folder / "models",
        options=options,
        next_image_callback=count_image,
    )
    if not models:
        return {}
    largest = max(models.values(), key=lambda model: model.num_reg_images())
    (folder / MODEL).mkdir()
    largest.write_binary(str(folder / MODEL))
    return {
        "reprojection_error": largest.compute_mean_reprojection_error(),
        "points": largest.num_points3D(),
        "by": f"pycolmap {pycolmap.__version__}",
    }


def main(folder: Path) -> None:
    """Work in a folder; lines of JSON on stdout are [stage, fraction], the last one is a result."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as output:
        os.dup2(2, 1)

        def write(value: Any) -> None:
            output.write(json.dumps(value) + "\n")
            output.flush()

        write(find_cameras(folder, lambda stage, fraction: write([stage, fraction])))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
