# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types and options of command lines for `argparse`, for the backend and the add-on."""

from __future__ import annotations

import argparse


def positive_integer(text: str) -> int:
    """An integer above zero.

    Raises:
        argparse.ArgumentTypeError: if the number is not positive.
        ValueError: if the text is not an integer.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a positive number")
    return number


def field_of_view(text: str) -> float:
    """An angle of 1 to 150 degrees.

    Raises:
        argparse.ArgumentTypeError: if it is outside.
        ValueError: if the text is not a number.
    """
    degrees = float(text)
    if not 1.0 <= degrees <= 150.0:
        raise argparse.ArgumentTypeError(f"{text} is not between 1 and 150 degrees")
    return degrees


def refine_setting(text: str) -> str:
    """The value of `--refine`: `off`, `auto`, or seconds above zero.

    Raises:
        argparse.ArgumentTypeError: if it is none of these.
    """
    if text not in ("off", "auto"):
        try:
            positive_integer(text)
        except (ValueError, argparse.ArgumentTypeError):
            raise argparse.ArgumentTypeError(f"{text!r} is not off, auto or seconds") from None
    return text


def texture_size_setting(text: str) -> str:
    """The value of `--texture-size`: `auto`, or texels above zero.

    Raises:
        argparse.ArgumentTypeError: if it is neither.
    """
    if text != "auto":
        try:
            positive_integer(text)
        except (ValueError, argparse.ArgumentTypeError):
            raise argparse.ArgumentTypeError(f"{text!r} is not auto or texels") from None
    return text


def add_reconstruct_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a reconstruction, which `backend reconstruct` and the batch share."""
    add = parser.add_argument
    add("--checkpoint", default="none", help="name or folder; none needs no weights")
    add("--refine", type=refine_setting, default="auto", help="off, auto or seconds")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:0 …")
    add(
        "--texture-size",
        type=texture_size_setting,
        default="auto",
        help="side in texels; auto follows the resolution of the views",
    )
    add("--faces", type=positive_integer, default=50_000, help="approximate number of triangles")
    add("--material", choices=("auto", "rgb", "pbr"), default="auto")
