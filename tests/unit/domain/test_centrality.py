"""PageRank: what it must be by its definition, and on graphs small enough to solve by hand."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.centrality import DAMPING, pagerank


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[int, float]]:
    """Graphs of up to eight nodes with any edges between them."""
    count = draw(st.integers(1, 8))
    weights = st.floats(0.01, 100.0)
    return [draw(st.dictionaries(st.integers(0, count - 1), weights, max_size=count)) for _ in range(count)]


@given(graphs(), st.data())
def test_ranks_are_shares_of_one(graph: list[dict[int, float]], data: st.DataObject) -> None:
    """Whatever the graph and the start, no rank is negative and together they are 1."""
    start = data.draw(st.none() | st.lists(st.floats(0.0, 10.0), min_size=len(graph), max_size=len(graph)))
    ranks = pagerank(graph, start)
    assert len(graph) == len(ranks)
    assert min(ranks) >= 0.0
    assert pytest.approx(1.0, abs=1e-6) == sum(ranks)


@given(graphs())
def test_ranks_solve_their_own_equation(graph: list[dict[int, float]]) -> None:
    """One more step of the surfer changes nothing that counts."""
    ranks = pagerank(graph)
    count = len(graph)
    lost = sum(rank for rank, targets in zip(ranks, graph, strict=True) if not targets)
    expected = [(1 - DAMPING + DAMPING * lost) / count] * count
    for source, targets in enumerate(graph):
        for target, weight in targets.items():
            expected[target] += DAMPING * ranks[source] * weight / sum(targets.values())
    assert pytest.approx(expected, abs=1e-3) == ranks


def test_a_ring_is_all_alike() -> None:
    """Where every node looks the same, so does every rank."""
    assert pytest.approx([0.25] * 4) == pagerank([{1: 1.0}, {2: 5.0}, {3: 1.0}, {0: 2.0}])


def test_what_is_pointed_at_ranks_above_what_points() -> None:
    """Two nodes point at a third; solved by hand: the third has 1/3 + 2/3 * 0.85 of what the three share."""
    ranks = pagerank([{2: 1.0}, {2: 1.0}, {}])
    assert ranks[0] == ranks[1]
    assert pytest.approx(1 + 2 * DAMPING, abs=1e-4) == ranks[2] / ranks[0]


def test_only_proportions_of_weights_count() -> None:
    """Multiplying all weights of a node changes nothing; shifting them does."""
    assert pytest.approx(pagerank([{1: 1.0, 2: 3.0}, {}, {}])) == pagerank([{1: 10.0, 2: 30.0}, {}, {}])
    ranks = pagerank([{1: 1.0, 2: 3.0}, {}, {}])
    assert ranks[2] > ranks[1]


def test_the_start_draws_rank_to_itself() -> None:
    """Starting at one end of a chain ranks what it leads to above what leads nowhere near it."""
    chain: list[dict[int, float]] = [{1: 1.0}, {}, {3: 1.0}, {}]
    ranks = pagerank(chain, [1.0, 0.0, 0.0, 0.0])
    assert [0.0, 0.0] == ranks[2:]
    assert ranks[0] > ranks[1] > 0.0


def test_a_start_of_zeros_is_everywhere_and_nothing_ranks_nothing() -> None:
    """No weight anywhere is no preference; an empty graph has no ranks."""
    graph: list[dict[int, float]] = [{1: 1.0}, {}]
    assert pagerank(graph) == pagerank(graph, [0.0, 0.0])
    assert [] == pagerank([])
