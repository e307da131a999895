# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where checkpoints live on this computer; standard library only, for the doctor's sake."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import CheckpointMismatch, CheckpointMissing

CONFIG = "config.json"
"""The file by which a folder is known as a checkpoint."""

LICENSE_FILE = "LICENSE.txt"
"""What lies beside converted weights of others."""

SHIPPED = Path(__file__).resolve().parents[1] / "checkpoints"
"""Checkpoints that come with the repository."""

_CONVERT = "python3 -m backend convert-checkpoint"


@dataclass(frozen=True)
class Known:
    """A checkpoint that has a name.

    Attributes:
        license: its terms.
        remedy: what to do where it is missing.
    """

    license: str
    remedy: str


def _released(kind: str) -> Known:
    return Known(
        "CC BY-NC 4.0 (Meta), with DINOv3's own license for the image features",
        "Ask its authors for access, download it, and run "
        f"`{_CONVERT} DOWNLOAD/{kind}`; or use --checkpoint none.",
    )


KNOWN = {
    "lsrm-rgb": _released("rgb"),
    "lsrm-pbr": _released("brdf"),
    "mini": Known("GPL-3.0-or-later", "It is not part of this version; use --checkpoint none."),
}


def user_folder() -> Path:
    """Where the user's own checkpoints are: `$LSRM_CHECKPOINTS`, or the user's data folder."""
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
        name: of a known checkpoint, or any folder that holds one.

    Raises:
        CheckpointMissing: with what to do about it.
    """
    for folder in (user_folder() / name, SHIPPED / name, Path(name).expanduser()):
        if (folder / CONFIG).is_file():
            return folder
    if name in KNOWN:
        raise CheckpointMissing(
            f"The checkpoint {name} is not in {user_folder()}.", KNOWN[name].remedy
        )
    raise CheckpointMissing(
        f"{name} is neither the name of a checkpoint nor a folder with a {CONFIG}.",
        f"The names are none, {', '.join(KNOWN)}.",
    )


def installed_checkpoints() -> dict[str, Path]:
    """Names and folders of all checkpoints that are here."""
    folders = [
        folder
        for root in (SHIPPED, user_folder())
        if root.is_dir()
        for folder in sorted(root.iterdir())
        if (folder / CONFIG).is_file() and not folder.name.startswith("dinov3")
    ]
    return {folder.name: folder for folder in folders}


def license_of(folder: Path) -> str:
    """The terms of a checkpoint that is here, or where they stand."""
    notice = folder / LICENSE_FILE
    if folder.name in KNOWN:
        return KNOWN[folder.name].license
    return f"see {notice}" if notice.is_file() else "your own: no license beside it"


def needs_dinov3(folder: Path) -> bool:
    """Whether a checkpoint reads image features that it does not hold.

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
    """The user's DINOv3 weights: `$LSRM_DINOV3`, or what is called dinov3* among the checkpoints.

    Returns:
        A `.pth` file, or a folder in the layout of `transformers`.

    Raises:
        CheckpointMissing: with where to put them.
    """
    chosen = os.environ.get("LSRM_DINOV3")
    candidates = [Path(chosen).expanduser()] if chosen else sorted(user_folder().glob("dinov3*"))
    for path in candidates:
        if path.suffix == ".pth" or (path / CONFIG).is_file():
            return path
    raise CheckpointMissing(
        "The image features of DINOv3 (ViT-H/16+) are not on this computer.",
        "Accept their license at ai.meta.com/dinov3, download dinov3_vith16plus_pretrain*.pth, "
        f"and put it into {user_folder()} or point LSRM_DINOV3 at it.",
    )
