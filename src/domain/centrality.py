"""Centrality: how much the rest of a graph leans on each of its nodes.

PageRank (Brin and Page, "The Anatomy of a Large-Scale Hypertextual Web Search Engine", 1998) by power iteration, in its
personalised form: the random surfer who gets bored starts again at a node drawn from given weights instead of anywhere.
Pure Python: a graph of 3,000 files and 60,000 edges takes tens of milliseconds, less than importing an array library.
"""

from __future__ import annotations

from operator import itemgetter, mul
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DAMPING = 0.85
"""The share of steps that follow an edge; the value of the paper."""
TOLERANCE = 1e-6
"""Iteration ends when all ranks together moved by less than this."""
ITERATIONS_MAX = 60
"""0.85^60 is 6e-5: what is left after that moves no place in an order anyone looks at."""


def pagerank(
    edges: Sequence[Mapping[int, float]], start: Sequence[float] | None = None, *, damping: float = DAMPING
) -> list[float]:
    """Return the rank of every node; the ranks are not negative and add up to 1.

    `edges[i]` maps the nodes that i points to to positive weights, of which only the proportions within i count.
    `start` are the weights to start again at, not negative; None or all zero is every node alike. A node that points
    nowhere starts again. An empty graph gives an empty list.
    """
    count = len(edges)
    if not count:
        return []
    total = sum(start) if start is not None else 0.0
    begin = [weight / total for weight in start] if start is not None and total else [1.0 / count] * count
    incoming: list[tuple[list[int], list[float]]] = [([], []) for _ in range(count)]
    for source, targets in enumerate(edges):
        out = sum(targets.values())
        for target, weight in targets.items():
            incoming[target][0].append(source)
            incoming[target][1].append(damping * weight / out)
    dangling = [node for node, targets in enumerate(edges) if not targets]
    # Gathering by itemgetter and multiplying by map keep the inner loop out of the interpreter: four times as fast.
    # A lone index would make itemgetter return the bare item, so every node also takes node 0 at weight 0.
    gather = [(itemgetter(*sources, 0, 0), (*weights, 0.0, 0.0)) for sources, weights in incoming]
    ranks = begin
    for _ in range(ITERATIONS_MAX):
        lost = damping * sum(ranks[node] for node in dangling) + (1.0 - damping)
        moved = [
            lost * at_start + sum(map(mul, pick(ranks), weights))
            for at_start, (pick, weights) in zip(begin, gather, strict=True)
        ]
        change = sum(abs(new - old) for new, old in zip(moved, ranks, strict=True))
        ranks = moved
        if change < TOLERANCE:
            break
    return ranks
