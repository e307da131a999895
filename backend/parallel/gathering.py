# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keys and values of all ranks, gathered in the background: the all-gather of section 3.5.

Rows of several global lists travel in one collective. Every rank sends its rows, padded to those of
the rank with the most. What arrives is put into the order of the global lists, in which the blocks
of an instance follow each other, whatever block went to which rank. The backward is a
reduce-scatter, in the background as well.

The collectives of a backward must match on all ranks. Autograd runs the nodes of a graph in the
reverse order of their making, so they match if every rank reaches all of them: `Gathering.join`.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch.autograd.function import once_differentiable
from torch.autograd.graph import saved_tensors_hooks

from .collectives import start_all_gather, start_reduce_scatter

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    import torch.distributed as dist
    from torch import Tensor

    from .group import Group
    from .spread import Spread


class Gathering:
    """Rows of some global lists, on their way to all ranks. One rank has them already."""

    def __init__(
        self,
        rows: Sequence[Tensor],
        spreads: Sequence[Spread],
        group: Group,
        *,
        recompute: bool = False,
    ) -> None:
        """Begin to gather.

        Args:
            rows: of this rank, for each list: [rows, ...], all of one dtype and with equally many
                numbers in a row.
            spreads: of each list over the ranks; not read if there is one rank.
            group: of one rank or several.
            recompute: drop what arrived after the forward, and gather it once more in the backward.
        """
        several = group.size > 1
        self._transfer = _Transfer(rows, spreads, group, recompute) if several else None
        self._found: tuple[Tensor, ...] | None = None
        if self._transfer is None:
            self._found = tuple(rows)
        else:
            self._buffer: Tensor = _Start.apply(self._transfer, *rows)  # type: ignore[no-untyped-call]

    def wait(self) -> tuple[Tensor, ...]:
        """All rows of each list, in its order."""
        if self._found is None:
            self._found = _Finish.apply(self._transfer, self._buffer)  # type: ignore[no-untyped-call]
            del self._buffer
        return self._found

    def saving(self) -> AbstractContextManager[Any]:
        """A context to compute with the rows in: with recomputation, none are saved in it."""
        if self._transfer is None or not self._transfer.recompute:
            return nullcontext()
        return saved_tensors_hooks(self._transfer.pack, self._transfer.unpack)

    def join(self, stream: Tensor) -> Tensor:
        """A stream that the rows led to, unchanged; its backward reaches that of this gathering.

        A rank without queries computes nothing with the rows, but has to take part in the
        collectives of their backward.
        """
        if self._transfer is None:
            return stream
        joined: Tensor = _Join.apply(self._transfer, stream, *self.wait())  # type: ignore[no-untyped-call]
        self._found = None
        return joined


