# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Installing and inspecting the machine: environments, libraries, memory, devices."""
