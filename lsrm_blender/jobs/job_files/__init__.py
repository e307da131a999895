# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Job files: a batch written as a job of a farm's own scheduler, which LSRM is a guest of."""
