# SPDX-FileCopyrightText: 2026 LSRM maintainers
# SPDX-License-Identifier: GPL-3.0-or-later
"""Problems of sparse attention that break careless kernels, and what the definitions give."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from kernels.core.blocks import Blocks
from kernels.core.routing_plan import RoutingPlan
from kernels.reference import definitions
from kernels.reference.definitions import selected_tokens
from kernels.selected_attention import selected_attention


@dataclass(frozen=True)
class Case:
    """Sizes and block table of one problem.

    Attributes:
        sizes: tokens of every block, per instance.
        queries: number of queries, per instance.
        table: [1 or key/value heads, queries, K], ids inside the instance of the query.
        heads: query heads and key/value heads.
        width: of a head.
    """

    sizes: tuple[tuple[int, ...], ...]
    queries: tuple[int, ...]
    table: Tensor
    heads: tuple[int, int] = (4, 2)
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
    """Distinct blocks for every query, some rows cut short by -1, some ids out of range."""
    generator = torch.Generator().manual_seed(seed)
    order = torch.rand(queries, blocks, generator=generator).argsort(1)[:, :count]
    shorter = torch.randint(0, count + 2, (queries, 1), generator=generator)
    table = torch.where(torch.arange(order.shape[1]) < shorter, order, -1)
    table[::7, -1] = blocks + 5
    return table[None].int()


def multiplicity(case: Case) -> Tensor:
    """How often each query sees each token, [tables, queries, tokens] float64."""
    times = torch.zeros(len(case.table), sum(case.queries), case.blocks.tokens)
    for part in instances(case):
        for head, table in enumerate(case.table):
            for query, tokens in enumerate(selected_tokens(table[part.queries], part.offsets)):
                row = times[head, part.queries.start + query, part.tokens]
                row += torch.bincount(tokens, minlength=len(row))
    return times.double()


@dataclass(frozen=True)
class Instance:
    """One instance of a case.

    Attributes:
        queries: its rows of the query stream.
        tokens: its rows of the key stream.
        blocks: its blocks.
        offsets: [blocks + 1] int, tokens before each of its blocks.
    """

    queries: slice
    tokens: slice
    blocks: slice
    offsets: Tensor


def instances(case: Case) -> list[Instance]:
    """The instances of a case, of which the definitions take one at a time."""
    blocks, found = case.blocks, []
    spans = zip(
        pairwise(case.query_offsets.tolist()),
        pairwise(blocks.instance_offsets.tolist()),
        strict=True,
    )
    for queries, (first, last) in spans:
        offsets = blocks.token_offsets[first : last + 1]
        tokens = slice(int(offsets[0]), int(offsets[-1]))
        found.append(Instance(slice(*queries), tokens, slice(first, last), offsets - offsets[0]))
    return found


def defined_selected(
    case: Case, query: Tensor, key: Tensor, value: Tensor
) -> tuple[Tensor, Tensor]:
    """Selected attention and its log-sum-exp in base 2, by the definitions."""
    outputs, sums = [query[:0]], [query.new_zeros(query.shape[1], 0)]
    for part in instances(case):
        streams = query[part.queries], key[part.tokens], value[part.tokens]
        found = [
            _selected(table[part.queries], part.offsets, heads)
            for table, heads in zip(case.table, _shares(case, streams), strict=True)
        ]
        outputs.append(torch.cat([out for out, _ in found], 1))
        sums.append(torch.cat([lse for _, lse in found]))
    return torch.cat(outputs), torch.cat(sums, 1) / math.log(2)


def _shares(case: Case, streams: tuple[Tensor, ...]) -> list[tuple[Tensor, ...]]:
    """The heads that each table is for: all heads, or those of one key/value head."""
    tables = len(case.table)
    return list(zip(*(stream.chunk(tables, 1) for stream in streams), strict=True))


def _selected(table: Tensor, offsets: Tensor, streams: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
    query, key, value = streams
    sums = [
        definitions.log_sum_exp(query[number, None], key[tokens])
        for number, tokens in enumerate(selected_tokens(table, offsets))
    ]
    out = definitions.selected_attention(query, key, value, table, offsets)
    return out, torch.cat([query.new_zeros(query.shape[1], 0), *sums], 1)


def defined_compressed(case: Case, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Compressed attention by the definition."""
    outputs = [
        definitions.compressed_attention(query[part.queries], key[part.blocks], value[part.blocks])
        for part in instances(case)
    ]
    return torch.cat([query[:0], *outputs])


