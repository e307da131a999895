# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which weights a job uses, and the license under which the released ones may be used.

No bpy in here.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from ...backend.shared.checkpoint_folders import (
    CONFIG,
    LICENSE_FILE,
    find_checkpoint,
    find_dinov3,
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

NONE, RGB, PBR, MINI, FOLDER = "none", "lsrm-rgb", "lsrm-pbr", "mini", "FOLDER"

CHOICES = (
    (NONE, "None", "No network: starts from the silhouettes. Works for everyone"),
    (RGB, "LSRM color", "The released weights that predict shape and color"),
    (PBR, "LSRM materials", "The released weights that predict shape and materials"),
    (MINI, "Mini", "The small weights of this project, where they are installed"),
    (FOLDER, "Folder", "Weights of your own"),
)

LICENSE = (
    "CC BY-NC 4.0 (Meta): not for commercial use. "
    "The image features come from DINOv3, which has a license of its own."
)


class Chosen(Protocol):
    """The settings of a scene that are about weights."""

    checkpoint: str
    checkpoint_folder: str
    material: str


def has_license(checkpoint: str) -> bool:
    """Whether a choice is of the weights that others have released."""
    return checkpoint in (RGB, PBR)


def has_materials(checkpoint: str) -> bool:
    """Whether a choice may predict materials."""
    return checkpoint in (PBR, MINI, FOLDER)


def weights_of(chosen: Chosen, folder: Path, *, accepted: bool) -> dict[str, str]:
    """The choice as parameters of a job.

    Args:
        chosen: the settings.
        folder: the chosen folder as an absolute path; counts if the choice is a folder.
        accepted: whether the user has accepted the license of the released weights.

    Raises:
        BadRequest: if no folder was chosen.
        LicenseNotAccepted: if the weights have a license that was not accepted.
        CheckpointMissing: if they, or the image features they need, are not on this computer.
    """
    name = chosen.checkpoint
    if name == FOLDER:
        if not chosen.checkpoint_folder:
            raise BadRequest("No folder of weights is chosen.", "Choose one in the settings.")
        name = str(folder)
    if has_license(name) and not accepted:
        raise _not_accepted()
    if name != NONE:
        _look_for(name, accepted=accepted)
    material = chosen.material if has_materials(chosen.checkpoint) else "rgb"
    return {"checkpoint": name, "material": material}


def _look_for(name: str, *, accepted: bool) -> None:
    """Find all that weights need now, and not after minutes of capturing.

    Raises:
        LicenseNotAccepted, CheckpointMissing: as above.
    """
    try:
        found = find_checkpoint(name)
    except CheckpointMissing as error:
        raise CheckpointMissing(error.message, _remedy(name, error)) from error
    if (found / LICENSE_FILE).is_file() and not accepted:
        raise _not_accepted()
    with suppress(CheckpointMismatch):  # what cannot be read the backend will refuse
        if needs_dinov3(found):
            find_dinov3()


def _not_accepted() -> LicenseNotAccepted:
    return LicenseNotAccepted(
        f"The license of the weights has not been accepted. {LICENSE}",
        "Read it, then tick the box in the settings; or choose no checkpoint.",
    )


def _remedy(name: str, error: CheckpointMissing) -> str:
    """The backend's, where choices are made in a panel and not with options."""
    if name not in (RGB, PBR, MINI):
        return f"Choose a folder with a {CONFIG}, or no checkpoint."
    return error.remedy.replace("use --checkpoint none", "choose no checkpoint")
