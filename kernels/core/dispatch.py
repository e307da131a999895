# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which implementation runs: Triton on CUDA, the PyTorch reference everywhere else.

`auto` decides per call and logs each decision once, with its reason. `forced("reference")` decides
for every call during its `with`, the variable LSRM_KERNELS for a whole process.
"""

from __future__ import annotations

import functools
import importlib.util
import logging
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from torch import Tensor

Result = TypeVar("Result")

LOGGER = logging.getLogger(__name__)

CHOICES = ("auto", "triton", "reference")
_DTYPES = (torch.float32, torch.float16, torch.bfloat16)
_OLDEST = (8, 0)  # compute capability: asynchronous copies and bfloat16 begin with Ampere

_FORCED: list[list[str]] = []
"""The choices in force, the innermost last. They hold in all threads: on a GPU autograd computes
gradients on threads of its own, into which neither context variables nor thread-locals travel."""


@contextmanager
def forced(choice: str) -> Iterator[None]:
    """Run one implementation during this context, in all threads, whatever LSRM_KERNELS says.

    Args:
        choice: "triton", "reference", or "auto".

    Raises:
        ValueError: for any other string.
    """
    own = [_checked(choice, "forced()")]
    _FORCED.append(own)
    try:
        yield
    finally:
        _FORCED[:] = [each for each in _FORCED if each is not own]


def choice() -> str:
    """The choice in force here: "auto", "triton" or "reference"."""
    if _FORCED:
        return _FORCED[-1][0]
    return _checked(os.environ.get("LSRM_KERNELS", "auto"), "LSRM_KERNELS")


def uses_triton(tensor: Tensor) -> bool:
    """Whether an operation on this tensor runs in Triton.

    Raises:
        RuntimeError: if Triton is forced where it cannot run.
    """
    wanted = choice()
    if wanted == "reference":
        return False
    obstacle = _obstacle(tensor, wanted)
    if wanted == "triton" and obstacle:
        raise RuntimeError(f"Triton kernels are forced, but {obstacle}.")
    reason = obstacle or f"tensors on {tensor.device.type}"
    log_choice("kernels", "reference" if obstacle else "Triton", reason)
    return not obstacle


def run_triton(kernel: Callable[..., Result], first: Tensor, *arguments: Any) -> Result:
    """Call what launches a Triton kernel, on the CUDA device of its first tensor.

    Operations import their kernel where they call this, so that importing `kernels` does not
    import Triton.

    Args:
        kernel: a function of `kernels.gpu`, or `apply` of an autograd function there.
        first: its first argument.
        arguments: all others.
    """
    with torch.cuda.device_of(first):  # Triton launches on the current device
        return kernel(first, *arguments)


def interpreting() -> bool:
    """Whether Triton runs its kernels as Python on the CPU, which is for tests."""
    return os.environ.get("TRITON_INTERPRET", "0").lower() in ("1", "true", "on", "y", "yes")


def _obstacle(tensor: Tensor, wanted: str) -> str:
    """What keeps Triton from reading this tensor; empty if nothing does."""
    if not _installed():
        return "Triton is not installed"
    if tensor.dtype not in _DTYPES:
        return f"it does not support {tensor.dtype}"
    if wanted == "triton" and interpreting():
        if tensor.dtype == torch.bfloat16:
            return "Triton's interpreter multiplies bfloat16 wrongly; use float32 or float16"
        return ""
    if not tensor.is_cuda:
        return f"the tensors are on {tensor.device.type}, not on CUDA"
    capability = torch.cuda.get_device_capability(tensor.device)
    if capability < _OLDEST:
        return f"compute capability {capability} is older than {_OLDEST}"
    return ""


@functools.cache
def _installed() -> bool:
    return importlib.util.find_spec("triton") is not None


@functools.cache
def log_choice(what: str, implementation: str, reason: str) -> None:
    """Log once which implementation runs, and why."""
    LOGGER.info("%s: %s (%s)", what, implementation, reason)


def _checked(choice: str, source: str) -> str:
    if choice not in CHOICES:
        raise ValueError(f"{source} is {choice!r}; it must be one of {', '.join(CHOICES)}.")
    return choice
