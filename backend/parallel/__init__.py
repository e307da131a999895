# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""One object on several devices: sequence parallelism over whole blocks, section 3.5."""
