# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""One object on many devices: balance, the cost of a layer, what would be with up to 1,024 GPUs."""
