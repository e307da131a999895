# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The one error hierarchy: a code for programs, a sentence for the artist, a remedy."""

from __future__ import annotations

from typing import ClassVar


class LsrmError(Exception):
    """An expected failure, told to the user.

    Args:
        message: one sentence with the value that was met.
        remedy: one sentence that says what to do about it.
    """

    code: ClassVar[str] = "ERROR"

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.code}: {self.message} {self.remedy}"

    def to_dict(self) -> dict[str, str]:
        """The error as it travels in JSON."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy}


class BadRequest(LsrmError):
    """An option with a value that makes no sense."""

    code = "BAD_REQUEST"


class BadCapture(LsrmError):
    """The capture folder or its transforms.json cannot be read."""

    code = "BAD_CAPTURE"


class BadCamera(LsrmError):
    """A pose or intrinsics that no real camera has."""

    code = "BAD_CAMERA"


class BadImage(LsrmError):
    """An image or mask is missing, broken or of another size than stated."""

    code = "BAD_IMAGE"


class BadAsset(LsrmError):
    """A 3D file that Blender cannot open, or that holds nothing to capture."""

    code = "BAD_ASSET"


class EmptyMask(LsrmError):
    """Masks that show no object, or nothing but object."""

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
    """A checkpoint whose tensors are not those of the model."""

    code = "CHECKPOINT_MISMATCH"


class LicenseNotAccepted(LsrmError):
    """Weights of others, whose license the user has not accepted."""

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
    """The disk has no room for the result."""

    code = "DISK_FULL"


class OutputNotWritable(LsrmError):
    """The output folder refuses to be written."""

    code = "OUTPUT_NOT_WRITABLE"


class NoSurface(LsrmError):
    """The reconstruction has no surface to mesh."""

    code = "NO_SURFACE"


def explained(error: Exception) -> LsrmError:
    """An error that nobody expected, in the artist's words."""
    if isinstance(error, LsrmError):
        return error
    if _is_of_memory(error):
        return OutOfMemory(
            f"There was not enough memory: {error or 'the system refused to give more'}.",
            "Use fewer or smaller views, a smaller texture, or another device.",
        )
    if isinstance(error, ImportError):
        return EnvironmentBroken(
            f"A part of the program is missing: {error}.", "Install LSRM and its backend again."
        )
    message = f"Unexpected {type(error).__name__}: {error}."
    return LsrmError(message, "This is a fault of LSRM: please report it, with the log.")


def _is_of_memory(error: Exception) -> bool:
    """Whether memory was refused: by Python, by a card, or by torch's allocator for the CPU."""
    named = type(error).__name__ == "OutOfMemoryError"
    return isinstance(error, MemoryError) or named or "DefaultCPUAllocator" in str(error)
