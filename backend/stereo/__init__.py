# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Multi-view stereo: cavities that silhouettes cannot show, found where views agree on colors."""
