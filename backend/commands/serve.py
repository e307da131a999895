# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `serve`: a backend process that runs the jobs of the panel in Blender."""

from __future__ import annotations

import gc
import logging
import os
import platform
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..shared.errors import BadRequest
from ..shared.machine.system_memory import total_memory
from ..shared.rpc.server import LOG_FORMAT, LogToParent, Pipe, Server
from ..shared.version import version

if TYPE_CHECKING:
    import argparse

    from ..request import ReconstructRequest
    from ..result.comparison import Comparison
    from ..shared.progress import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `serve`: none of its own."""


def run(_arguments: argparse.Namespace) -> int:
    """Serve the parent on stdin and stdout until it closes them."""
    pipe = Pipe.take_standard_streams()
    logging.basicConfig(format=LOG_FORMAT, level=logging.INFO, force=True)
    logging.getLogger("backend").addHandler(LogToParent(pipe))
    methods = {
        "reconstruct": reconstruct,
        "check": check,
        "extras": extras,
        "examine": examine,
        "plan": plan,
        "photos": photos,
        "masks": masks,
        "export_views": export_views,
        "compared_views": compared_views,
        "compare": compare,
        "add_checkpoint": add_checkpoint,
        "pack": pack,
    }
    return Server(pipe, methods, describe, release).serve()


def describe() -> dict[str, Any]:
    """More members of the response to `initialize`; slow, because it imports PyTorch."""
    import torch

    from ..shared.checkpoint_folders import NONE, installed_checkpoints

    cuda = torch.cuda.is_available()
    card = torch.cuda.get_device_properties(0) if cuda else None
    return {
        "version": version(),
        "python": platform.python_version(),
        "pid": os.getpid(),
        "torch": torch.__version__,
        "device": card.name if card else "CPU",
        "memory": card.total_memory if card else total_memory(),
        "checkpoints": [NONE, *installed_checkpoints()],
    }


def reconstruct(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The method `reconstruct`: posed views to a result folder.

    Args:
        params: those of `ReconstructRequest`; and `previews`, a folder for previews of what there
            is so far, if they are wanted.
        progress: receives stages and previews; may cancel.

    Returns:
        `output`, the path of the result; `report`.
    """
    from ..pipeline import reconstruct as run_pipeline

    options = dict(params)
    previews = options.pop("previews", None)
    folder = Path(previews) if previews else None
    report = run_pipeline(_request(options), progress, folder).to_dict()
    return {"output": str(params["output"]), "report": report}


