# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which implementation runs, and what is logged about it."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest
import torch

from kernels.core import dispatch
from kernels.core.dispatch import choice, forced, uses_triton


@pytest.fixture(autouse=True)
def _empty_log(monkeypatch):
    monkeypatch.delenv("LSRM_KERNELS", raising=False)
    dispatch.log_choice.cache_clear()


def test_auto_runs_the_reference_on_a_cpu_and_logs_it_once(caplog):
    """The log has one line with the choice and its reason, however often it is made."""
    caplog.set_level(logging.INFO, logger="kernels.core.dispatch")
    assert [uses_triton(torch.zeros(1)) for _ in range(3)] == [False] * 3
    assert [record.getMessage() for record in caplog.records] == [
        "kernels: reference (the tensors are on cpu, not on CUDA)"
    ]


def test_the_variable_is_a_default_and_the_context_decides(monkeypatch):
    """`forced` wins inside its `with`, also nested, and leaves nothing behind."""
    monkeypatch.setenv("LSRM_KERNELS", "triton")
    assert choice() == "triton"
    with forced("reference"):
        assert choice() == "reference"
        with forced("auto"):
            assert choice() == "auto"
        assert choice() == "reference"
    assert choice() == "triton"


class _Nested(torch.autograd.Function):
    """Computes gradients in its backward, so many levels deep that autograd changes threads."""

    @staticmethod
    def forward(ctx, value, level, seen):
        ctx.level, ctx.seen = level, seen
        return value.clone()

    @staticmethod
    def backward(ctx, grad):
        ctx.seen[threading.get_ident()] = choice()
        if ctx.level:
            with torch.enable_grad():
                inner = torch.zeros(1, requires_grad=True)
                _Nested.apply(inner, ctx.level - 1, ctx.seen).backward()
        return grad, None, None


def test_a_forced_choice_holds_in_the_threads_of_autograd():
    """On a GPU every backward runs in a thread of autograd; on a CPU the deeply nested ones do."""
    seen = {}
    with forced("reference"):
        _Nested.apply(torch.zeros(1, requires_grad=True), 100, seen).backward()
    assert threading.get_ident() in seen
    assert len(seen) > 1
    assert set(seen.values()) == {"reference"}
    assert choice() == "auto"


def test_contexts_of_two_threads_end_in_any_order():
    """The choice of a context that ends first does not end that of another one."""
    first, second = forced("reference"), forced("auto")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert choice() == "auto"
    second.__exit__(None, None, None)
    assert not dispatch._FORCED


def test_unknown_choices_are_errors(monkeypatch):
    """A misspelled choice is an error that lists the right ones."""
    with pytest.raises(ValueError, match="'cuda'; it must be one of auto, triton, reference"):
        forced("cuda").__enter__()
    monkeypatch.setenv("LSRM_KERNELS", "fast")
    with pytest.raises(ValueError, match="LSRM_KERNELS is 'fast'"):
        choice()


def test_forcing_triton_where_it_cannot_run_is_an_error(monkeypatch):
    """Forced Triton never runs the reference silently."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)
    with forced("triton"), pytest.raises(RuntimeError, match="forced, but"):
        uses_triton(torch.zeros(1))


def test_forcing_triton_on_doubles_is_an_error(monkeypatch):
    """Kernels sum in float32, so they do not accept float64."""
    monkeypatch.setenv("TRITON_INTERPRET", "1")
    with forced("triton"), pytest.raises(RuntimeError, match="forced, but"):
        uses_triton(torch.zeros(1, dtype=torch.float64))


IMPORT_ALL = """
import importlib, sys
from pathlib import Path
for path in [*Path("kernels").glob("*.py"), *Path("kernels/core").glob("*.py")]:
    importlib.import_module(".".join(path.with_suffix("").parts))
sys.exit("triton" in sys.modules)
"""


def test_importing_the_operations_does_not_import_triton(repository):
    """Triton is imported when the first kernel runs, so LSRM works where it is not installed."""
    command = [sys.executable, "-c", IMPORT_ALL]
    assert subprocess.run(command, cwd=repository, check=False).returncode == 0
