# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Icons of picture files, which Blender loads when they are drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import bpy.utils.previews

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class Thumbnails:
    """A collection of icons, made at first use."""

    def __init__(self) -> None:
        self._previews: Any = None

    def of_file(self, path: Path, key: str = "") -> int:
        """The icon of a picture file.

        Args:
            path: of the file.
            key: another one is another version of the file; the path by itself, if it is empty.
        """
        key = key or str(path)
        if key not in self._collection():
            self._collection().load(key, str(path), "IMAGE")
        return self._icon(key)

    def of_pixels(self, key: str, make: Callable[[], NDArray[np.float32]]) -> int:
        """The icon of a picture that is made once.

        Args:
            key: of the picture.
            make: returns its pixels, [height, width, 4], row 0 at the bottom.
        """
        if key not in self._collection():
            pixels = make()
            preview = self._collection().new(key)
            height, width = pixels.shape[:2]
            preview.image_size = (width, height)
            preview.image_pixels_float.foreach_set(pixels.ravel())
        return self._icon(key)

    def clear(self) -> None:
        """Remove all icons."""
        if self._previews is not None:
            bpy.utils.previews.remove(self._previews)
            self._previews = None

    def _collection(self) -> Any:
        if self._previews is None:
            self._previews = bpy.utils.previews.new()
        return self._previews

    def _icon(self, key: str) -> int:
        return int(self._collection()[key].icon_id)
