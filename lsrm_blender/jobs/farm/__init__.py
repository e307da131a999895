# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Batches on many machines that share a folder: shards, leases, one report. No bpy here."""
