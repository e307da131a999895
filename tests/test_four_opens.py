# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""A reader with the paper finds its equations by number, and equation (2) in four opens.

README.md, backend/pipeline.py, backend/model/attention.py, kernels/reference/definitions.py: each
names the next one, and the last is on the path that runs.
"""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

ROOMS = ("backend/model", "backend/field", "kernels")
ATTENTION = "backend/model/attention.py"
DEFINITIONS = "kernels/reference/definitions.py"
EQUATION = "gated_sum"


def equations_in(text: str) -> set[int]:
    """The equations that "eq. (9)", "eqs. (5) and (6)" or "eqs. (10)-(12)" name."""
    found: set[int] = set()
    for mention in re.findall(r"[Ee]qs?\. ((?:\(\d+\)(?:-|, | and | or )?)+)", text):
        for first, last in re.findall(r"\((\d+)\)(?:-\((\d+)\))?", mention):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def parse(path: Path) -> ast.Module:
    """The syntax tree of a module."""
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(tree: ast.Module) -> dict[str, ast.FunctionDef]:
    """The functions of a module by name."""
    return {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}


def calls(tree: ast.AST) -> set[str]:
    """What is called, as it is written: `name` or `module.name`."""
    return {ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}


def imports_from_kernels(tree: ast.Module) -> dict[str, str]:
    """Functions that `from kernels.x import y` brings in, with the module of each."""
    return {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("kernels.")
        for alias in node.names
    }


def test_first_open_readme_links_the_pipeline(repository: Path) -> None:
    """README.md has a link to backend/pipeline.py."""
    assert "](backend/pipeline.py)" in (repository / "README.md").read_text(encoding="utf-8")


def test_second_open_pipeline_names_attention(repository: Path) -> None:
    """The docstring of backend/pipeline.py names the module of attention."""
    assert ATTENTION in ast.get_docstring(parse(repository / "backend" / "pipeline.py"))


def test_third_open_attention_calls_the_definition(repository: Path) -> None:
    """Sparse attention calls the gated sum of kernels, which calls the definition of eq. (2)."""
    tree = parse(repository / ATTENTION)
    assert DEFINITIONS in ast.get_docstring(tree)
    (forward,) = (
        method
        for node in tree.body
        if isinstance(node, ast.ClassDef) and node.name == "SparseAttention"
        for method in node.body
        if isinstance(method, ast.FunctionDef) and method.name == "forward"
    )
    called = calls(forward) & imports_from_kernels(tree).keys()
    assert called == {EQUATION}
    module = repository / f"{imports_from_kernels(tree)[EQUATION].replace('.', '/')}.py"
    imported = {
        (node.module, node.level, alias.name)
        for node in parse(module).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert ("reference", 1, "definitions") in imported
    assert f"definitions.{EQUATION}" in calls(functions(parse(module))[EQUATION])


def test_fourth_open_is_equation_2(repository: Path) -> None:
    """The definition names eq. (2) and is short; the branches beside it name eq. (1)."""
    defined = functions(parse(repository / DEFINITIONS))
    assert 2 in equations_in(ast.get_docstring(defined[EQUATION]))
    assert len(defined[EQUATION].body) <= 4
    for branch in ("compressed", "selected", "window"):
        assert 1 in equations_in(ast.get_docstring(defined[f"{branch}_attention"]))


def test_every_equation_is_named(repository: Path) -> None:
    """Equations (1) to (15) are each named where they are computed."""
    named: set[int] = set()
    for room in ROOMS:
        for path in (repository / room).rglob("*.py"):
            named |= equations_in(path.read_text(encoding="utf-8"))
    assert named >= set(range(1, 16))
