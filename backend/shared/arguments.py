# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Types of command-line arguments that both sides take, for `argparse`."""

from __future__ import annotations

import argparse


def positive_integer(text: str) -> int:
    """An integer above zero.

    Raises:
        argparse.ArgumentTypeError: if the number is not.
        ValueError: if the text is no integer.
    """
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is not a positive number")
    return number


def refinement(text: str) -> str:
    """`off`, `auto`, or seconds above zero.

    Raises:
        argparse.ArgumentTypeError: naming these.
    """
    if text not in ("off", "auto"):
        try:
            positive_integer(text)
        except (ValueError, argparse.ArgumentTypeError):
            raise argparse.ArgumentTypeError(f"{text!r} is not off, auto or seconds") from None
    return text
