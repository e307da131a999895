# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is made of results beside the results: exports of all levels of detail, pictures, quads."""
