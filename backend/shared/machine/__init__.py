# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What this computer has: memory, busy processes, a fitting build of PyTorch; what checks found."""
