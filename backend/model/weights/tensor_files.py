# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tensors on disk: harmless unpickling, safetensors one tensor at a time, strict loading."""

from __future__ import annotations

import argparse
import json
import pickle
import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open

from ...shared.errors import CheckpointMismatch, CheckpointMissing

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from torch import Tensor, nn


class _Inert:
    """A substitute for a class that a pickle names and LSRM does not use; it does nothing.

    Unpickling it runs none of the code of that class.
    """

    def __init__(self, *parts: object) -> None:
        self.parts = parts


# The only classes a checkpoint's pickle may name beyond tensors and plain containers: a Namespace
# holds the arguments of a training run, and paths may be among them. Neither runs code.
_ALLOWED: list[Any] = [
    argparse.Namespace,
    *((_Inert, f"pathlib.{kind}Path") for kind in ("Posix", "Windows")),
    *((_Inert, f"pathlib._local.{kind}Path") for kind in ("Posix", "Windows")),  # Python 3.13
]
_ZIP = b"PK\x03\x04"
_TYPE_NAMES = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}


def read_pickle(path: Path) -> Any:
    """The content of a `.pth` file; tensors stay on disk until they are used.

    DEFECT 17 (docs/deviations.md): the release unpickles without limits, which can run any code.

    Raises:
        CheckpointMissing: if there is no such file.
        CheckpointMismatch: if it is damaged, or names anything but tensors and plain data. Nothing
            of it is executed.
    """
    if not path.is_file():
        raise CheckpointMissing(f"There is no file {path}.", "Check the path of the download.")
    with path.open("rb") as file:
        mapped = file.read(len(_ZIP)) == _ZIP
    try:
        with torch.serialization.safe_globals(_ALLOWED):
            return torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        named = re.search(r"(?:GLOBAL|class|function|global:?) `?([\w.]+\.[\w.]+)", str(error))
        what = (
            f"wants to load {named[1]}" if named else f"is no plain pickle ({_first_line(error)})"
        )
        raise CheckpointMismatch(
            f"{path} {what}; none of it was executed.",
            "Use only files from the official download; this one may be harmful.",
        ) from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, AttributeError) as error:
        raise CheckpointMismatch(
            f"{path} is damaged or incomplete ({_first_line(error)}).", "Download it again."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def read_safetensors(files: Iterable[Path], prefix: str = "") -> Iterator[tuple[str, Tensor]]:
    """The tensors of some files whose names have a prefix, one at a time.

    Raises:
        CheckpointMismatch: if a file is damaged.
    """
    for path in files:
        try:
            with safe_open(str(path), "pt") as file:
                for name in file.keys():  # noqa: SIM118 - the file is no mapping
                    if name.startswith(prefix):
                        yield name, file.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise CheckpointMismatch(
                f"{path} is damaged or incomplete ({_first_line(error)}).",
                "Convert or download the checkpoint again.",
            ) from error


def safetensors_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes in a file, without reading its tensors.

    Raises:
        CheckpointMismatch: if the file is damaged.
    """
    try:
        with safe_open(str(path), "pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise CheckpointMismatch(
            f"{path} is damaged or incomplete ({_first_line(error)}).",
            "Convert or download the checkpoint again.",
        ) from error


def write_safetensors(
    path: Path,
    shapes: Mapping[str, tuple[int, ...]],
    tensors: Iterable[tuple[str, Tensor]],
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write tensors as they come, never holding more than one.

    Args:
        path: of the file.
        shapes: of all tensors, in the order in which they will come.
        tensors: names and values, of any float type.
        dtype: they are stored in.

    Raises:
        ValueError: if what comes is not what `shapes` announced.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + torch.Size(shape).numel() * dtype.itemsize
        kind = _TYPE_NAMES[dtype]
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for (name, shape), (given, tensor) in zip(shapes.items(), tensors, strict=True):
            if (given, tuple(tensor.shape)) != (name, tuple(shape)):
                raise ValueError(f"expected {name} {shape}, got {given} {tuple(tensor.shape)}")
            flat = tensor.detach().to("cpu", dtype).contiguous().reshape(-1)
            file.write(flat.view(torch.uint8).numpy().data)


@dataclass(frozen=True)
class Differences:
    """Where the tensors of a file and those of a model differ.

    Attributes:
        missing: names the model has and the file lacks.
        unexpected: names only the file has.
        reshaped: name, shape in the file, shape in the model.
    """

    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    reshaped: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...]

    @classmethod
    def between(
        cls, found: Mapping[str, tuple[int, ...]], wanted: Mapping[str, tuple[int, ...]]
    ) -> Differences:
        """Compare names and shapes in a file with those of a model."""
        return cls(
            tuple(name for name in wanted if name not in found),
            tuple(name for name in found if name not in wanted),
            tuple(
                (name, tuple(found[name]), tuple(shape))
                for name, shape in wanted.items()
                if name in found and tuple(found[name]) != tuple(shape)
            ),
        )

    def check(self, source: object, remedy: str) -> None:
        """Raise CheckpointMismatch with the whole list unless there is no difference."""
        shapes = [f"{name} {have} instead of {want}" for name, have, want in self.reshaped]
        parts = [
            f"{len(names)} tensor{'s' * (len(names) > 1)} {what}: {', '.join(fold_numbers(names))}"
            for what, names in (
                ("missing", self.missing),
                ("unexpected", self.unexpected),
                ("of another shape", shapes),
            )
            if names
        ]
        if parts:
            raise CheckpointMismatch(f"{source} does not fit: {'; '.join(parts)}.", remedy)


def fold_numbers(names: Iterable[str]) -> list[str]:
    """Names that differ only in their first index as one: `a.0.w`, `a.1.w` -> `a.{0-1}.w`."""
    groups: dict[tuple[str, str], list[int]] = {}
    for name in names:
        head, number, tail = re.match(r"(.*?\.)(\d+)(\..*)|(?s:.*)", name).groups()  # type: ignore[union-attr]
        groups.setdefault((head or name, tail or ""), []).extend([int(number)] if number else [])
    return [f"{head}{_ranges(numbers)}{tail}" for (head, tail), numbers in groups.items()]


def _ranges(numbers: list[int]) -> str:
    """`[0, 1, 2, 5]` as `{0-2,5}`; a lone number as it is."""
    if len(numbers) <= 1:
        return "".join(map(str, numbers))
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][-1] + 1:
            runs[-1][-1] = number
        else:
            runs.append([number, number])
    return "{" + ",".join(f"{a}-{b}" if b > a else str(a) for a, b in runs) + "}"


def load_strictly(
    module: nn.Module, tensors: Mapping[str, Tensor], source: object, remedy: str
) -> None:
    """Give a module built on the meta device its tensors, all of them and no others.

    DEFECT 12 (docs/deviations.md): the release loads what fits and says nothing of the rest.

    Raises:
        CheckpointMismatch: listing every missing, unexpected or differently shaped tensor.
    """
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    wanted = {name: tuple(tensor.shape) for name, tensor in module.state_dict().items()}
    Differences.between(found, wanted).check(source, remedy)
    module.load_state_dict(dict(tensors), strict=True, assign=True)
