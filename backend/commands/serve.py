# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The command `serve`: a backend process that runs the jobs of the panel in Blender."""

from __future__ import annotations

import gc
import logging
import os
import platform
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..setup.system_memory import total_memory
from ..shared.errors import BadRequest
from ..shared.rpc_server import LogToParent, Pipe, Server
from ..shared.virtual_environments import ROOT

if TYPE_CHECKING:
    import argparse

    from ..request import ReconstructRequest
    from ..shared.progress import Progress


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `serve`: none of its own."""


def run(_arguments: argparse.Namespace) -> int:
    """Serve the parent on stdin and stdout until it closes them."""
    pipe = Pipe.take_standard_streams()
    logging.basicConfig(
        format="%(asctime)s %(levelname)s %(message)s", level=logging.INFO, force=True
    )
    logging.getLogger("backend").addHandler(LogToParent(pipe))
    methods = {"reconstruct": reconstruct, "check": check}
    return Server(pipe, methods, describe, release).serve()


def describe() -> dict[str, Any]:
    """More members of the response to `initialize`; slow, because it imports PyTorch."""
    import torch

    from ..request import NO_CHECKPOINT
    from ..shared.checkpoint_folders import installed_checkpoints

    cuda = torch.cuda.is_available()
    card = torch.cuda.get_device_properties(0) if cuda else None
    return {
        "version": version(),
        "python": platform.python_version(),
        "pid": os.getpid(),
        "device": card.name if card else "CPU",
        "memory": card.total_memory if card else total_memory(),
        "checkpoints": [NO_CHECKPOINT, *installed_checkpoints()],
    }


def version() -> str:
    """The version of LSRM in its manifest."""
    manifest = tomllib.loads((ROOT / "blender_manifest.toml").read_text("utf-8"))
    return str(manifest["version"])


def reconstruct(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The method `reconstruct`: posed views to a result folder; returns its path and report."""
    from ..pipeline import reconstruct as run_pipeline

    report = run_pipeline(_request(params), progress).to_dict()
    return {"output": str(params["output"]), "report": report}


def check(params: dict[str, Any], progress: Progress) -> dict[str, Any]:
    """The method `check`: load views as `reconstruct` would.

    Args:
        params: `views`, and `fix_cameras` if wanted.
        progress: may cancel.

    Returns:
        `views`, their number; `warnings`; and the judgment of `Views.to_dict`, whose `likely_cause`
        the parameter `fix_cameras` corrects, also in `reconstruct`.

    Views without masks are not loaded: their masks are made when they are reconstructed.

    Raises:
        LsrmError: if something is wrong with them.
    """
    from ..photographs.missing_masks import have_masks
    from ..shared.capture.reader import read_capture
    from ..views.selection import size_in_memory
    from ..views.views import load_views

    capture = read_capture(Path(params["views"]))
    missing = have_masks(capture.frames).count(False)
    if missing:
        note = f"{missing} of {len(capture.frames)} views have no mask: masks will be made."
        return {"views": len(capture.frames), "warnings": [*capture.warnings, note]}
    views = load_views(
        capture,
        progress,
        max_size=size_in_memory(capture.frames),
        fix_cameras=bool(params.get("fix_cameras")),
    )
    return {"views": len(views.views), "warnings": list(views.warnings), **views.to_dict()}


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
    for name, value in params.items():
        kind = {"faces": int, "seed": int, "fix_cameras": bool}.get(name, str)
        if type(value) is not kind:
            raise BadRequest(f"{name} cannot be {value!r}.", remedy)
    paths = {name: Path(params[name]) for name in ("views", "output")}
    return ReconstructRequest(**{**params, **paths})
