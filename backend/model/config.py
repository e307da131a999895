# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a checkpoint's `config.json` says: the sizes of both stages, and the three presets."""

from __future__ import annotations

import dataclasses
import types
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from ..field.config import HeadsConfig

BOX_MARGIN = 1.05  # the volumes reach a little over the sphere that holds the object


@dataclass(frozen=True)
class EncoderConfig:
    """The multi-view encoder: patches and rays (and image features) to image tokens, eq. (3)."""

    rays: Literal["plucker", "uv"]  # "uv" knows no cameras; it marks the first view instead
    patch_size: int  # pixels
    width: int
    feature_width: int  # channels of the frozen image features, 0 without them
    background: bool  # the unmasked image is embedded as well

    @property
    def ray_channels(self) -> int:
        """6 for a direction and its moment, 2 for pixel coordinates."""
        return 6 if self.rays == "plucker" else 2


@dataclass(frozen=True)
class TransformerConfig:
    """The reconstruction transformer, the same for both stages but for its attention."""

    attention: Literal["dense", "sparse"]
    volume_resolution: int  # tokens per side of the volume
    upsample: int  # voxels per side of a token
    width: int
    output_width: int  # channels of the feature volume
    depth: int
    query_heads: int
    key_value_heads: int
    mlp_ratio: float
    skip_links: tuple[int, ...]  # blocks whose image tokens the one-sided blocks read again
    weight_norm: bool  # False once a checkpoint is converted: the norm is folded
    axis_positions: bool  # one position table per axis instead of one for all tokens
    fuse_prior: bool  # stage-1 features enter every layer (sparse only)

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
        if self.fuse_prior and self.attention == "dense":
            raise ValueError("fuse_prior needs a stage before: it is for sparse attention only")

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
    """One of the two stages: encoder, transformer and the decoders of its field."""

    image_size: int  # pixels per side of the square input views
    encoder: EncoderConfig
    transformer: TransformerConfig
    heads: HeadsConfig
    inverse_std: float  # sharpness of the VolSDF density, 1 / world units
    samples_per_ray: int  # over the diagonal of the box

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
        if self.heads.input_width != self.transformer.output_width:
            raise ValueError(
                f"heads read {self.heads.input_width} channels, the transformer writes "
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
    """Which tokens the sparse stage keeps, and the blocks they are grouped in."""

    block_size: int  # tokens per side of a block, in images and in the volume
    volume_dilation: int  # tokens around the surface that are kept too
    max_image_tokens: int | None  # whole views are dropped from the end above it


@dataclass(frozen=True)
class RoutingConfig:
    """Which blocks a token of the sparse stage looks at."""

    geometric: bool  # by 3D distance; by attention score if not
    volume_blocks: int  # selected blocks of the volume per query
    image_blocks_per_view: int  # selected blocks of the images per query and configured view
    views: int  # the configured number of views; a job may have another
    window: int  # per view the window^2 blocks nearest to the projection are candidates

    @property
    def image_blocks(self) -> int:
        """Selected image blocks per query.

        QUIRK 10 (docs/deviations.md): from the configured number of views.
        """
        return self.image_blocks_per_view * self.views


@dataclass(frozen=True)
class ModelConfig:
    """Everything needed to build both stages and to run them."""

    name: str
    radius: float  # of the sphere that holds the object, world units of the model
    image_features: Literal["none", "dinov3"]
    compositing: Literal["display", "linear"]  # light in which views are put on white
    relative_pose: bool  # the world is turned into the frame of the first camera
    dense: StageConfig
    sparse: StageConfig
    selection: SelectionConfig
    routing: RoutingConfig

    def __post_init__(self) -> None:
        """Reject stages that cannot work in a row.

        Raises:
            ValueError: naming what does not fit.
        """
        if self.dense.transformer.attention != "dense" or self.sparse.transformer.attention != (
            "sparse"
        ):
            raise ValueError("the first stage attends densely, the second one sparsely")
        for stage in (self.dense, self.sparse):
            if abs(stage.heads.half_side - self.half_side) > 1e-9:
                raise ValueError(f"half_side must be {BOX_MARGIN} * radius {self.radius}")
        first, second = self.dense.transformer, self.sparse.transformer
        if second.fuse_prior and (first.width, len(first.skip_links)) != (
            second.width,
            len(second.skip_links),
        ):
            raise ValueError("stage 2 fuses as many features, as wide, as it has skip links itself")
        block, sparse = self.selection.block_size, self.sparse
        # DEFECT 2 (docs/deviations.md): the release orders tokens wrongly if a block is cut by the
        # border.
        if sparse.transformer.volume_resolution % block or sparse.patches_per_side % block:
            raise ValueError(
                f"block_size {block} must divide {sparse.transformer.volume_resolution} volume "
                f"tokens and {sparse.patches_per_side} patches per side",
            )

    @property
    def half_side(self) -> float:
        """Half the side of the volumes' cube."""
        return BOX_MARGIN * self.radius

    @property
    def surface_map_size(self) -> int:
        """Pixels per side of the surface-point maps that stage 1 renders for the routing."""
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
        config: ModelConfig = _read(cls, data, "config")
        return config


def _read(kind: Any, value: Any, where: str) -> Any:
    """A value of the annotated type `kind`, or a ValueError that says where it is wrong."""
    origin = get_origin(kind)
    if dataclasses.is_dataclass(kind):
        return _read_dataclass(kind, value, where)
    if origin is Literal:
        if value not in get_args(kind):
            raise ValueError(f"{where} is {value!r}, expected one of {get_args(kind)}")
        return value
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise ValueError(f"{where} is {value!r}, expected a list")
        return tuple(
            _read(get_args(kind)[0], item, f"{where}[{i}]") for i, item in enumerate(value)
        )
    if origin in (Union, types.UnionType):
        return None if value is None else _read(get_args(kind)[0], value, where)
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:  # exact: a bool is no number here
        raise ValueError(f"{where} is {value!r}, expected {kind.__name__}")
    return value


def _read_dataclass(kind: Any, data: Any, where: str) -> Any:
    if type(data) is not dict:
        raise ValueError(f"{where} is {data!r}, expected an object")
    hints = get_type_hints(kind)
    unknown, missing = sorted(set(data) - set(hints)), sorted(set(hints) - set(data))
    if unknown or missing:
        raise ValueError(f"{where}: unknown keys {unknown}, missing keys {missing}")
    return kind(**{key: _read(hint, data[key], f"{where}.{key}") for key, hint in hints.items()})


def preset(name: str) -> ModelConfig:
    """The configuration of a named checkpoint.

    Stage 1 of the released ones is what their unpublished args.txt probably says; converting a
    checkpoint replaces it by what is found there.

    Raises:
        ValueError: for a name that is not in `PRESETS`.
    """
    if name not in PRESETS:
        raise ValueError(f"no preset {name!r}; there are {', '.join(PRESETS)}")
    return _mini() if name == "mini" else _released(name)


PRESETS = ("lsrm-rgb", "lsrm-pbr", "mini")


def _released(name: str) -> ModelConfig:
    materials = name == "lsrm-pbr"
    encoder = EncoderConfig(
        rays="plucker", patch_size=8, width=1024, feature_width=1280, background=materials
    )
    transformer = TransformerConfig(
        attention="dense",
        volume_resolution=16,
        upsample=4,
        width=1024,
        output_width=32,
        depth=24,
        query_heads=32,
        key_value_heads=2,
        mlp_ratio=4.0,
        skip_links=(17, 11, 4),
        weight_norm=True,
        axis_positions=True,
        fuse_prior=False,
    )
    heads = HeadsConfig(
        input_width=32,
        width=32,
        sdf_depth=2,
        rgb_depth=3,
        material_depth=3,
        prediction="pbr" if materials else "rgb",
        half_side=BOX_MARGIN * 0.5,
    )
    dense = StageConfig(256, encoder, transformer, heads, inverse_std=200.0, samples_per_ray=256)
    sparse_transformer = dataclasses.replace(
        transformer, attention="sparse", volume_resolution=96, fuse_prior=True
    )
    return ModelConfig(
        name=name,
        radius=0.5,
        image_features="dinov3",
        compositing="linear" if materials else "display",
        relative_pose=True,
        dense=dense,
        sparse=dataclasses.replace(
            dense, image_size=768, transformer=sparse_transformer, samples_per_ray=1024
        ),
        selection=SelectionConfig(block_size=8, volume_dilation=3, max_image_tokens=None),
        routing=RoutingConfig(
            geometric=True,
            volume_blocks=16,
            image_blocks_per_view=4,
            views=18 if materials else 16,
            window=3,
        ),
    )


def _mini() -> ModelConfig:
    """Small enough for two CPU cores and for the repository: 128 px views, 128^3 voxels."""
    large = _released("lsrm-rgb")
    encoder = dataclasses.replace(large.dense.encoder, width=256, feature_width=0)
    transformer = dataclasses.replace(
        large.dense.transformer,
        width=256,
        depth=4,
        query_heads=16,
        skip_links=(1,),
        weight_norm=False,
    )
    dense = dataclasses.replace(
        large.dense, image_size=128, encoder=encoder, transformer=transformer, samples_per_ray=128
    )
    sparse_transformer = dataclasses.replace(
        transformer,
        attention="sparse",
        volume_resolution=32,
        depth=3,
        fuse_prior=True,
    )
    return dataclasses.replace(
        large,
        name="mini",
        image_features="none",
        dense=dense,
        sparse=dataclasses.replace(dense, transformer=sparse_transformer, samples_per_ray=256),
        selection=dataclasses.replace(large.selection, block_size=4, volume_dilation=0),
        routing=dataclasses.replace(
            large.routing, volume_blocks=8, image_blocks_per_view=2, views=8
        ),
    )
