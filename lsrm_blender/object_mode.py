# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What operators share that need object mode."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import bpy


class ObjectModeOperator:
    """An operator that cannot run while something is edited: what is edited is not stored yet."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only in object mode."""
        if context.mode == "OBJECT":
            return True
        cls.poll_message_set("Leave the edit mode first")  # type: ignore[attr-defined]
        return False
