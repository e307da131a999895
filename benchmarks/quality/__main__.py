# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quality benchmark: objects captured, reconstructed and scored on held-out views.

    python3 -m benchmarks.quality OBJECTS HDRI [--refine auto] [--against OTHER.json] [-o RESULT]
    python3 -m benchmarks.quality OBJECTS HDRI --relight HDRI... --rgb --bounds

The objects are those of a folder and four that the benchmark makes itself. With --relight, results
are also scored under these lights, and their materials and normals against those of the asset.
Captures are kept in the work folder and made again only if something is missing in them. It starts
with the standard library alone; the commands run in LSRM's virtual environments.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from . import history
from .comparison import compare, comparison_text
from .measuring import measure_object
from .options import parse
from .scenes import find_assets
from .table import columns_for, summarize, table_text

if TYPE_CHECKING:
    import argparse


def main(arguments: list[str] | None = None) -> int:
    """Run the benchmark, write and print its table; 1 if an object failed."""
    options = parse(arguments)
    rows: dict[str, Any] = {}
    failed = []
    for name, asset in find_assets(options).items():
        sys.stderr.write(f"{name}\n")
        try:
            rows[name] = measure_object(asset, options.work / name, options)
        except (subprocess.CalledProcessError, OSError) as error:
            sys.stderr.write(f"{name} failed: {error}\n")
            failed.append(name)
        write_document(rows, failed, options)
    document = write_document(rows, failed, options)
    history.append(document, options.output.with_name(history.FILE_NAME))
    print(table_text(rows, document["summary"], columns_for(rows)))
    if options.against:
        print(comparison_text(document["gain"]))
    return 1 if failed else 0


def write_document(
    rows: dict[str, Any], failed: list[str], options: argparse.Namespace
) -> dict[str, Any]:
    """Write the results so far, so that an interrupted run keeps them; returns them."""
    document = {
        "what": "novel views, colors unlit and materials lit, by `evaluate`; 16 views of 256 px",
        **history.origin(),
        **history.settings(options),
        "failed": failed,
        "objects": rows,
        "summary": summarize(rows),
    }
    if options.against:
        others = json.loads(options.against.read_text("utf-8"))["objects"]
        document["gain"] = compare(rows, others)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    return document


if __name__ == "__main__":
    sys.exit(main())
