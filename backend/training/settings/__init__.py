# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Settings of a training: phases, schedules, and the configurations that are built in."""
