# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Filling the texels between the charts, so that texture filtering reads no empty one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy.ndimage import distance_transform_edt

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def fill_empty_texels(
    texture: NDArray[np.float32], covered: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Give every empty texel the value of the nearest covered one.

    Args:
        texture: [height, width, channels].
        covered: [height, width], true where a chart lies.
    """
    if not covered.any():
        return texture
    nearest = distance_transform_edt(~covered, return_distances=False, return_indices=True)
    filled: NDArray[np.float32] = texture[tuple(nearest)]
    return filled
