# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Spatial blocks of a packed token list: where each block and each instance begins."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .segments import owners_of_offsets

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Blocks:
    """The blocks of a packed token stream, one instance after the other.

    Every block holds at least one token; empty ones do not exist.

    Attributes:
        token_offsets: [blocks + 1] int, tokens before each block, over all instances.
        instance_offsets: [instances + 1] int, blocks before each instance.
    """

    token_offsets: Tensor
    instance_offsets: Tensor

    @property
    def count(self) -> int:
        """Blocks of all instances."""
        return self.token_offsets.shape[0] - 1

    @cached_property
    def tokens(self) -> int:
        """Tokens of all instances."""
        return int(self.token_offsets[-1])

    def check(self, stream: Tensor) -> None:
        """Raise ValueError unless the blocks cover a stream: a kernel would read outside of it."""
        if len(stream) != self.tokens:
            raise ValueError(f"{len(stream)} tokens; the blocks hold {self.tokens}")

    def owners(self) -> Tensor:
        """The block of every token, [tokens] int64."""
        return owners_of_offsets(self.token_offsets)
