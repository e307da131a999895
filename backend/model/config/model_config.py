# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checkpoint's `config.json` says: the sizes of both stages."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from ...field.config import BOX_MARGIN, DecoderConfig
from .json_config import read_strictly


@dataclass(frozen=True)
class EncoderConfig:
    """The multi-view encoder: patches and rays (and image features) to image tokens, eq. (3).

    Attributes:
        rays: "plucker", or "uv" without cameras, which marks the first view instead.
        patch_size: pixels per side of a patch.
        width: channels of a token.
        feature_width: channels of the frozen image features, 0 without them.
        background: whether the unmasked image is embedded as well.
    """

    rays: Literal["plucker", "uv"]
    patch_size: int
    width: int
    feature_width: int
    background: bool

    @property
    def ray_channels(self) -> int:
        """6 for a direction and its moment, 2 for pixel coordinates."""
        return 6 if self.rays == "plucker" else 2


@dataclass(frozen=True)
class TransformerConfig:
    """The reconstruction transformer, the same for both stages but for its attention.

    Attributes:
        attention: "dense", or "sparse" for the gated branches of eq. (2).
        volume_resolution: tokens per side of the volume.
        upsample: voxels per side of a token.
        width: channels of a token.
        output_width: channels of the feature volume.
        depth: number of two-sided blocks.
        query_heads: attention heads.
        key_value_heads: heads of keys and values, each for a group of query heads.
        mlp_ratio: hidden channels of the MLP over width.
        skip_links: blocks whose image tokens the one-sided blocks read again.
        weight_norm: of the linear maps; False once a checkpoint is converted, the norm is folded
            then.
        axis_positions: one position table per axis instead of one for all tokens.
        fuse_dense: features of the dense stage enter every layer (sparse attention only).
    """

    attention: Literal["dense", "sparse"]
    volume_resolution: int
    upsample: int
    width: int
    output_width: int
    depth: int
    query_heads: int
    key_value_heads: int
    mlp_ratio: float
    skip_links: tuple[int, ...]
    weight_norm: bool
    axis_positions: bool
    fuse_dense: bool

    def __post_init__(self) -> None:
        """Reject sizes that no network can have.

        Raises:
            ValueError: naming the sizes that do not fit.
        """
        if self.width % self.query_heads or self.query_heads % self.key_value_heads:
            raise ValueError(
                f"width {self.width}, {self.query_heads} query heads and "
                f"{self.key_value_heads} key/value heads do not divide each other",
            )
        if not all(0 <= link < self.depth for link in self.skip_links):
            raise ValueError(f"skip_links {self.skip_links} outside of 0..{self.depth - 1}")
        if self.fuse_dense and self.attention == "dense":
            raise ValueError("fuse_dense is for sparse attention only")

    @property
    def head_width(self) -> int:
        """Channels of one head."""
        return self.width // self.query_heads

    @property
    def key_value_width(self) -> int:
        """Channels of all key/value heads together."""
        return self.key_value_heads * self.head_width


@dataclass(frozen=True)
class StageConfig:
    """One of the two stages: encoder, transformer and the decoders of its field.

    Attributes:
        image_size: pixels per side of the square input views.
        encoder: views to image tokens.
        transformer: tokens to feature volume.
        decoder: features to shape and appearance.
        inverse_std: sharpness of the VolSDF density, 1 / world units.
        samples_per_ray: over the diagonal of the cube.
    """

    image_size: int
    encoder: EncoderConfig
    transformer: TransformerConfig
    decoder: DecoderConfig
    inverse_std: float
    samples_per_ray: int

    def __post_init__(self) -> None:
        """Reject parts that do not fit together.

        Raises:
            ValueError: naming the two sizes that differ.
        """
        if self.encoder.width != self.transformer.width:
            raise ValueError(
                f"encoder width {self.encoder.width} and transformer width "
                f"{self.transformer.width} differ",
            )
        if self.decoder.input_width != self.transformer.output_width:
            raise ValueError(
                f"the decoder reads {self.decoder.input_width} channels, the transformer writes "
                f"{self.transformer.output_width}",
            )
        if self.image_size % self.encoder.patch_size:
            raise ValueError(
                f"image_size {self.image_size} is no multiple of patch_size "
                f"{self.encoder.patch_size}",
            )

    @property
    def patches_per_side(self) -> int:
        """Image tokens per side of a view."""
        return self.image_size // self.encoder.patch_size


