# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a batch is converted."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ....backend.shared.errors import BadRequest
from .products import Products
from .statuses import digest as digest_of_file
from .statuses import settings_digest


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
