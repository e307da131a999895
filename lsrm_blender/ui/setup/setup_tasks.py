# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks that set LSRM up: install the backend, add a checkpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bpy.app.translations import pgettext_iface as translate

from ...jobs.task import Step, Task
from ..import_steps import SceneReference
from ..undo import push_undo
from .setup_state import look_again

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import bpy


INSTALL, ADD_CHECKPOINT = "lsrm.install_backend", "lsrm.add_checkpoint"


def install_backend(build: str) -> Task:
    """Install the backend's packages.

    Args:
        build: of PyTorch, or "auto".
    """

    def work() -> Generator[Step, Any, str]:
        yield Step("install", "install", {"build": build}, "Installing the backend")
        look_again()
        return translate("The backend is installed")

    return Task(translate("Install the backend"), work(), operator=INSTALL)


def add_checkpoint(scene: bpy.types.Scene, release: Path, dinov3: Path | None) -> Task:
    """Convert a downloaded checkpoint, whose license is accepted, check it, and choose it.

    Args:
        scene: that uses it from now on.
        release: the download, or a file of it.
        dinov3: the weights of the image features; None if they are in place.
    """
    reference = SceneReference.to(scene)
    params = {"release": str(release), "dinov3": str(dinov3 or "")}

    def work() -> Generator[Step, Any, str]:
        added = yield Step("backend", "add_checkpoint", params, "Adding the checkpoint")
        names = added["names"]
        if found := reference.find():
            found.lsrm.checkpoint = names[-1]
            push_undo("choose checkpoint")
        look_again()
        return translate("Installed: {}. {} is chosen.").format(", ".join(names), names[-1])

    return Task(translate("Add {}").format(release.name), work(), operator=ADD_CHECKPOINT)
