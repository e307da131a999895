# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the operations share: dispatch, precision, segments, blocks, routing plans, CPU workers."""
