# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Golden cases: stored inputs and results of the published model, run through our classes."""
