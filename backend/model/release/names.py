# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table between the parameter names of the released checkpoints and LSRM's.

A name is a module of a stage (`encoder`, `transformer`, `decoder`), fragments of the table, indices
and a leaf. Fragments translate one to one, so names can be read in both directions.
"""

from __future__ import annotations

import re

from ..weights.weight_norm import WEIGHT_NORM

MODULES = {"mvencoder": "encoder", "voldecoder": "transformer", "volsdf": "decoder"}
"""The modules of a stage: in the release's file, and in `backend.model`."""

_STREAMS = {"x": "volume", "y": "image"}

_ENCODER = {
    "patch_embed": "patches",
    "patch_embed_bg": "background",
    "input_feature_proj": "fusion",
    "pos_embed": "view_embedding",
    "norm": "norm",
}
_TRANSFORMER = {
    "pos_embed": "positions.joint",
    "pos_embed_x": "positions.x",
    "pos_embed_y": "positions.y",
    "pos_embed_z": "positions.z",
    "cross_blocks": "blocks",
    "skip_blocks": "skip_blocks",
    "fuse_prior_volfeats": "stage_fusion.volume",
    "fuse_prior_imfeats": "stage_fusion.image",
    "skip_fuse_prior_volfeats": "stage_fusion.skip_volume",
    "skip_fuse_prior_imfeats": "stage_fusion.skip_image",
    "fuse_pred_volfeat": "stage_fusion.gate",
    "norm": "norm",
    "upsampler.dconv3d": "upsampler",
    "fc1": "fc1",
    "fc2": "fc2",
}
_DECODER = {
    "mlp_sdf": "sdf",
    "mlp_rgb": "rgb",
    "mlp_basecolor": "base_color",
    "mlp_specular": "material",
}


def _attention_fragments() -> dict[str, str]:
    """What each of the two streams, and each of the four directions between them, is called."""
    fragments: dict[str, str] = {}
    for letter, stream in _STREAMS.items():
        own = f"attention.{stream}"
        fragments |= {
            f"crs_attn.q_proj_{letter}": f"{own}.query",
            f"crs_attn.k_proj_{letter}": f"{own}.key",
            f"crs_attn.v_proj_{letter}": f"{own}.value",
            f"crs_attn.gate_{letter}.0": f"{own}.gate",
            f"crs_attn.proj_{letter}": f"{own}.output",
            f"mlp_{letter}_1": f"{stream}_mlp",
        }
        for key_letter, keys in _STREAMS.items():
            released, own = (
                f"crs_attn.{letter}_2_{key_letter}_attn",
                f"attention.{stream}_to_{keys}",
            )
            fragments |= {
                f"{released}_in.compression_key.act_layers": f"{own}.key_compression",
                f"{released}_in.compression_value.act_layers": f"{own}.value_compression",
                f"{released}_out.gate.0": f"{own}.gate",
            }
    return fragments


FRAGMENTS = {
    "encoder": _ENCODER,
    "transformer": _TRANSFORMER | _attention_fragments(),
    "decoder": _DECODER,
}
"""For each module of a stage: released fragment to LSRM's fragment."""

_INVERSE = {
    module: {own: released for released, own in table.items()}
    for module, table in FRAGMENTS.items()
}

# Names of an older layout of the release, one of them misspelt.
_OLDER = (
    (re.compile(r"\b([xy]_2_[xy])_atte?n\.(compression_(?:key|value))\b"), r"\1_attn_in.\2"),
    (re.compile(r"\b([xy]_2_[xy])_atte?n\.gate\b"), r"\1_attn_out.gate"),
)
# What wrappers of distributed training leave in front of names.
_WRAPPERS = ("module.", "_fsdp_wrapped_module.")

# What a name ends with; the pair of weight norm is replaced by `weight` when it is folded.
_LEAVES = {"weight", "bias", *WEIGHT_NORM}


def from_release(module: str, name: str) -> str:
    """LSRM's name of a released parameter.

    Args:
        module: of a stage, a value of `MODULES`.
        name: the released name without its module, in the current layout.

    Raises:
        KeyError: if the release has no such parameter.
    """
    return _translate(name, FRAGMENTS[module])


def to_release(module: str, name: str) -> str:
    """The released name of a parameter of LSRM; the inverse of `from_release`."""
    return _translate(name, _INVERSE[module])


def current_name(stored: str) -> str:
    """A name as it lies in a file, without wrappers, in the current layout of the release."""
    name = stored
    while name.startswith(_WRAPPERS):
        name = name.partition(".")[2]
    for pattern, replacement in _OLDER:
        name = pattern.sub(replacement, name)
    return name


def _translate(name: str, fragments: dict[str, str]) -> str:
    parts, rest, found_fragment = [], name, False
    while rest:
        found = _leading_fragment(rest, fragments)
        if found:
            parts.append(fragments[found])
            found_fragment = True
        else:
            found = rest if rest in _LEAVES else rest.partition(".")[0]
            if not found_fragment or not (found.isdigit() or found in _LEAVES):
                raise KeyError(name)
            parts.append(found)
        rest = rest[len(found) + 1 :]
    return ".".join(parts)


def _leading_fragment(rest: str, fragments: dict[str, str]) -> str | None:
    """The fragment a name begins with: the one with most parts that is in the table."""
    parts = rest.split(".")
    candidates = (".".join(parts[:count]) for count in range(len(parts), 0, -1))
    return next((candidate for candidate in candidates if candidate in fragments), None)
