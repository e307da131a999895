# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The sizes of the network: dataclasses, presets, and strict JSON."""
