# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a step reads of a sample: input views, target views with their rays, and what is varied."""
