# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The choice of weights, and the license of the released ones."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from ...backend.shared.checkpoint_folders import (
    AUTO,
    CONFIG,
    LICENSE_FILE,
    NONE,
    SHIPPED,
    find_checkpoint,
    find_dinov3,
    meant_checkpoint,
    needs_dinov3,
)
from ...backend.shared.errors import (
    BadRequest,
    CheckpointMismatch,
    CheckpointMissing,
    LicenseNotAccepted,
)

if TYPE_CHECKING:
    from pathlib import Path

RGB, PBR, FOLDER = "lsrm-rgb", "lsrm-pbr", "FOLDER"

CHOICES = (
    (AUTO, "Automatic", "The small weights of this project where they ship, else none", 5),
    (NONE, "None", "No network: starts from the silhouettes. Works for everyone", 0),
    (RGB, "LSRM color", "The released weights that predict shape and color", 1),
    (PBR, "LSRM materials", "The released weights that predict shape and materials", 2),
    (SHIPPED, "Mini", "The small weights of this project, where they are installed", 3),
    (FOLDER, "Folder", "Weights of your own", 4),
)
"""Name, label, description, and the number by which a scene that is saved knows it."""

LICENSE = (
    "CC BY-NC 4.0 (Meta): not for commercial use. "
    "The image features come from DINOv3, which has a license of its own."
)


class CheckpointSettings(Protocol):
    """The settings of a scene that choose weights.

    Attributes:
        checkpoint: one of `CHOICES`.
        checkpoint_folder: a folder of weights.
        material: "auto", "rgb" or "pbr".
    """

    checkpoint: str
    checkpoint_folder: str
    material: str


def has_license(checkpoint: str) -> bool:
    """Whether a choice is one of the released weights, which have a license."""
    return checkpoint in (RGB, PBR)


def checkpoint_params(
    settings: CheckpointSettings, folder: Path, *, accepted: bool
) -> dict[str, str]:
    """The choice as parameters of `reconstruct`.

    Args:
        settings: of the scene.
        folder: the checkpoint folder as an absolute path; used if the choice is FOLDER.
        accepted: whether the user has accepted the license of the released weights.

    Raises:
        BadRequest: if no folder was chosen.
        LicenseNotAccepted: if the weights have a license that was not accepted.
        CheckpointMissing: if they, or the image features they need, are not on this computer.
    """
    name = meant_checkpoint(settings.checkpoint)
    if name == FOLDER:
        if not settings.checkpoint_folder:
            raise BadRequest("No folder of weights is chosen.", "Choose one in the settings.")
        name = str(folder)
    if has_license(name) and not accepted:
        raise not_accepted()
    if name != NONE:
        _check_available(name, accepted=accepted)
    return {"checkpoint": name, "material": settings.material}


def _check_available(name: str, *, accepted: bool) -> None:
    """Look for the files of the weights now, and not after minutes of capturing.

    Raises:
        LicenseNotAccepted, CheckpointMissing: as above.
    """
    try:
        found = find_checkpoint(name)
    except CheckpointMissing as error:
        raise CheckpointMissing(error.message, _remedy(name, error)) from error
    if (found / LICENSE_FILE).is_file() and not accepted:
        raise not_accepted()
    with suppress(CheckpointMismatch):  # the backend reports what cannot be read
        if needs_dinov3(found):
            find_dinov3()


def not_accepted() -> LicenseNotAccepted:
    """The error of a job that uses the released weights."""
    return LicenseNotAccepted(
        f"The license of the weights has not been accepted. {LICENSE}",
        "Read it, then tick the box in the settings; or choose no checkpoint.",
    )


def _remedy(name: str, error: CheckpointMissing) -> str:
    """The backend's remedy, with the panel's terms for command-line options."""
    if name not in (RGB, PBR, SHIPPED):
        return f"Choose a folder with a {CONFIG}, or no checkpoint."
    return error.remedy.replace("use --checkpoint none", "choose no checkpoint")