class _Transfer:
    """What the four steps of a gathering share: start, finish and join, then back again.

    Attributes:
        group: of several ranks.
        recompute: whether rows are gathered once more in the backward.
        sizes: of the rows of each list on this rank, [rows, ...].
        longest: rows that every rank sends.
        sent: with recomputation, the rows that this rank sent, [longest, width].
        found: with recomputation, all rows of each list, while they are needed.
        pending: the collective under way, and where its result arrives.
    """

    def __init__(
        self,
        rows: Sequence[Tensor],
        spreads: Sequence[Spread],
        group: Group,
        recompute: bool,  # noqa: FBT001
    ) -> None:
        self.group, self.recompute = group, recompute
        self.sizes = [part.shape for part in rows]
        self.longest = max(map(sum, zip(*(spread.count_list for spread in spreads), strict=True)))
        self.sent: Tensor | None = None
        self.found: tuple[Tensor, ...] | None = None
        self.pending: tuple[Tensor, dist.Work] | None = None
        self._spreads = spreads

    def gather(self, rows: Tensor) -> Tensor:
        """Start to gather [longest, width] of every rank."""
        self.pending = start_all_gather(rows, self.group)
        if self.recompute:
            self.sent = rows
        return self.pending[0]

    def scatter(self, grads: Sequence[Tensor]) -> Tensor:
        """Start to sum the gradients of all rows over the ranks."""
        if self.pending is not None:  # gathered again for a rank that did not need it
            self.arrived()
        total = grads[0].new_zeros(self.group.size * self.longest, grads[0][:1].numel())
        for place, grad in zip(self._positions(), grads, strict=True):
            total[place] = grad.flatten(1)
        self.pending = start_reduce_scatter(total, self.group)
        self.found = None
        return total

    def arrived(self) -> Tensor:
        """The result of the collective under way, after waiting for it."""
        if self.pending is None:
            raise RuntimeError("no collective is under way")
        result, work = self.pending
        work.wait()
        self.pending = None
        return result

    def arranged(self, buffer: Tensor) -> tuple[Tensor, ...]:
        """[ranks * longest, width] to the rows of each list, in its order."""
        return tuple(
            buffer[place].view(-1, *size[1:])
            for place, size in zip(self._positions(), self.sizes, strict=True)
        )

    def pack(self, saved: Tensor) -> Tensor | tuple[int, tuple[Any, ...]]:
        """In place of a gathered tensor or a view of it, its number and geometry."""
        for number, found in enumerate(self.found or ()):
            same = saved.untyped_storage().data_ptr() == found.untyped_storage().data_ptr()
            if same and found.numel():
                return number, (saved.shape, saved.stride(), saved.storage_offset())
        return saved

    def unpack(self, packed: Tensor | tuple[int, tuple[Any, ...]]) -> Tensor:
        """The tensor, gathered again."""
        if isinstance(packed, torch.Tensor):
            return packed
        if self.found is None:
            self.found = self.arranged(self.arrived())
        number, geometry = packed
        return self.found[number].as_strided(*geometry)

    def _positions(self) -> list[Tensor]:
        """Where each row of each list arrives, [rows] int64 each."""
        start = torch.zeros_like(self._spreads[0].counts)
        places = []
        for spread in self._spreads:
            places.append((spread.rank * self.longest + start[spread.rank]) + spread.row)
            start = start + spread.counts
        return places


class _Start(torch.autograd.Function):
    """Sends the rows of this rank; backward, the sums of their gradients have arrived."""

    @staticmethod
    def forward(ctx: Any, transfer: _Transfer, *rows: Tensor) -> Tensor:
        ctx.transfer = transfer
        joined = torch.cat([part.flatten(1) for part in rows])
        padding = joined.new_zeros(transfer.longest - len(joined), joined.shape[1])
        return transfer.gather(torch.cat([joined, padding]))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, _: Tensor) -> tuple[Tensor | None, ...]:
        sizes = ctx.transfer.sizes
        counts = [size[0] for size in sizes]
        sums = ctx.transfer.arrived()[: sum(counts)].split(counts)
        return None, *(part.view(size) for part, size in zip(sums, sizes, strict=True))


class _Finish(torch.autograd.Function):
    """Waits for the rows of all ranks; backward, it sends their gradients."""

    @staticmethod
    def forward(ctx: Any, transfer: _Transfer, _: Tensor) -> tuple[Tensor, ...]:
        ctx.transfer = transfer
        found = transfer.arranged(transfer.arrived())
        if transfer.recompute:
            transfer.found = found
        return found

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor]:
        # The result has the shape that autograd wants of it; `_Start` reads what arrives instead.
        return None, ctx.transfer.scatter(grads)


class _Join(torch.autograd.Function):
    """A stream, unchanged; backward, with recomputation, the rows are gathered once more."""

    @staticmethod
    def forward(ctx: Any, transfer: _Transfer, stream: Tensor, *rows: Tensor) -> Tensor:
        ctx.transfer, ctx.count = transfer, len(rows)
        transfer.found = None
        return stream.view_as(stream)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        transfer = ctx.transfer
        if transfer.sent is not None:
            transfer.gather(transfer.sent)
        return None, grad, *[None] * ctx.count
