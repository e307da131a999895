# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Setup and repair: the preferences, the backend and its removal, checkpoints, the log."""
