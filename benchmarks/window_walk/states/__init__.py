# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the walk does, state by state, as an artist would."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..in_blender.walk_tools import Walk, WrongState
from . import first_job, newcomer, options, queue, results, setup

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..in_blender.window import Steps

    State = Callable[[Walk], Steps]

FIRST = (first_job.start, first_job.install, first_job.preferences, first_job.ready, first_job.demo)
"""With which every walk begins."""

STATES = (
    *(first_job.start, first_job.install, first_job.preferences),
    *(setup.offered, setup.installed, setup.removed, setup.removed_closed),
    *(first_job.ready, first_job.demo, setup.checks, setup.self_tested),
    *(first_job.cameras, first_job.capture),
    *(first_job.undone, first_job.running, first_job.stopping, first_job.stopped),
    first_job.warned,
    *(results.reconstructed, results.original, results.history, results.compare),
    *(results.relight, results.relight_live, results.turntable, results.light_sheet),
    *(results.restored, queue.queue, queue.queue_done, queue.german),
    *(setup.checkpoint, setup.with_weights),
    *(options.light_missing, options.light_chosen, options.levels, options.level_imported),
    *(options.quads_stopped, newcomer.newcomer, newcomer.photographs),
)

NEEDED = {"checkpoint": "release", "with_weights": "release", "photographs": "photographs"}
"""States that need a file of the user, by the option that names it."""


def states_of(options: dict[str, Any]) -> list[tuple[str, State]]:
    """The states by name, numbered in the order of the whole walk.

    Args:
        options: `until` names the last state, `only` names those to walk to after the first ones;
            either may be empty. States that need files are left out without these.

    Raises:
        WrongState: if a name is that of no state.
    """
    names = [each.__name__ for each in STATES]
    until, only = options["until"] or names[-1], options["only"]
    if unknown := sorted({until, *only} - set(names)):
        raise WrongState(f"No state is called {unknown[0]}; they are {', '.join(names)}.")
    chosen: list[tuple[str, State]] = []
    for number, state in enumerate(STATES[: names.index(until) + 1]):
        name = state.__name__
        wanted = state in FIRST or not only or name in only
        if wanted and (name not in NEEDED or options[NEEDED[name]]):
            chosen.append((f"{number:02d}_{name}", state))
    return chosen
