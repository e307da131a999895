# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Many small problems on a CPU: whole problems are distributed over threads, not operations.

An operation of microseconds gains nothing from two threads, and if a core is busy with something
else, one thread waits milliseconds for the other.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_WORKERS = 8  # each may store gradients of its own


def run_in_parts(work: Callable[[int, int], Result]) -> list[Result]:
    """Call work(part, parts) for every part at once, without gradients.

    Inside, torch computes on one thread per part. There are as many parts as torch has threads.

    Returns:
        What each part returned, in order.
    """
    threads = torch.get_num_threads()
    parts = min(threads, MOST_WORKERS)
    if parts == 1:
        with torch.no_grad():
            return [work(0, 1)]

    def without_gradients(part: int) -> Result:
        with torch.no_grad():  # gradient modes belong to threads
            return work(part, parts)

    torch.set_num_threads(1)
    try:
        with ThreadPoolExecutor(parts) as pool:
            return list(pool.map(without_gradients, range(parts)))
    finally:
        torch.set_num_threads(threads)


def map_per_core(
    function: Callable[[Item], Result],
    items: Iterable[Item],
    device: torch.device | None = None,
    check: Callable[[], None] | None = None,
) -> Iterator[Result]:
    """The results of a function for items such as views, in their order.

    On a CPU so many items are computed at once as torch has threads, without gradients. A GPU works
    on one after the other, each of which fills it.

    Args:
        function: of one item; it must change nothing that another call reads.
        items: that are computed.
        device: that computes; the CPU if it is None.
        check: called before every item; what it raises ends the work once the items that have begun
            are done.
    """

    def checked(item: Item) -> Result:
        if check:
            check()
        with torch.no_grad():  # gradient modes belong to threads
            return function(item)

    if device is not None and device.type != "cpu":
        yield from map(checked, items)
        return
    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        yield from pool.map(checked, items)
