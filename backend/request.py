# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a caller can request of a reconstruction, checked before any work."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from .photographs.mask_source import MaskSource
from .shared.capture.capture import MaskEdge
from .shared.checkpoint_folders import AUTO, NONE, meant_checkpoint
from .shared.errors import BadRequest
from .shared.lods.face_targets import REMEDY, check_face_targets

if TYPE_CHECKING:
    from pathlib import Path

MATERIALS = ("auto", "rgb", "pbr")
UP_CHOICES = ("auto", "z", "y")


@dataclass(frozen=True)
class ReconstructRequest:
    """The options of `reconstruct`.

    Attributes:
        views: capture folder or transforms.json.
        output: result folder.
        checkpoint: name or folder of the weights; `none` starts from the silhouettes, `auto` is
            the checkpoint that ships, if one does, else `none`.
        refine: `off`, `auto` or seconds.
        device: `auto`, `cpu`, `cuda`, `cuda:N`, or several: `cuda:all`, `cuda:0,1`, `cpu:0,1`.
        texture_size: side of the textures in texels; `auto` follows the resolution of the views.
        faces: triangles of the mesh, about.
        lods: triangles of coarser meshes of the same object, falling.
        seed: of the random choices of the fit, 0 to 2^31 - 1.
        material: `rgb` keeps the light in the color; `pbr` is base color, roughness and metallic,
            predicted or, under a known light, estimated; `auto` is `pbr` where that is possible.
        up: axis of the views' world that is up, `z` or `y`; `auto` estimates it from the cameras.
        fix_cameras: correct a usual mistake in the cameras, if that makes the masks fit.
        mask_model: ONNX file that makes the masks which views lack; colors and the common shape
            make them if it is empty.
        mask_backdrop: the color of a plain backdrop by which missing masks are made: `auto`, a name
            or `#rrggbb`; empty if there is none.
        mask_erode: pixels of the images by which the outlines of masks move inwards.
        mask_feather: pixels over which masks are soft at their outline.
    """

    views: Path
    output: Path
    checkpoint: str = AUTO
    refine: str = "auto"
    device: str = "auto"
    texture_size: str = "auto"
    faces: int = 50_000
    lods: tuple[int, ...] = ()
    seed: int = 0
    material: str = "auto"
    up: str = "auto"
    fix_cameras: bool = False
    mask_model: str = ""
    mask_backdrop: str = ""
    mask_erode: int = 0
    mask_feather: int = 0

    @property
    def mask_source(self) -> MaskSource:
        """What makes the masks that views lack.

        Raises:
            BadRequest: if the options do not go together.
        """
        return MaskSource.from_options(self.mask_model, self.mask_backdrop)

    @property
    def mask_edge(self) -> MaskEdge:
        """What is changed at the edge of masks."""
        return MaskEdge(self.mask_erode, self.mask_feather)

    @property
    def uses_network(self) -> bool:
        """Whether weights predict the shape; the silhouettes give it otherwise."""
        return meant_checkpoint(self.checkpoint) != NONE

    def settled(self) -> ReconstructRequest:
        """The same with the weights that `auto` means."""
        return replace(self, checkpoint=meant_checkpoint(self.checkpoint))

    def check(self) -> None:
        """Refuse what cannot be done.

        Raises:
            BadRequest: naming the option and the values it takes.
        """
        size = self.texture_size
        if size != "auto" and not (size.isdecimal() and 16 <= int(size) <= 16384):
            _refuse("texture size", size, "Use auto, or 16 to 16384 texels.")
        try:
            check_face_targets([self.faces, *self.lods])
        except ValueError as error:
            raise BadRequest(str(error), REMEDY) from error
        if not 0 <= self.seed < 1 << 31:
            _refuse("seed", self.seed, "Use 0 to 2147483647.")
        has_seconds = self.refine.isdecimal() and int(self.refine) > 0
        if self.refine not in ("off", "auto") and not has_seconds:
            _refuse("refinement", self.refine, "Use off, auto, or seconds.")
        if self.material not in MATERIALS:
            _refuse("material", self.material, f"Use one of {', '.join(MATERIALS)}.")
        if self.up not in UP_CHOICES:
            _refuse("up axis", self.up, f"Use one of {', '.join(UP_CHOICES)}.")
        _ = self.mask_source
        if min(self.mask_erode, self.mask_feather) < 0:
            _refuse("edge of masks", "negative", "Erode and feather by 0 pixels or more.")

    def check_light(self, *, known: bool) -> None:
        """Refuse to request materials where nothing separates them from the light.

        Args:
            known: whether the light of the views is.

        Raises:
            BadRequest: with what to request instead.
        """
        if self.material == "pbr" and not known:
            remedy = "The light of these views is not known: use auto or rgb, or weights for pbr."
            _refuse("material", "pbr", remedy)


def _refuse(option: str, value: object, remedy: str) -> None:
    raise BadRequest(f"The {option} cannot be {value}.", remedy)
