# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Shards: a partition of the items of a batch that needs no communication.

An item belongs to a shard by a hash of its name, so it stays there when items are added or removed;
one that gets another name, because a new item has the same, is another item. Another number of
shards deals the items anew. That costs nothing: what is done stays done, and leases keep shards of
different numbers apart that run at once.
"""

from __future__ import annotations

import hashlib
import re
from argparse import ArgumentTypeError
from dataclasses import dataclass

SHARD = re.compile(r"(\d+)/(\d+)")


@dataclass(frozen=True)
class Shard:
    """One part of a batch.

    Attributes:
        number: of the shard, 1..count.
        count: of all shards.
    """

    number: int = 1
    count: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def has(self, name: str) -> bool:
        """Whether the item of this name belongs to the shard."""
        digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
        return int.from_bytes(digest[:8]) % self.count == self.number - 1


WHOLE = Shard()
"""All items: a batch that is not divided."""


def shard_setting(text: str) -> Shard:
    """The value of `--shard`: `2/8` is the second of eight shards.

    Raises:
        ArgumentTypeError: if it is no shard.
    """
    found = SHARD.fullmatch(text)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise ArgumentTypeError(f"{text!r} is not i/N with i from 1 to N")
    return Shard(int(found[1]), int(found[2]))
