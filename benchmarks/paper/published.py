# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of the paper's tables, quoted: LSRM, arXiv 2604.05182, CC BY 4.0, Tables 1 to 4.

Tables 1 and 3, and Tables 2 and 4, differ in the last digits of some rows; each is quoted as it is.
The paper gives the unit of none of its Chamfer distances (CD), so they stand in a column of their
own.
"""

from __future__ import annotations

from dataclasses import dataclass

PAPER = "arXiv 2604.05182"

GSO = ("psnr", "ssim", "lpips")
ORB = ("psnr_linear", "psnr", "ssim", "lpips", "cd")
DTC = ("psnr_linear", "psnr", "ssim", "lpips")
OWL = ("psnr", "ssim", "lpips")


@dataclass(frozen=True)
class Quoted:
    """A row of a table of the paper.

    Attributes:
        method: as the paper names it.
        data: the data set.
        views: input views; None where the paper does not say.
        table: its number.
        measures: by name.
    """

    method: str
    data: str
    views: int | None
    table: int
    measures: dict[str, float]


def _rows(
    data: str, table: int, names: tuple[str, ...], rows: dict[tuple[str, int | None], str]
) -> list[Quoted]:
    """Rows of one table by method and views, their numbers separated by spaces."""
    return [
        Quoted(method, data, views, table, dict(zip(names, map(float, row.split()), strict=True)))
        for (method, views), row in rows.items()
    ]


QUOTED = (
    *_rows("GSO", 1, GSO, {
        ("MeshLRM", None): "28.13 0.923 0.093",
        ("GS-LRM", None): "30.52 0.952 0.050",
        ("LIRM", 16): "30.65 0.949 0.054",
        ("LSRM, dense model", 16): "28.45 0.934 0.079",
        ("LSRM", 16): "33.08 0.971 0.028",
    }),
    *_rows("GSO", 3, GSO, {
        ("LIRM", 8): "30.48 0.947 0.056",
        ("LIRM", 16): "30.56 0.948 0.054",
        ("LSRM", 8): "32.46 0.968 0.031",
        ("LSRM", 16): "33.08 0.971 0.028",
    }),
    *_rows("Stanford-ORB", 2, ORB, {
        ("NVDiffrecMc", None): "24.43 31.60 0.972 0.036 0.51",
        ("InvRender", None): "23.76 30.83 0.970 0.046 0.44",
        ("NeuralPBIR", None): "26.01 33.26 0.979 0.023 0.43",
        ("LIRM", None): "25.09 32.45 0.972 0.025 0.38",
        ("LSRM", None): "25.47 32.85 0.977 0.022 0.29",
    }),
    *_rows("Stanford-ORB", 4, ORB[:4], {("RelitLRM", 6): "24.67 31.52 0.969 0.032"}),
    *_rows("Stanford-ORB", 4, ORB, {
        ("LIRM", 6): "24.76 32.11 0.971 0.027 0.48",
        ("LSRM", 6): "25.57 32.74 0.975 0.023 0.32",
        ("LSRM", 18): "25.47 32.85 0.978 0.022 0.29",
    }),
    *_rows("Digital Twin Catalogue", 2, DTC, {
        ("NVDiffrecMc", None): "27.78 34.55 0.952 0.042",
        ("InvRender", None): "29.52 35.98 0.961 0.037",
        ("LIRM", None): "27.65 34.84 0.960 0.031",
        ("LSRM", None): "29.67 35.66 0.964 0.025",
    }),
    *_rows("Digital Twin Catalogue", 4, DTC, {
        ("LIRM", 6): "28.03 34.28 0.959 0.034",
        ("LSRM", 6): "29.09 35.16 0.961 0.028",
        ("LSRM", 18): "29.67 35.66 0.965 0.025",
    }),
    *_rows("Objects With Lighting", 2, OWL, {
        ("NVDiffrecMc", None): "19.82 0.73 0.389",
        ("InvRender", None): "23.77 0.78 0.369",
        ("LIRM", None): "23.27 0.77 0.322",
        ("LSRM", None): "24.88 0.79 0.269",
    }),
    *_rows("Objects With Lighting", 4, OWL, {
        ("RelitLRM", 6): "23.08 0.79 0.284",
        ("LIRM", 6): "22.70 0.76 0.326",
        ("LSRM", 6): "24.43 0.80 0.255",
        ("LSRM", 18): "24.88 0.79 0.269",
    }),
)  # fmt: skip
"""All rows of methods; of the ablations in Table 1 the dense model and the full one."""


def quoted_rows(data: str) -> list[Quoted]:
    """The published rows of a data set."""
    return [row for row in QUOTED if row.data == data]
