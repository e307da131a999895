# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Command lines: types of options, text and progress on stderr, JSON on stdout, and Ctrl-C."""

from __future__ import annotations

import argparse
import contextlib
import json
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from .backdrop import NAMED
from .checkpoint_folders import AUTO
from .exit_codes import exit_code
from .lods.face_targets import REMEDY, parse_face_targets

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .errors import LsrmError
    from .progress import Progress


def say(text: str) -> None:
    """Print text for people on stderr, unbuffered; work goes on where stderr is closed."""
    with contextlib.suppress(BrokenPipeError):
        sys.stderr.write(text + "\n")
        sys.stderr.flush()


def print_json(document: Any) -> None:
    """Print a JSON document for programs on stdout."""
    sys.stdout.write(json.dumps(document, indent=2) + "\n")
    sys.stdout.flush()


def print_error(error: LsrmError, *, as_json: bool) -> int:
    """Print an error on stderr, and as JSON on stdout if requested; returns its exit code."""
    say(f"{error.code}: {error.message}\n{error.remedy}")
    if as_json:
        print_json({"error": error.to_dict()})
    return exit_code(error)


class PlainProgress:
    """Progress as two lines for each stage, at its beginning and end: for logs and pipes."""

    def __init__(self) -> None:
        self._stage = ""
        self._started = 0.0

    def __call__(self, stage: str, fraction: float, message: str) -> None:
        """Receive one report."""
        if stage != self._stage:
            self._stage, self._started = stage, time.perf_counter()
            say(f"{stage} …")
        elif fraction == 1:
            say(f"{stage} done in {time.perf_counter() - self._started:.1f} s {message}".rstrip())


@contextlib.contextmanager
def cancel_on_interrupt(progress: Progress) -> Iterator[None]:
    """Cancel a job at the first Ctrl-C or SIGTERM; a second one has its usual effect."""
    previous = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def cancel(_number: int, _frame: object) -> None:
        for number, handler in previous.items():
            signal.signal(number, handler)
        progress.cancel()
        say("Stopping …")

    for number in previous:
        signal.signal(number, cancel)
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


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


def pixels_setting(text: str) -> int:
    """A number of pixels, 0 or above.

    Raises:
        argparse.ArgumentTypeError: if the number is negative.
        ValueError: if the text is not an integer.
    """
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{number} is negative")
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


def faces_setting(text: str) -> tuple[int, ...]:
    """The value of `--faces`: triangles of the mesh, and of coarser levels of detail.

    Raises:
        argparse.ArgumentTypeError: if they are no falling numbers.
    """
    try:
        return parse_face_targets(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{error} {REMEDY}") from None


def add_reconstruct_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of a reconstruction, which `backend reconstruct` and the batch share."""
    add = parser.add_argument
    add(
        "--checkpoint",
        default=AUTO,
        help="name or folder of weights; none needs none; auto is those that ship, else none",
    )
    add("--refine", type=refine_setting, default="auto", help="off, auto or seconds")
    add(
        "--device",
        default="auto",
        help="auto, cpu, cuda, cuda:1; several share the network: cuda:all, cuda:0,1 or cpu:0,1",
    )
    add(
        "--texture-size",
        type=texture_size_setting,
        default="auto",
        help="side in texels; auto follows the resolution of the views",
    )
    add(
        "--faces",
        type=faces_setting,
        default=(50_000,),
        metavar="N[,N…]",
        help="triangles of the mesh, about; more numbers, falling, make coarser levels of detail",
    )
    add("--material", choices=("auto", "rgb", "pbr"), default="auto")


def add_mask_options(parser: argparse.ArgumentParser) -> None:
    """Add the options of masks that are made for views without any."""
    parser.add_argument(
        "--mask-model",
        default="",
        metavar="FILE.onnx",
        help="a segmentation model of your own that makes the masks which views lack",
    )
    parser.add_argument(
        "--mask-backdrop",
        default="",
        metavar="COLOR",
        help="views lack masks and show the object before a plain backdrop: auto, "
        f"{', '.join(NAMED)}, or #rrggbb",
    )


def add_mask_edge_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that change all masks at their edge."""
    parser.add_argument(
        "--mask-erode",
        type=pixels_setting,
        default=0,
        metavar="PIXELS",
        help="move the outlines of all masks inwards, where they show some of the background",
    )
    parser.add_argument(
        "--mask-feather",
        type=pixels_setting,
        default=0,
        metavar="PIXELS",
        help="make all masks soft at their outlines, over so many pixels",
    )
