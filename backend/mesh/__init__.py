# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The mesh stage: from a signed distance to an unwrapped, textured GLB."""