@dataclass(frozen=True)
class Truth:
    """Results in float64, and how far rounding may move each of their elements.

    Every product of the computation is rounded once to the dtype (unit roundoff eps / 2) and
    summed in float32, so a sum is off by a few eps times the sum of its terms' magnitudes: that is
    `slack`, taken with 4 eps. Scores s are float32 sums, and exp turns their absolute error into a
    relative one: that adds 4 eps32 max|s|. float16 also has a smallest number, 2^-24.

    Attributes:
        values: results by name.
        slack: of every element of `values`, the sum of the magnitudes of its terms.
        largest_score: max|s|.
        terms: how many terms the longest sum has.
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
    """Selected attention by the definitions in float64, its gradients by automatic differentiation.

    Args:
        case: the problem.
        tensors: query, key, value and gradient as the kernel gets them, rounded already.
    """
    given = [tensor.detach().double().clone().requires_grad_() for tensor in tensors[:3]]
    out, lse = defined_selected(case, *given)
    grads = torch.autograd.grad(out, given, tensors[3].double(), materialize_grads=True)
    found = (out.detach(), lse.detach(), *grads)
    values = dict(zip(("out", "lse", "query", "key", "value"), found, strict=True))
    terms = len(tensors[0]) * (case.heads[0] // case.heads[1]) + len(tensors[1])
    return Truth(values, *magnitudes(case, tensors), terms)


def magnitudes(case: Case, tensors: tuple[Tensor, ...]) -> tuple[dict[str, Tensor], float]:
    """The sums of the magnitudes of the terms of every result, and the largest score."""
    query, key, value, grad = (tensor.double() for tensor in tensors)
    times, group = multiplicity(case), case.heads[0] // case.heads[1]
    names = ("out", "lse", "query", "key", "value")
    shapes = (query, query[:, :, 0].T, query, key, key)
    slack = {name: torch.zeros_like(like) for name, like in zip(names, shapes, strict=True)}
    all_scores = definitions.attention_scores(query, key)
    for head, scores in enumerate(all_scores):
        kv = head // group
        q, k, v, g = query[:, head], key[:, kv], value[:, kv], grad[:, head]
        biased = scores + times[kv if len(times) > 1 else 0].log()
        p = biased.softmax(1).nan_to_num(0)  # a query without blocks sees nothing
        steep = p * (g.abs() @ v.abs().T + (p @ v.abs() * g.abs()).sum(1, keepdim=True))
        steep /= math.sqrt(case.width)
        slack["out"][:, head] = p @ v.abs()
        slack["lse"][head] = 1
        slack["query"][:, head] = steep @ k.abs()
        slack["key"][:, kv] += steep.T @ q.abs()
        slack["value"][:, kv] += p.T @ g.abs()
    return slack, max([0.0, *all_scores.abs().flatten().tolist()])


def branch_case(dtype: torch.dtype, *, window: bool) -> tuple[Case, tuple[Tensor, ...]]:
    """Query, key and value of the compressed or the window branch, one instance without keys.

    Args:
        dtype: of the tensors.
        window: queries are the key stream itself; otherwise keys are one per block.
    """
    sizes = ((1, 9, 70), (4, 3), ())
    queries = (80, 7, 0 if window else 3)
    case = Case(sizes, queries, torch.zeros(1, sum(queries), 1).int(), (4, 2), 8)
    query, key, value, _ = case.tensors(dtype)
    keys = len(key) if window else case.blocks.count
    return case, (query, key[:keys], value[:keys])


def defined_window(case: Case, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
    """Window attention by the definition; blocks do not cross instances."""
    return definitions.window_attention(query, key, value, case.blocks.token_offsets)


def with_gradients(function, tensors):
    """The value, and the gradients of a sum of it with fixed weights."""
    given = [tensor.clone().requires_grad_() for tensor in tensors]
    value = function(*given)
    weights = torch.linspace(-1, 1, value.numel(), dtype=torch.float64).view_as(value)
    grads = torch.autograd.grad(value, given, weights.to(value.dtype), materialize_grads=True)
    return [value.detach(), *grads]


def normed(tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The same with queries and keys layer-normed, so that scores are bounded."""
    query, key, *others = tensors
    rows = (definitions.layer_norm(each.double()).to(each.dtype) for each in (query, key))
    return (*rows, *others)


def attend(
    case: Case, tensors: tuple[Tensor, ...], tile: int = 0, *, bounded_scores: bool = False
) -> dict[str, Tensor]:
    """What `selected_attention` makes of a case: values and gradients, named as in `truth`."""
    query, key, value = (tensor.clone().requires_grad_() for tensor in tensors[:3])
    plan = RoutingPlan(case.query_offsets, case.blocks, case.table, tile)
    out, lse = selected_attention(query, key, value, plan, bounded_scores=bounded_scores)
    out.backward(tensors[3])
    return {"out": out, "lse": lse, "query": query.grad, "key": key.grad, "value": value.grad}


def adversarial_cases() -> dict[str, Case]:
    """Small problems, each with something that breaks careless kernels."""
    everything = torch.arange(4).expand(1, 9, 4).int()
    duplicates = torch.tensor([[0, 0, 2], [1, 0, 1], [2, 2, 2], [-1, 1, 1], [0, 1, 2]])[None].int()
    no_blocks = torch.full((1, 6, 3), -1).int()
    some_empty = random_table(11, 4, 2).clone()
    some_empty[:, 3:9] = -1
    return {
        "blocks of 1 and 512": Case(((1, 512, 1),), (5,), random_table(5, 3, 2)),
        "all queries select one block": Case(((3, 70),), (19,), torch.ones(1, 19, 1).int()),
        "all queries select everything": Case(((5, 1, 64, 65),), (9,), everything),
        "all -1": Case(((7, 9),), (6,), no_blocks),
        "rows without blocks": Case(((7, 9, 2, 30),), (11,), some_empty),
        "a block selected twice": Case(((4, 17, 6),), (5,), duplicates),
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
