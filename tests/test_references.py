# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comments and pages refer to exists: files, marks, links, commands, error codes."""

from __future__ import annotations

import ast
import inspect
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

import pytest

from backend.shared import errors, exit_codes
from lsrm_blender.ui.translations import GERMAN
from tests import test_rooms

ROOMS = ("backend", "benchmarks", "docs", "kernels", "lsrm_blender", "tests")
PRODUCT = ("backend/", "kernels/", "lsrm_blender/")
PAGE = "docs/deviations.md"
EXCLUDED = {
    "LICENSE": "the text of the GPL counts its own sections",
    "docs/demo.png": "a picture",
    "docs/tour-1-object.png": "a picture",
    "docs/tour-2-running.png": "a picture",
    "docs/tour-3-relit.png": "a picture",
    "tests/test_references.py": "names what it forbids",
}

OUTSIDE = {
    "a numbered specification": r"\bspec(?:ification)?s? \d",
    "a section of the specification": r"\bsections? \d[\d.]* of the spec",
    "an issue": r"\bissues? #?\d",
    "a folder of reference data": r"(?<![\w/])(?:\.\./)?shared/\w",
    "a path of one machine": r"(?<![\w.])/(?:work|home|root|Users)/\w",
}
MARK = re.compile(r"\b(QUIRK|DEFECT) (\d+)\b")
BARE_MARK = re.compile(r"\b(?:QUIRK|DEFECT)(?!\w| \d)|\b(?:QUIRKS|DEFECTS)\b")
ENTRY = re.compile(r"^### (QUIRK|DEFECT) (\d+): ", re.MULTILINE)
PATH = re.compile(rf"(?<![\w./\-])((?:{'|'.join(ROOMS)})/[\w./\-]*\w/?)")
MODULE = re.compile(r"`((?:backend|benchmarks|kernels)(?:\.\w+)+)`")
FILE_NAME = re.compile(r"(?<![\w./\-*])([\w-]+\.(?:py|md|toml))\b")
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]+")
WITH_COMMANDS = (*PRODUCT, "benchmarks/")
OPTIONS_OF_OTHERS = {
    *("--command", "--help", "--no-build-isolation", "--output-dir", "--python-expr"),
}
"""Of Blender, of pip, and of every command."""

BLENDERS_OWN = {
    *("Edit", "File", "Preferences", "Add-ons", "Get Extensions", "Install from Disk"),
    *("System", "Network", "Material Preview", "Rendered"),
}
"""Labels of pages that Blender translates itself."""

LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.fixture(scope="module")
def texts(repository) -> dict[str, str]:
    """Every text file of the repository that is not excluded: its content by its path."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a clone: git lists no files")
    names = {name for name in listed.stdout.split("\0") if (repository / name).is_file()}
    assert set(EXCLUDED) <= names
    return {name: (repository / name).read_text("utf-8") for name in sorted(names - set(EXCLUDED))}


def lines_with(pattern: str | re.Pattern[str], texts: dict[str, str]) -> list[str]:
    """Where a pattern occurs, as PATH:LINE: TEXT."""
    return [
        f"{name}:{number}: {line.strip()}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), 1)
        if re.search(pattern, line)
    ]


def marks_in(text: str) -> set[tuple[str, int]]:
    """The marks that a text names, as (kind, number)."""
    return {(kind, int(number)) for kind, number in MARK.findall(text)}


def unwrapped(text: str) -> str:
    """A Python file without the line breaks inside its comments and docstrings."""
    return re.sub(r"\s*\n\s*(?:# )?", " ", text)


@pytest.fixture(scope="module")
def entries(repository) -> dict[tuple[str, int], str]:
    """The entries of the page of deviations: their text by (kind, number)."""
    parts = ENTRY.split((repository / PAGE).read_text("utf-8"))[1:]
    found = {}
    for kind, number, text in zip(parts[::3], parts[1::3], parts[2::3], strict=True):
        assert (kind, int(number)) not in found
        found[kind, int(number)] = re.split(r"^## ", text, flags=re.MULTILINE)[0]
    return found


@pytest.mark.parametrize("what", OUTSIDE)
def test_nothing_outside_the_repository_is_named(texts, what):
    """A reader can open everything that is referred to."""
    assert lines_with(re.compile(OUTSIDE[what], re.IGNORECASE), texts) == []


def test_every_mark_has_a_number(texts):
    """A mark without a number cannot be looked up."""
    code = {name: text for name, text in texts.items() if name.endswith(".py")}
    assert lines_with(BARE_MARK, code) == []


def test_every_mark_has_an_entry_and_every_entry_a_mark(texts, entries):
    """The page of deviations and the code name the same quirks and defects."""
    named = {
        mark for name, text in texts.items() if name.endswith(".py") for mark in marks_in(text)
    }
    assert named == set(entries)


def test_entries_name_the_files_with_their_mark(texts, entries):
    """An entry lists the files of the product that are marked with it, and no others."""
    marked = defaultdict(set)
    for name, text in texts.items():
        if name.startswith(PRODUCT) and name.endswith(".py"):
            for mark in marks_in(unwrapped(text)):
                marked[mark].add(name)
    listed = {
        mark: set(re.findall(r"`([\w/]+\.py)`", text.partition("*Where:*")[2]))
        for mark, text in entries.items()
    }
    assert listed == dict(marked)


def test_marks_of_the_product_name_the_page(texts):
    """A comment with a mark says where the mark is explained."""
    for name, text in texts.items():
        if name.startswith(PRODUCT) and name.endswith(".py"):
            whole = unwrapped(text)
            for mark in MARK.finditer(whole):
                assert PAGE in whole[mark.end() : mark.end() + 40], f"{name}: {mark[0]}"


def test_paths_exist(repository, texts):
    """Every path of a file or folder of the repository that is named somewhere exists."""
    missing = {
        f"{name}: {path}"
        for name, text in texts.items()
        for path in PATH.findall(text)
        if not (repository / path).exists()
    }
    assert sorted(missing) == []


def test_file_names_exist(texts):
    """A source file or page that is named without its folder exists somewhere in the repository."""
    known = {Path(name).name for name in [*texts, *EXCLUDED]}
    missing = {
        f"{name}: {file}"
        for name, text in texts.items()
        if not name.startswith("tests/")  # tests make files of their own
        for file in FILE_NAME.findall(text)
        if file not in known
    }
    assert sorted(missing) == []


def test_module_names_exist(repository, texts):
    """A dotted name in backquotes is a module of the repository, or a name defined in one."""
    wrong = []
    for name, text in texts.items():
        for dotted in MODULE.findall(text):
            path = repository / dotted.replace(".", "/")
            owner, member = path.parent.with_suffix(".py"), path.name
            defined = owner.is_file() and re.search(
                rf"^\s*(?:def|class) {member}\b|^{member}\b", owner.read_text("utf-8"), re.MULTILINE
            )
            if not (path.is_dir() or path.with_suffix(".py").is_file() or defined):
                wrong.append(f"{name}: {dotted}")
    assert wrong == []


def test_links_of_pages_resolve(repository, texts):
    """A relative link of a page leads to a file, and a fragment to one of its headings."""
    broken = []
    for name, text in texts.items():
        for target in LINK.findall(text) if name.endswith(".md") else ():
            if re.match(r"[a-z]+:", target):
                continue
            path, _, fragment = target.partition("#")
            file = repository / name if not path else (repository / name).parent / path
            if not file.exists() or (fragment and fragment not in anchors_of(file)):
                broken.append(f"{name}: {target}")
    assert broken == []


def anchors_of(page: Path) -> set[str]:
    """The fragments by which the headings of a page are linked."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


def test_every_page_is_linked_from_the_readme(texts):
    """A page that nothing leads to is not read."""
    linked = set(LINK.findall(texts["README.md"]))
    pages = {name for name in texts if name.startswith("docs/") and name.endswith(".md")}
    assert pages <= linked


