# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""LSRM's errors: a code for programs, a sentence for the artist, and a remedy."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from pathlib import Path

OUT_OF_SPACE = {errno.ENOSPC, errno.EDQUOT}

SMALLEST_FREE_SPACE = 1 << 20
"""Bytes; a disk with less than that free counts as full."""


class LsrmError(Exception):
    """An expected failure, shown to the user.

    Args:
        message: one sentence, with the value that caused it.
        remedy: one sentence that says what to do.
    """

    code: ClassVar[str] = "ERROR"

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message, remedy)  # both, so that it can be sent to another process
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.code}: {self.message} {self.remedy}"

    def to_dict(self) -> dict[str, str]:
        """The error as JSON."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}


class BadRequest(LsrmError):
    """An option has a value that is not allowed."""

    code = "BAD_REQUEST"


class BadCapture(LsrmError):
    """The capture folder, its transforms.json or its COLMAP model cannot be read."""

    code = "BAD_CAPTURE"


class BadCamera(LsrmError):
    """A pose or intrinsics that no real camera has."""

    code = "BAD_CAMERA"


class BadImage(LsrmError):
    """An image or mask is missing, broken or of another size than stated."""

    code = "BAD_IMAGE"


class BadDataset(LsrmError):
    """A data set, or a sample of it, is damaged."""

    code = "BAD_DATASET"


class BadAsset(LsrmError):
    """Blender cannot open a 3D file, or it contains nothing to capture."""

    code = "BAD_ASSET"


class EmptyMask(LsrmError):
    """The masks show no object, or nothing but the object."""

    code = "EMPTY_MASK"


class TooFewViews(LsrmError):
    """Fewer views, or fewer different viewpoints, than a shape needs."""

    code = "TOO_FEW_VIEWS"


class ObjectOutOfFrame(LsrmError):
    """The views do not look at one common object."""

    code = "OBJECT_OUT_OF_FRAME"


class CheckpointMissing(LsrmError):
    """The named checkpoint is not on this computer."""

    code = "CHECKPOINT_MISSING"


class CheckpointMismatch(LsrmError):
    """The tensors of a checkpoint are not those of the model."""

    code = "CHECKPOINT_MISMATCH"


class LicenseNotAccepted(LsrmError):
    """The user has not accepted the license of the weights."""

    code = "LICENSE_NOT_ACCEPTED"


class OutOfMemory(LsrmError):
    """The job needs more memory than there is."""

    code = "OUT_OF_MEMORY"


class DeviceUnavailable(LsrmError):
    """The requested device is not in this computer."""

    code = "DEVICE_UNAVAILABLE"


class EnvironmentBroken(LsrmError):
    """An interpreter, package or system library is missing."""

    code = "ENVIRONMENT_BROKEN"


class BackendDied(LsrmError):
    """The backend process ended without an answer."""

    code = "BACKEND_DIED"


class Cancelled(LsrmError):
    """The user stopped the job."""

    code = "CANCELLED"


class DiskFull(LsrmError):
    """The disk is full."""

    code = "DISK_FULL"


class OutputNotWritable(LsrmError):
    """The output cannot be written."""

    code = "OUTPUT_NOT_WRITABLE"


class NoSurface(LsrmError):
    """The reconstruction has no surface to mesh."""

    code = "NO_SURFACE"


def as_lsrm_error(error: Exception) -> LsrmError:
    """Any exception as an `LsrmError`, with a message and a remedy for the artist."""
    if isinstance(error, LsrmError):
        return error
    if _is_out_of_memory(error):
        return OutOfMemory(
            f"There was not enough memory: {error or 'the system did not provide more'}.",
            "Use fewer or smaller views, a smaller texture, or another device.",
        )
    if isinstance(error, ImportError):
        return EnvironmentBroken(
            f"A part of the program is missing: {error}.", "Install LSRM and its backend again."
        )
    message = f"Unexpected {type(error).__name__}: {error}."
    return LsrmError(message, "This is a fault of LSRM: please report it, with the log.")


def _is_out_of_memory(error: Exception) -> bool:
    """Whether memory was refused: by Python, by a GPU, or by PyTorch's allocator for the CPU."""
    from_torch = type(error).__name__ == "OutOfMemoryError" or "DefaultCPUAllocator" in str(error)
    return isinstance(error, MemoryError) or from_torch


def write_failure(path: Path, error: Exception) -> DiskFull | OutputNotWritable:
    """The LSRM error for a failure to write.

    Args:
        path: the file or folder that was to be written.
        error: an `OSError`, or an exception without an errno, as Blender's writers raise it.
            Without an errno the free space decides whether the disk is full.
    """
    number = getattr(error, "errno", None)
    free = _free_space(path)
    full = free is not None and free < SMALLEST_FREE_SPACE
    if number == errno.ENOSPC and free is not None and not full:
        other = getattr(error, "filename", None) or tempfile.gettempdir()
        return DiskFull(f"The disk of {other} is full.", "Free some space there, and start again.")
    if number in OUT_OF_SPACE or (number is None and full):
        return DiskFull(
            f"The disk of {path} is full.",
            "Free some space there, or choose a folder on another disk.",
        )
    reason = os.strerror(number) if number else str(error)
    return OutputNotWritable(
        f"{path} cannot be written: {reason}.", "Choose a folder that you may write to."
    )


def _free_space(path: Path) -> int | None:
    """Free bytes on the disk of a path that may not exist; None where the system gives no size."""
    existing = next((folder for folder in path.absolute().parents if folder.exists()), None)
    if existing is None:
        return None
    disk = shutil.disk_usage(existing)
    return disk.free if disk.total > 0 else None
