# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the kernels compute, written as the paper writes it: to be read, and the truth of tests."""
