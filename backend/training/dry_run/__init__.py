# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a training would take, computed and not measured: tokens, memory, traffic, days."""
