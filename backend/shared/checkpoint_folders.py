# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkpoints on this computer: their folders, licenses and DINOv3 weights.

Standard library only: the doctor runs before anything is installed.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import CheckpointMismatch, CheckpointMissing

CONFIG = "config.json"
"""The file that makes a folder a checkpoint."""

LICENSE_FILE = "LICENSE.txt"
"""The license of converted weights, in their folder."""

RELEASE_LICENSE = """\
The released weights of LSRM are the work of Meta, licensed CC BY-NC 4.0:
https://creativecommons.org/licenses/by-nc/4.0/
You may use and share them, with attribution, for purposes that are not
commercial. Checkpoints converted from them stay under that license.
The image features they need come from DINOv3, with a license of its own:
https://ai.meta.com/resources/models-and-libraries/dinov3-license/
LSRM's own code is GPL-3.0-or-later; that does not change these licenses.
"""
"""What a user accepts before released weights are converted."""

AUTO, NONE = "auto", "none"
"""Choices of weights: those that ship, if there are any; no network."""

SHIPPED = "mini"
"""The checkpoint that ships, in versions that have one."""

SHIPPED_FOLDER = Path(__file__).resolve().parents[1] / "checkpoints"
"""Of the checkpoints that are part of the repository."""

_CONVERT = "python3 -m backend convert-checkpoint"


@dataclass(frozen=True)
class NamedCheckpoint:
    """A checkpoint that is known by name.

    Attributes:
        license: its terms.
        remedy: what to do if it is missing.
    """

    license: str
    remedy: str


def _released(kind: str) -> NamedCheckpoint:
    return NamedCheckpoint(
        "CC BY-NC 4.0 (Meta), with DINOv3's own license for the image features",
        "Ask its authors for access, download it, and run "
        f"`{_CONVERT} DOWNLOAD/{kind}`; or use --checkpoint none.",
    )


NAMED_CHECKPOINTS = {
    "lsrm-rgb": _released("rgb"),
    "lsrm-pbr": _released("brdf"),
    SHIPPED: NamedCheckpoint(
        "GPL-3.0-or-later", "It is not part of this version; use --checkpoint none."
    ),
}


def user_checkpoints() -> Path:
    """The folder of the user's checkpoints: $LSRM_CHECKPOINTS, or one in the user's data folder."""
    chosen = os.environ.get("LSRM_CHECKPOINTS")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        data = Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local"))
    elif sys.platform == "darwin":
        data = Path.home() / "Library" / "Application Support"
    else:
        data = Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share")
    return data / "lsrm" / "checkpoints"


def find_checkpoint(name: str) -> Path:
    """The folder of a checkpoint.

    Args:
        name: of a checkpoint, or the path of any folder with one.

    Raises:
        CheckpointMissing: if there is none.
    """
    for folder in (user_checkpoints() / name, SHIPPED_FOLDER / name, Path(name).expanduser()):
        if (folder / CONFIG).is_file():
            return folder
    if name in NAMED_CHECKPOINTS:
        raise CheckpointMissing(
            f"The checkpoint {name} is not in {user_checkpoints()}.", NAMED_CHECKPOINTS[name].remedy
        )
    raise CheckpointMissing(
        f"{name} is neither the name of a checkpoint nor a folder with a {CONFIG}.",
        f"The names are auto, none, {', '.join(NAMED_CHECKPOINTS)}.",
    )


def meant_checkpoint(choice: str) -> str:
    """The name or folder that a choice of weights means: `auto` is what ships, else `none`."""
    if choice != AUTO:
        return choice
    return SHIPPED if (SHIPPED_FOLDER / SHIPPED / CONFIG).is_file() else NONE


def installed_checkpoints() -> dict[str, Path]:
    """The folders of all installed checkpoints by name, without those that are being written."""
    folders = [
        folder
        for root in (SHIPPED_FOLDER, user_checkpoints())
        if root.is_dir()
        for folder in sorted(root.iterdir())
        if (folder / CONFIG).is_file() and not folder.name.startswith((".", "dinov3"))
    ]
    return {folder.name: folder for folder in folders}


def license_of(folder: Path) -> str:
    """The license of an installed checkpoint, or the file with it."""
    notice = folder / LICENSE_FILE
    if folder.name in NAMED_CHECKPOINTS:
        return NAMED_CHECKPOINTS[folder.name].license
    return f"see {notice}" if notice.is_file() else "your own: no license beside it"


def needs_dinov3(folder: Path) -> bool:
    """Whether a checkpoint needs the image features of DINOv3.

    Raises:
        CheckpointMismatch: if its configuration cannot be read.
    """
    try:
        config = json.loads((folder / CONFIG).read_text("utf-8"))
        return bool(config["image_features"] == "dinov3")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointMismatch(
            f"{folder / CONFIG} cannot be read: {error}.", f"Convert it again: `{_CONVERT}`."
        ) from error


def find_dinov3() -> Path:
    """The user's DINOv3 weights: $LSRM_DINOV3, or dinov3* in the folder of checkpoints.

    Returns:
        A `.pth` file, or a folder in the layout of `transformers`.

    Raises:
        CheckpointMissing: if there are none.
    """
    chosen = os.environ.get("LSRM_DINOV3")
    candidates = (
        [Path(chosen).expanduser()] if chosen else sorted(user_checkpoints().glob("dinov3*"))
    )
    for path in candidates:
        if path.suffix == ".pth" or (path / CONFIG).is_file():
            return path
    raise CheckpointMissing(
        "The image features of DINOv3 (ViT-H/16+) are not on this computer.",
        "Accept their license at ai.meta.com/dinov3, download dinov3_vith16plus_pretrain*.pth, "
        f"and put it into {user_checkpoints()} or set LSRM_DINOV3 to its path.",
    )
