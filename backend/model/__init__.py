# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""The network: views to tokens, two reconstruction transformers, selection and routing."""
