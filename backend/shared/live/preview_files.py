# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a preview: a coarse mesh with vertex colors, and a small picture.

The backend writes new files for every preview and names them in a notification; it never changes
one that it has named.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..atomic_folder import write_file_atomically
from ..errors import BadAsset

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True)
class PreviewFiles:
    """The files of one preview.

    Attributes:
        mesh: a `PreviewMesh`.
        picture: PNG.
    """

    mesh: Path
    picture: Path

    @classmethod
    def numbered(cls, folder: Path, number: int) -> PreviewFiles:
        """The files of the preview with a number, in the folder of all previews of a job."""
        return cls(folder / f"preview_{number}.npz", folder / f"preview_{number}.png")

    @classmethod
    def from_params(cls, params: dict[str, Any]) -> PreviewFiles:
        """From the parameters of a notification.

        Raises:
            ValueError: if a file is not named.
        """
        if not (params.get("mesh") and params.get("picture")):
            raise ValueError("a preview without files")
        return cls(Path(str(params["mesh"])), Path(str(params["picture"])))


@dataclass(frozen=True)
class PreviewMesh:
    """A coarse mesh, in the world of the views turned so that +z is up.

    Attributes:
        vertices: float32 [vertices, 3].
        faces: int32 [faces, 3], counter-clockwise seen from outside.
        colors: of the vertices, 8-bit sRGB, [vertices, 3].
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    colors: NDArray[np.uint8]

    def write(self, path: Path) -> None:
        """Write it as NPZ, atomically.

        Raises:
            OSError: if the file cannot be written.
        """
        data = io.BytesIO()
        np.savez(data, vertices=self.vertices, faces=self.faces, colors=self.colors)
        write_file_atomically(path, data.getvalue())

    @classmethod
    def read(cls, path: Path) -> PreviewMesh:
        """Read what `write` has written.

        Raises:
            BadAsset: if the file is gone, or is no preview.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                mesh = cls(
                    stored["vertices"].astype(np.float32),
                    stored["faces"].astype(np.int32),
                    stored["colors"].astype(np.uint8),
                )
        except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
            raise BadAsset(f"{path} is no preview: {error}.", "Wait for the next one.") from error
        mesh._check(path)
        return mesh

    def _check(self, path: Path) -> None:
        """Refuse arrays that do not belong together: Blender would crash on them."""
        count = len(self.vertices)
        shapes = {self.vertices.shape[1:], self.faces.shape[1:], self.colors.shape[1:]}
        inside = not self.faces.size or (self.faces.min() >= 0 and self.faces.max() < count)
        if shapes != {(3,)} or len(self.colors) != count or not inside:
            raise BadAsset(f"{path} is no preview: it is damaged.", "Wait for the next one.")
