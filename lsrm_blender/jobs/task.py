# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a button starts: a task, the steps that it yields for child processes, and its outcome."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from ...backend.shared.live.preview_files import PreviewFiles


@dataclass(frozen=True)
class Step:
    """A request of a task to a child process.

    Attributes:
        child: "blender", "backend" or "install".
        method: of the request.
        params: of the request.
        title: shown in the panel.
        weight: its share of the task's time, if its seconds are not known.
        expected: seconds of its stages, in their order, if they are known.
        preview_in: a reference to the scene that shows what the step makes, before it is done, and
            what the step before it has made; without one, nothing is shown.
        warnings: sentences about what the steps before it have made, shown while it runs.
        spent: seconds that its stages have taken, once it has ended.
    """

    child: str
    method: str
    params: dict[str, Any]
    title: str
    weight: float = 1.0
    expected: Mapping[str, float] = field(default_factory=dict)
    preview_in: object | None = None
    warnings: tuple[str, ...] = ()
    spent: dict[str, float] = field(default_factory=dict)

    @property
    def share(self) -> float:
        """Of the task's time: in seconds, if they are known."""
        return sum(self.expected.values()) or self.weight


@dataclass(frozen=True)
class Preview:
    """What a running step has made so far.

    Attributes:
        files: that hold it.
        step: that makes it.
    """

    files: PreviewFiles
    step: Step


@dataclass(frozen=True)
class Outcome:
    """What a task has come to.

    Attributes:
        note: a sentence about it, and warnings on lines of their own.
        result: a result folder that could not be imported, for the user to import.
    """

    note: str
    result: str = ""


@dataclass(frozen=True)
class Task:
    """What a button starts.

    Attributes:
        title: shown in the panel.
        steps: yields steps, is sent their results, returns the outcome or a sentence about it.
        weight: the sum of the shares of all its steps.
        operator: the `bl_idname` of the operator that starts it.
        held: what was made for the steps beforehand; they release it at their end.
    """

    title: str
    steps: Generator[Step, Any, Outcome | str]
    weight: float = 1.0
    operator: str = ""
    held: ExitStack = field(default_factory=ExitStack)

    def close(self) -> None:
        """End the task, or never start it."""
        self.steps.close()
        self.held.close()
