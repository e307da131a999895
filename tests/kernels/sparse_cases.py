# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sparse attention as its definition reads, and the shapes that break careless kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from kernels.core.blocks import Blocks
from kernels.core.routing_plan import RoutingPlan
from kernels.selected_attention import selected_attention


@dataclass(frozen=True)
class Case:
    """Sizes of one problem; `table` names blocks inside the instance of each query."""

    sizes: tuple[tuple[int, ...], ...]  # of the blocks, per instance
    queries: tuple[int, ...]  # per instance
    table: Tensor  # [1 or key/value heads, queries, K]
    heads: tuple[int, int] = (4, 2)  # query heads, key/value heads
    width: int = 16

    @property
    def blocks(self) -> Blocks:
        """The blocks of the key stream."""
        return Blocks(
            offsets_of([size for instance in self.sizes for size in instance]),
            offsets_of([len(instance) for instance in self.sizes]),
        )

    @property
    def query_offsets(self) -> Tensor:
        """[instances + 1] int32."""
        return offsets_of(self.queries)

    def tensors(self, dtype: torch.dtype, seed: int = 0) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Query, key, value, and a gradient of the output."""
        generator = torch.Generator().manual_seed(seed)
        queries, tokens = sum(self.queries), sum(map(sum, self.sizes))
        shapes = ((queries, 0), (tokens, 1), (tokens, 1), (queries, 0))
        return tuple(
            torch.randn(count, self.heads[kind], self.width, generator=generator).to(dtype)
            for count, kind in shapes
        )


def offsets_of(sizes) -> Tensor:
    """Cumulative sums with a leading zero, int32."""
    return torch.tensor([0, *sizes]).cumsum(0).int()


def random_table(queries: int, blocks: int, count: int, seed: int = 0) -> Tensor:
    """Distinct blocks for every query, some rows cut short by -1, some names out of range."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(queries, blocks, generator=generator).argsort(1)[:, :count]
    shorter = torch.randint(0, count + 2, (queries, 1), generator=generator)
    table = torch.where(torch.arange(order.shape[1]) < shorter, order, -1)
    table[::7, -1] = blocks + 5
    return table[None].int()


def multiplicity(case: Case) -> Tensor:
    """How often each query sees each token, [tables, queries, tokens] float64, by the letter."""
    blocks, offsets = case.blocks, case.query_offsets.tolist()
    times = torch.zeros(len(case.table), offsets[-1], int(blocks.token_offsets[-1]))
    for head, table in enumerate(case.table):
        for instance, (begin, end) in enumerate(pairwise(offsets)):
            first, last = blocks.instance_offsets[instance : instance + 2].tolist()
            for query in range(begin, end):
                for name in table[query].tolist():
                    if 0 <= name < last - first:
                        start, stop = blocks.token_offsets[first + name :][:2].tolist()
                        times[head, query, start:stop] += 1
    return times.double()


@dataclass(frozen=True)
class Truth:
    """Results in float64, and how far rounding may move each of their elements.

    Every product of the computation is rounded once to the dtype (unit roundoff eps / 2) and
    summed in float32, so a sum is off by a few eps times the sum of its terms' magnitudes: that is
    `slack`, taken with 4 eps. Scores s are float32 sums, and exp turns their absolute error into a
    relative one: that adds 4 eps32 max|s|. float16 also has a smallest number, 2^-24.
    """

    values: dict[str, Tensor]
    slack: dict[str, Tensor]
    largest_score: float
    terms: int

    def errors(self, found: dict[str, Tensor], dtype: torch.dtype) -> dict[str, float]:
        """The largest error of each result in units of what rounding allows; NaN counts as inf."""
        eps, small = torch.finfo(dtype).eps, torch.finfo(dtype).smallest_normal
        score = torch.finfo(torch.float32).eps if dtype != torch.float64 else eps
        relative = 4 * (eps + score * self.largest_score)
        result = {}
        for name, wanted in self.values.items():
            allowed = relative * self.slack[name] + 4 * self.terms * small * eps + 1e-15
            error = (found[name].detach().double() - wanted).abs()
            error = torch.where(found[name] == wanted, 0, error)  # equal infinities
            result[name] = max([0.0, *(error / allowed).nan_to_num(math.inf).flatten().tolist()])
        return result


