# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""One object on several devices: sequence parallelism over whole blocks, section 3.5.

A rank is one process with one device. A `Group` (`group.py`) is handed to what runs on several
ranks; `ALONE`, the default, is one rank, for which every collective is the identity. In a process
of `torch.distributed`, which others have initialized (NCCL on CUDA, gloo on CPU):

    group = Group.of_process()
    result = run_sparse(stage, batch, group)

Every rank of the group calls it, with its own instances: `SparseBatch.empty` for a rank without
any. Blocks of all instances form one list, `assignment.py` gives each block to a rank, and
`exchange.py` moves its tokens there. Every rank encodes and computes what it was given, gathers the
keys and values of all others in every layer (`gathering.py`), and gets back the voxels of its own
instances. If gradients are wanted, every rank calls `backward`, also on a result without rows; the
gradients of weights are then parts, to be summed over the ranks.

This folder knows rows, blocks and ranks, and nothing of the network: `backend.model` imports it.
"""