def check(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The method `check`: load views as `reconstruct` would, and describe them.

    Args:
        params: `views`; `fix_cameras`, `mask_erode`, `mask_feather`, and `contact_sheet`, the path
            of a PNG file, if wanted.
        progress: may cancel.

    Returns:
        What `check_views` returns.

    Raises:
        LsrmError: if something is wrong with them.
    """
    from ..check_views import CheckRequest, check_views
    from ..shared.capture.capture import MaskEdge

    sheet = params.get("contact_sheet")
    edge = MaskEdge(params.get("mask_erode", 0), params.get("mask_feather", 0))
    request = CheckRequest(
        Path(params["views"]), bool(params.get("fix_cameras")), Path(sheet) if sheet else None, edge
    )
    return check_views(request, progress)


def extras(_params: dict[str, Any], _progress: Progress) -> dict[str, Any]:
    """The method `extras`: by name, whether each is `installed`, and the `size` of its download."""
    from ..photographs.extras import PHOTOS

    return {extra.name: {"installed": extra.installed, "size": extra.size} for extra in (PHOTOS,)}


def examine(_params: dict[str, Any], _progress: Progress) -> dict[str, Any]:
    """The method `examine`: what this process computes with, as `findings` of `doctor`."""
    from .doctor import examine_process

    return {"findings": [finding.to_dict() for finding in examine_process()]}


def plan(params: dict[str, Any], _progress: Progress) -> dict[str, Any]:
    """The method `plan`: whether the memory suffices for a job whose views are still to be taken.

    Args:
        params: those of `reconstruct`, without its folders; `count` of the views and their `size`.

    Returns:
        The fields of `PlannedMemory`.

    Raises:
        LsrmError: if it does not, or the device or the weights cannot be used.
    """
    from ..planned_memory import plan_job

    options = {**params, "views": "", "output": ""}  # neither is there yet
    count, size = options.pop("count"), options.pop("size")
    return asdict(plan_job(_request(options), count, size))


def photos(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The method `photos`: photographs without cameras to the capture folder `output`.

    Args:
        params: `photos`, the folder of the photographs, and `output`.
        progress: receives stages; may cancel.

    Returns:
        `posed`, how many have cameras; `warnings`.

    Raises:
        LsrmError: if cameras cannot be found, or the extra is not installed.
    """
    from ..photographs.posed_folder import pose_photographs

    posed, warnings = pose_photographs(Path(params["photos"]), Path(params["output"]), progress)
    return {"posed": posed, "warnings": warnings}


def masks(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The method `masks`: make the masks that views lack.

    Args:
        params: `views`; `output`, the folder for the contact sheet and for masks that the capture
            does not take; `model` and `backdrop`, what makes them, or nothing.
        progress: receives stages; may cancel.

    Returns:
        `made`, how many; `warnings`.

    Raises:
        LsrmError: if no object stands out, or the extra is not installed.
    """
    from ..photographs.mask_source import MaskSource
    from .masks import make

    source = MaskSource.from_options(params["model"], params["backdrop"])
    made = make(Path(params["views"]), Path(params["output"]), source, progress)
    return {"made": made["made"], "warnings": made["notes"]}


def export_views(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The method `export_views`: posed views for other programs.

    Args:
        params: `views`; `output`, an empty or a new folder; `format`, one of `VIEW_FORMATS`.
        progress: receives the stage; may cancel.

    Returns:
        `views`, how many; `warnings`.

    Raises:
        LsrmError: as `export_views` does.
    """
    from ..export_views import export_views as export

    views, output = Path(params["views"]), Path(params["output"])
    capture = export(views, output, params["format"], progress)
    return {"views": len(capture.frames), "warnings": list(capture.warnings)}


def compared_views(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The method `compared_views`: views to compare a result with, stored below `work`.

    Args:
        params: `result`, its folder; `views`, what it was made of; `work`, for temporary files.
        progress: receives stages; may cancel.

    Returns:
        `cameras`, those of `choose_views`.

    Raises:
        LsrmError: as `choose_views` does.
    """
    from ..result.comparison import choose_views

    return {"cameras": choose_views(_comparison(params), progress)}


def compare(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The method `compare`: score renders of a result against the views stored before.

    Args:
        params: those of `compared_views`; `names`, of the views by those of their files; `small`,
            the path of a small picture.
        progress: receives stages; may cancel.

    Returns:
        What `comparison.compare` returns.

    Raises:
        LsrmError: as that does.
    """
    from ..result import comparison

    return comparison.compare(_comparison(params), params["names"], Path(params["small"]), progress)


def _comparison(params: dict[str, Any]) -> Comparison:
    from ..result.comparison import Comparison

    return Comparison(*(Path(params[name]) for name in ("result", "views", "work")))


def add_checkpoint(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The method `add_checkpoint`: make a download, whose license is accepted, usable by name.

    Args:
        params: `release`, the download, its folder rgb or brdf, or a file of it; `dinov3`, the file
            of the image features, or nothing.
        progress: receives stages; may cancel.

    Returns:
        `names` of the checkpoints.

    Raises:
        LsrmError: as `add` in `added_checkpoint.py` does.
    """
    from .added_checkpoint import add

    dinov3 = params["dinov3"]
    return {"names": add(Path(params["release"]), Path(dinov3) if dinov3 else None, progress)}


def pack(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The method `pack`: the test views of a capture to one file of a data set.

    Args:
        params: `views`, the capture folder; `output`, the file; `name`, of the sample.
        progress: receives the stage; may cancel.

    Returns:
        `report`: the `counts` of views and pixels per side, `metrics`, `seconds` and `warnings`.

    Raises:
        LsrmError: if the capture lacks something, or the file cannot be written.
    """
    from ..shared.errors import write_failure
    from ..training.datasets.captures import sample_of_capture
    from ..training.datasets.shards import write_sample

    output, start = Path(params["output"]), time.monotonic()
    progress.report("pack", 0.0, output.name)
    sample = sample_of_capture(Path(params["views"]), params["name"])
    try:
        write_sample(output, sample)
    except OSError as error:
        raise write_failure(output, error) from error
    counts = {"views": len(sample), "pixels": sample.images.shape[-1]}
    seconds = time.monotonic() - start
    report = {"counts": counts, "metrics": {}, "seconds": seconds, "warnings": []}
    return {"report": report}


def release() -> dict[str, Any]:
    """The method `release`: free unused memory of the device; returns the number of bytes."""
    gc.collect()
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return {"released": 0}
    before = torch.cuda.memory_reserved()
    torch.cuda.empty_cache()
    return {"released": before - torch.cuda.memory_reserved()}


def _request(params: dict[str, Any]) -> ReconstructRequest:
    """The request of the pipeline, which checks the values itself.

    Raises:
        BadRequest: if a parameter is missing, unknown or of the wrong type.
    """
    from ..request import ReconstructRequest

    remedy = "Use the extension and the backend of one version."
    known = {field.name for field in fields(ReconstructRequest)}
    wrong = sorted(set(params) - known) + sorted({"views", "output"} - set(params))
    if wrong:
        raise BadRequest(f"Unknown or missing parameters: {', '.join(wrong)}.", remedy)
    kinds = {"faces": int, "lods": list, "seed": int, "fix_cameras": bool}
    kinds |= {"mask_erode": int, "mask_feather": int}
    for name, value in params.items():
        if type(value) is not kinds.get(name, str):
            raise BadRequest(f"{name} cannot be {value!r}.", remedy)
    lods = params.get("lods", [])
    if any(type(each) is not int for each in lods):
        raise BadRequest(f"lods cannot be {lods!r}.", remedy)
    paths = {name: Path(params[name]) for name in ("views", "output")}
    return ReconstructRequest(**{**params, **paths, "lods": tuple(lods)})
