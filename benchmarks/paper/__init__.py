# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The paper's evaluation, section 4 of arXiv 2604.05182, on its data sets and on captures."""
