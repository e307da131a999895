# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Libraries that not every user needs: they are installed when something asks for them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from importlib import util
from typing import Any

from ..shared.errors import EnvironmentBroken


@dataclass(frozen=True)
class Extra:
    """A group of optional dependencies in pyproject.toml.

    Attributes:
        name: of the group.
        size: to download, as text.
        purpose: what it is needed for.
        modules: of its libraries.
    """

    name: str
    size: str
    purpose: str
    modules: tuple[str, ...]

    @property
    def installed(self) -> bool:
        """Whether its libraries can be imported."""
        return all(util.find_spec(module) is not None for module in self.modules)

    def load(self, module: str) -> Any:
        """Import a module of the extra.

        Raises:
            EnvironmentBroken: with the command that installs it, if it is missing.
        """
        try:
            return importlib.import_module(module)
        except ImportError as error:
            raise EnvironmentBroken(
                f"{self.purpose} needs the extra {self.name} ({self.size} to download), "
                f"which is not installed ({error}).",
                f"Install it with: python3 -m backend install --extra {self.name}",
            ) from error


PHOTOS = Extra("photos", "0.1 GB", "Finding cameras or masks of photographs", ("pycolmap", "cv2"))
ONNX = Extra("onnx", "0.03 GB", "Running a mask model", ("onnxruntime",))