def truth(case: Case, tensors: tuple[Tensor, ...]) -> Truth:
    """softmax(q k^T / sqrt(D) + log(times)) v and its gradients, written out head by head.

    Args:
        case: the problem.
        tensors: query, key, value and gradient as the kernel gets them, rounded already.
    """
    query, key, value, grad = (tensor.double() for tensor in tensors)
    times, scale = multiplicity(case), 1 / math.sqrt(case.width)
    group = case.heads[0] // case.heads[1]
    names = ("out", "lse", "query", "key", "value")
    values = {name: torch.zeros_like(query) for name in ("out", "query")}
    values |= {name: torch.zeros_like(key) for name in ("key", "value")}
    values["lse"] = torch.zeros(case.heads[0], len(query), dtype=torch.float64)
    slack = {name: torch.zeros_like(values[name]) for name in names}
    largest = 0.0
    for head in range(case.heads[0]):
        kv = head // group
        q, k, v, g = query[:, head], key[:, kv], value[:, kv], grad[:, head]
        scores = q @ k.T * scale
        largest = max([largest, *scores.abs().flatten().tolist()])
        biased = scores + times[kv if len(times) > 1 else 0].log()
        lse = biased.logsumexp(1)
        p = torch.exp(biased - lse.masked_fill(lse == -torch.inf, 0)[:, None])
        out = p @ v
        slope = p * (g @ v.T - (out * g).sum(1, keepdim=True)) * scale
        steep = p * (g.abs() @ v.abs().T + (p @ v.abs() * g.abs()).sum(1, keepdim=True)) * scale
        values["out"][:, head], slack["out"][:, head] = out, p @ v.abs()
        values["lse"][head], slack["lse"][head] = lse / math.log(2), 1
        values["query"][:, head], slack["query"][:, head] = slope @ k, steep @ k.abs()
        values["key"][:, kv] += slope.T @ q
        slack["key"][:, kv] += steep.T @ q.abs()
        values["value"][:, kv] += p.T @ g
        slack["value"][:, kv] += p.T @ g.abs()
    return Truth(values, slack, largest, len(query) * group + len(key))


def attend(case: Case, tensors: tuple[Tensor, ...], tile: int = 0) -> dict[str, Tensor]:
    """What `selected_attention` makes of a case: values and gradients, named as in `truth`."""
    query, key, value = (tensor.clone().requires_grad_() for tensor in tensors[:3])
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table, tile)
    out, lse = selected_attention(query, key, value, plan)
    out.backward(tensors[3])
    return {"out": out, "lse": lse, "query": query.grad, "key": key.grad, "value": value.grad}


def adversarial_cases() -> dict[str, Case]:
    """Small problems, each with what broke somebody's kernel."""
    everything = torch.arange(4).expand(1, 9, 4).int()
    duplicates = torch.tensor([[0, 0, 2], [1, 0, 1], [2, 2, 2], [-1, 1, 1], [0, 1, 2]])[None].int()
    nobody = torch.full((1, 6, 3), -1).int()
    some_empty = random_table(11, 4, 2).clone()
    some_empty[:, 3:9] = -1
    return {
        "blocks of 1 and 512": Case(((1, 512, 1),), (5,), random_table(5, 3, 2)),
        "everyone selects one block": Case(((3, 70),), (19,), torch.ones(1, 19, 1).int()),
        "everyone selects everything": Case(((5, 1, 64, 65),), (9,), everything),
        "all -1": Case(((7, 9),), (6,), nobody),
        "rows without blocks": Case(((7, 9, 2, 30),), (11,), some_empty),
        "a block named twice": Case(((4, 17, 6),), (5,), duplicates),
        "instances of different size": Case(
            ((3, 66, 9), (1,), (12, 5)), (13, 2, 1), random_table(16, 3, 2)
        ),
        "an instance without queries": Case(((3, 6), (9,)), (0, 5), random_table(5, 1, 1)),
        "no queries": Case(((3, 4),), (0,), torch.zeros(1, 0, 2).int()),
        "no keys": Case(((),), (5,), torch.zeros(1, 5, 2).int()),
        "a table without columns": Case(((3, 4),), (5,), torch.zeros(1, 5, 0).int()),
        "a table per head": Case(
            ((6, 21, 3),), (7,), torch.cat([random_table(7, 3, 2, seed) for seed in (1, 2)])
        ),
        "one head": Case(((6, 33),), (10,), random_table(10, 2, 1), (1, 1), 4),
        "a group of 16, a width of 32": Case(
            ((6, 33, 70),), (9,), random_table(9, 3, 2), (16, 1), 32
        ),
        "a group of 20, a width of 40": Case(((6, 33),), (3,), random_table(3, 2, 2), (20, 1), 40),
    }
