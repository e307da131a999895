# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Numbers of triangles of a result: of its finest mesh, and of its coarser levels of detail."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

FEWEST_FACES = 100
MOST_LEVELS = 8
REMEDY = f"Use up to {MOST_LEVELS} falling numbers of {FEWEST_FACES} or more: 50000,10000,2000."


def parse_face_targets(text: str) -> tuple[int, ...]:
    """The numbers in a text such as `50000,10000,2000`.

    Raises:
        ValueError: if it holds anything else, or none; its text is for people.
    """
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isascii() and part.isdecimal() for part in parts):
        raise ValueError(f"The numbers of faces cannot be {text!r}.")
    targets = tuple(int(part) for part in parts)
    check_face_targets(targets)
    return targets


def face_params(targets: Sequence[int]) -> dict[str, Any]:
    """The parameters of `reconstruct` for numbers of triangles, the finest mesh first.

    Without levels of detail there is no `lods`, as in earlier versions: what batches of these have
    finished stays finished.
    """
    finest, *lods = targets
    return {"faces": finest, **({"lods": lods} if lods else {})}


def check_face_targets(targets: Sequence[int]) -> None:
    """Refuse numbers of triangles that make no levels of detail.

    Args:
        targets: the finest mesh first.

    Raises:
        ValueError: naming the first that is wrong; its text is for people.
    """
    for number, target in enumerate(targets):
        if target < FEWEST_FACES:
            raise ValueError(f"The number of faces cannot be {target}.")
        if number and target >= targets[number - 1]:
            before = targets[number - 1]
            raise ValueError(f"A level with {target} faces cannot follow one of {before}.")
    if len(targets) > MOST_LEVELS:
        raise ValueError(f"{len(targets)} levels of detail are too many.")