@dataclass(frozen=True)
class SelectionConfig:
    """Which tokens the sparse stage keeps, and the blocks they are grouped in.

    Attributes:
        block_size: tokens per side of a block, in images and in the volume.
        volume_dilation: tokens around the surface that are kept too.
        max_image_tokens: views are dropped from the end until there are no more; None for no
            limit.
    """

    block_size: int
    volume_dilation: int
    max_image_tokens: int | None


@dataclass(frozen=True)
class RoutingConfig:
    """The selected blocks of a query of the sparse stage.

    Attributes:
        geometric: select blocks by 3D distance; by attention score if not.
        volume_blocks: selected blocks of the volume per query.
        image_blocks_per_view: selected blocks of the images per query and configured view.
        views: the configured number of views; a job may have another.
        window: the window^2 blocks of a view nearest to the projection are candidates.
    """

    geometric: bool
    volume_blocks: int
    image_blocks_per_view: int
    views: int
    window: int

    @property
    def image_blocks(self) -> int:
        """Selected image blocks per query.

        QUIRK 10 (docs/deviations.md): from the configured number of views.
        """
        return self.image_blocks_per_view * self.views


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to build both stages and to run them.

    Attributes:
        name: of the checkpoint.
        radius: of the sphere that holds the object, world units of the model.
        image_features: frozen network whose features the encoder reads.
        compositing: light in which views are put on white.
        relative_pose: the world is turned into the frame of the first camera.
        dense: the dense stage.
        sparse: the sparse stage.
        selection: of the tokens of the sparse stage.
        routing: of the blocks of the sparse stage.
    """

    name: str
    radius: float
    image_features: Literal["none", "dinov3"]
    compositing: Literal["display", "linear"]
    relative_pose: bool
    dense: StageConfig
    sparse: StageConfig
    selection: SelectionConfig
    routing: RoutingConfig

    def __post_init__(self) -> None:
        """Reject stages that do not fit together.

        Raises:
            ValueError: naming what does not fit.
        """
        if self.dense.transformer.attention != "dense" or self.sparse.transformer.attention != (
            "sparse"
        ):
            raise ValueError(
                "the dense stage needs dense attention, the sparse stage sparse attention"
            )
        for stage in (self.dense, self.sparse):
            if abs(stage.decoder.half_side - self.half_side) > 1e-9:
                raise ValueError(f"half_side must be {BOX_MARGIN} * radius {self.radius}")
        dense, sparse = self.dense.transformer, self.sparse.transformer
        if sparse.fuse_dense and (dense.width, len(dense.skip_links)) != (
            sparse.width,
            len(sparse.skip_links),
        ):
            raise ValueError(
                "fuse_dense needs two stages of the same width with as many skip links"
            )
        block, stage = self.selection.block_size, self.sparse
        # DEFECT 2 (docs/deviations.md): the release orders tokens wrongly if a block is cut by the
        # border.
        if sparse.volume_resolution % block or stage.patches_per_side % block:
            raise ValueError(
                f"block_size {block} must divide {sparse.volume_resolution} volume "
                f"tokens and {stage.patches_per_side} patches per side",
            )

    @property
    def predicts_materials(self) -> bool:
        """Whether the field holds base color, roughness and metallic."""
        return self.sparse.decoder.prediction != "rgb"

    @property
    def half_side(self) -> float:
        """Half the side of the volumes' cube."""
        return BOX_MARGIN * self.radius

    @property
    def surface_map_size(self) -> int:
        """Pixels per side of the surface maps that the dense stage renders for the routing."""
        return self.sparse.image_size // 2

    def to_dict(self) -> dict[str, Any]:
        """Plain data for `config.json`."""
        return dataclasses.asdict(self)

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> ModelConfig:
        """Read what `to_dict` wrote, strictly.

        Raises:
            ValueError: naming the key that is unknown, missing or of another type.
        """
        config: ModelConfig = read_strictly(cls, data, "config")
        return config
