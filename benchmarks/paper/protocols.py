# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The protocols: how many views, at which size, what is measured, and what is quoted beside it.

The numbers are those of section 4 of the paper and of the scripts of its release. Where both are
silent, the modules `scoring` and `layouts` say what is done here.
"""

from __future__ import annotations

from dataclasses import dataclass

NOVEL_VIEWS = {
    "psnr": "PSNR",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "flip": "FLIP",
    "chamfer_x1e3": "Chamfer x1e3",
}
RELIT = {
    "psnr_linear": "PSNR-H",
    "psnr": "PSNR-L",
    "ssim": "SSIM",
    "lpips": "LPIPS",
    "flip": "FLIP",
    "chamfer_x1e3": "Chamfer x1e3",
    "cd": "CD as published",
}


@dataclass(frozen=True, kw_only=True)
class Protocol:
    """How a data set is evaluated.

    Attributes:
        layout: of the data set, one of `LAYOUTS`.
        views: input views.
        material: of `reconstruct`, unless another one is requested.
        columns: titles of measures in the paper's order, by the names of the measures.
        aligned: whether the light of every render is scaled to that of its true image.
        render_size: longest side in pixels at which results are rendered; None: the scored size.
        score_size: longest side to which true images and renders are averaged down.
        quoted: the data set whose published rows stand beside the measured one.
    """

    layout: str
    views: int
    material: str
    columns: dict[str, str]
    aligned: bool
    render_size: int | None
    score_size: int
    quoted: str


def _novel_views(layout: str, render_size: int | None) -> Protocol:
    """The base color of results against views under the light of the inputs."""
    return Protocol(
        layout=layout,
        views=16,
        material="rgb",
        columns=NOVEL_VIEWS,
        aligned=False,
        render_size=render_size,
        score_size=512,
        quoted="GSO",
    )


def _relighting(layout: str, views: int, render_size: int | None, quoted: str) -> Protocol:
    """Results under other lights."""
    return Protocol(
        layout=layout,
        views=views,
        material="auto",
        columns=RELIT,
        aligned=True,
        render_size=render_size,
        score_size=512,
        quoted=quoted,
    )


PROTOCOLS = {
    "gso": _novel_views("rig", 768),
    "stanford-orb": _relighting("stanford-orb", 18, 1024, "Stanford-ORB"),
    "dtc": _relighting("real", 18, 1024, "Digital Twin Catalogue"),
    "owl": _relighting("objects-with-lighting", 18, 1024, "Objects With Lighting"),
    "novel-views": _novel_views("captures", None),
    "relighting": _relighting("relit-captures", 16, None, "Stanford-ORB"),
}

OWN = ("novel-views", "relighting")
"""Protocols for captures of the user's own objects."""
