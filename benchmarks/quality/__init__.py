# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The quality benchmark: objects captured, reconstructed and scored on held-out views."""
