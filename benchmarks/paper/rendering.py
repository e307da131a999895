# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Renders of results by a child process in Blender, which a cancel ends."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

from backend.shared.errors import BackendDied, EnvironmentBroken
from backend.shared.exit_codes import ENVIRONMENT
from backend.shared.virtual_environments import blender_command, child_variables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from backend.shared.progress import Progress

POLL_SECONDS = 0.2
SECONDS_TO_STOP = 15.0
LONGEST_REASON = 500


def render_views(
    result: Path, cameras: Path, output: Path, options: Sequence[str], progress: Progress
) -> None:
    """Run `render-views`: a result from the cameras of a folder, as OpenEXR files.

    Args:
        result: the result folder.
        cameras: of `write_targets`.
        output: folder of the renders, which also gets the log.
        options: further ones of the command.
        progress: is checked for a cancel.

    Raises:
        BackendDied: if it fails.
        EnvironmentBroken: if there is no Blender.
        Cancelled: if the user cancels; the child process has ended then.
    """
    progress.report("render", 0.0)
    folders = str(result), str(cameras), "-o", str(output)
    command = blender_command("render-views", *folders, *options)
    output.mkdir(parents=True, exist_ok=True)
    code = _run([*command, "--json"], output, progress)
    progress.check()  # the child may have had the same Ctrl-C
    if code:
        kind = EnvironmentBroken if code == ENVIRONMENT else BackendDied
        raise kind(
            f"Rendering {result} ended with exit code {code}: {_reason(output)}",
            "Run `python3 -m lsrm_blender doctor`.",
        )
    progress.report("render", 1.0)


def _run(command: Sequence[str], folder: Path, progress: Progress) -> int:
    """Run a command until it ends or is cancelled; its output goes to files in a folder."""
    with (folder / "answer.json").open("wb") as answer, (folder / "log.txt").open("wb") as log:
        process = subprocess.Popen(
            command, env=child_variables(), stdin=subprocess.DEVNULL, stdout=answer, stderr=log
        )
        try:
            while True:
                try:
                    return process.wait(POLL_SECONDS)
                except subprocess.TimeoutExpired:
                    progress.check()
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End a child process that still runs."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(SECONDS_TO_STOP)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _reason(folder: Path) -> str:
    """Why a command failed: its own error, else the end of its log."""
    try:
        answer = json.loads((folder / "answer.json").read_text("utf-8"))
        return str(answer["error"]["message"])
    except (ValueError, KeyError, TypeError):
        return (folder / "log.txt").read_text("utf-8", "replace").strip()[-LONGEST_REASON:]
