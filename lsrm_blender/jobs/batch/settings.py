# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a batch is converted."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....backend.shared.errors import BadRequest
from ..job_folders import CAPTURE, RESULT
from .products import Products
from .statuses import RESULT_FILES, settings_digest
from .statuses import digest as digest_of_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .items import Item


@dataclass(frozen=True)
class BatchSettings:
    """How a batch is converted.

    Attributes:
        capture: parameters of `capture` that all items share.
        reconstruct: parameters of `reconstruct` that all items share.
        products: what is made of every result.
        retries: how often an item is tried again after a child process died.
        retry_failed: try items again that failed or were set aside in an earlier run.
        force: convert finished items again.
        fail_fast: stop at the first failure.
        dry_run: only list what would be done.
    """

    capture: dict[str, Any] = field(default_factory=dict)
    reconstruct: dict[str, Any] = field(default_factory=dict)
    products: Products = field(default_factory=Products)
    retries: int = 1
    retry_failed: bool = False
    force: bool = False
    fail_fast: bool = False
    dry_run: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """What a finished item has, relative to its folder."""
        return RESULT_FILES

    def capture_of(self, _item: Item) -> Mapping[str, Any]:
        """The parameters of `capture` for an item."""
        return self.capture

    def backend_job(self, folder: Path) -> tuple[str, dict[str, Any]]:
        """The method of the backend that takes the capture of an item, and its parameters.

        Args:
            folder: of the item.
        """
        paths = {"views": str(folder / CAPTURE), "output": str(folder / RESULT)}
        return "reconstruct", {**self.reconstruct, **paths}

    def clean_up(self, folder: Path) -> None:
        """Remove what a finished item does not need any more."""

    @functools.cached_property
    def digest(self) -> str:
        """Of the settings that results depend on.

        Raises:
            BadRequest: if the environment cannot be read.
        """
        found: dict[str, Any] = {"capture": self.capture, "reconstruct": self.reconstruct}
        found |= self.products.digest()
        environment = Path(self.capture.get("environment") or "")
        try:
            if environment.is_file():
                found["environment"] = digest_of_file(environment)
        except OSError as error:
            raise BadRequest(f"{environment} cannot be read: {error}.", "Check it.") from error
        return settings_digest(found)