def test_imports_of_the_architecture(repository, texts):
    """A room imports the rooms that the page of the architecture lists for it, and no others."""
    table = texts["docs/architecture.md"]
    rows = re.findall(r"^\| `([\w/.]+)` \| .+ \| (.+) \|$", table, re.MULTILINE)
    assert len(rows) > len(test_rooms.ROOMS)
    wrong = []
    for room, allowed in rows:
        if "all of" not in allowed and "everything" not in allowed:
            known = (room, *re.findall(r"`([\w/]+)`", allowed))
            imports = imports_of(room, repository)
            wrong += [each for each in imports if not each.split()[-1].startswith(known)]
    assert wrong == []


def imports_of(room: str, repository: Path) -> list[str]:
    """The imports of LSRM's own modules in a room, as "PATH imports PATH"."""
    modules = {
        path.relative_to(repository).as_posix(): path
        for each in test_rooms.ROOMS
        for path in (repository / each).rglob("*.py")
    }
    return [
        f"{name} imports {target}"
        for name, path in modules.items()
        if name.startswith(room) and name != test_rooms.BOOTSTRAP
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for target in test_rooms.imported(node, name, modules)
        if target in modules
    ]


@pytest.mark.parametrize("room", ["backend", "lsrm_blender"])
def test_commands_of_the_readme(repository, texts, room):
    """The README's table and the command line name the same commands."""
    command = [sys.executable, "-m", room, "--help"]
    answer = subprocess.run(command, cwd=repository, capture_output=True, text=True, check=True)
    offered = set(
        re.findall(r"^ {2,4}([a-z][a-z-]+)(?: |$)", answer.stdout + answer.stderr, re.MULTILINE)
    )
    table = texts["README.md"].partition(f"| `python3 -m {room} …` |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (`.+?) \|", table, re.MULTILINE)
    assert {word for row in rows for word in re.findall(r"`([\w-]+)", row)} == offered


def test_exit_codes_of_the_conventions(texts):
    """The table of exit codes is that of the code."""
    page = texts["docs/conventions.md"].partition("## Errors")[2]
    numbers = {value for value in vars(exit_codes).values() if isinstance(value, int)}
    assert {int(n) for n in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == numbers


def test_troubleshooting_has_every_error_code(texts):
    """Every error has an entry there, with the sentence of its class, and a remedy."""
    kinds = [each for _, each in inspect.getmembers(errors, inspect.isclass)]
    sentences = {
        each.code: (inspect.getdoc(each) or "").partition("\n")[0]
        for each in kinds
        if issubclass(each, errors.LsrmError)
    }
    parts = re.split(r"^### `([A-Z_]+)`$", texts["docs/troubleshooting.md"], flags=re.MULTILINE)
    entries = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert set(entries) == set(sentences)
    for code, text in entries.items():
        sentence, _, remedy = text.partition("**Remedy:**")
        assert len(remedy.split()) > 5, code
        assert code == errors.LsrmError.code or sentence.strip() == sentences[code]


@pytest.mark.parametrize("page", ["artists", "batch", "troubleshooting"])
def test_labels_of_pages_for_artists(texts, page):
    """What a page calls a button, a setting or a panel is called so in the panel."""
    labels = {each.rstrip(" …") for each in GERMAN} | BLENDERS_OWN
    text = " ".join(texts[f"docs/{page}.md"].split())
    named = re.findall(r"(?<![*\w])\*([A-Z][^*]+)\*(?!\*)", text)
    assert named or page == "batch"
    assert {part for each in named for part in each.split(" > ")} <= labels


def test_options_of_pages(texts):
    """Every option that a page names is one that some command defines."""
    pages = [name for name in texts if name.endswith(".md")]
    named = {each for name in pages for each in OPTION.findall(texts[name])}
    code = "\n".join(text for name, text in texts.items() if name.startswith(WITH_COMMANDS))
    assert named - OPTIONS_OF_OTHERS <= set(re.findall(r'"(--[a-z][a-z-]+)"', code))
