# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""JSON objects on disk, and capture.json, which describes what a capture shows."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from ..atomic_folder import write_file_atomically
from ..errors import BadCapture

if TYPE_CHECKING:
    from pathlib import Path

CAPTURE_JSON = "capture.json"


def read_capture_json(folder: Path) -> dict[str, Any]:
    """The contents of capture.json; empty if there is no such file.

    Raises:
        BadCapture: if it is not a JSON object.
    """
    path = folder / CAPTURE_JSON
    return read_object(path) if path.is_file() else {}


def capture_warnings(info: dict[str, Any]) -> list[str]:
    """The warnings that the capture left in the contents of capture.json."""
    warnings = info.get("warnings", [])
    return [str(text) for text in warnings] if isinstance(warnings, list) else []


def write_capture_json(folder: Path, info: dict[str, Any]) -> None:
    """Write capture.json: source, bounding_sphere, seed, engine, versions and similar.

    Raises:
        OSError: if the folder cannot be written.
    """
    write_object(folder / CAPTURE_JSON, info)


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object from a UTF-8 file, with or without a byte order mark."""
    try:
        document = json.loads(path.read_bytes().decode("utf-8-sig"), parse_int=_parse_integer)
    except OSError as error:
        raise BadCapture(
            f"The file {path} cannot be read ({error.strerror}).",
            "Check the file and its permissions.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise BadCapture(
            f"The file {path} is not valid JSON ({error}).", "Export the cameras again."
        ) from error
    if not isinstance(document, dict):
        raise BadCapture(f"The file {path} is not a JSON object.", "Export the cameras again.")
    return document


def _parse_integer(text: str) -> float:
    """An integer of JSON; infinite if it is beyond the range of floats."""
    return int(text) if math.isfinite(float(text)) else math.inf


def write_object(path: Path, document: dict[str, Any]) -> None:
    """Write a JSON file atomically."""
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    write_file_atomically(path, (text + "\n").encode())
