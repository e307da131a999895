# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Made objects: as many as there are seeds, rendered with everything that is true of them."""
