"""Which commits are asked, what is right, and the numbers, on hand-made cases with hand-made results."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.evaluation import (
    BOT,
    DEPTH,
    FORMATTING,
    MERGE,
    METRICS,
    NO_SOURCE,
    ONLY_NEW,
    ONLY_TESTS,
    REVERT,
    ROOT,
    TOKENS_WITHOUT_HIT,
    TOO_MANY,
    TOO_SHORT,
    VERSION,
    Case,
    Commit,
    FileChange,
    Found,
    FunctionSpan,
    LineRun,
    estimate,
    functions_touched,
    is_leaky,
    paired,
    query_of,
    sample_order,
    score,
    sources_edited,
    subject_problem,
    summarize,
    worst_first,
)

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.mark.parametrize(
    ("subject", "query"),
    [
        ("fix(scope): repair the parser (#123)", "repair the parser"),
        ("feat!: repair the parser", "repair the parser"),
        ("Fixed #12345 -- Corrected admin form check.", "Corrected admin form check"),
        ("[3.12] gh-1234: Repair the parser (GH-99)", "Repair the parser"),
        ("Refs #12, #13 - repair the parser", "repair the parser"),
        ("ABC-12: Repair the parser", "Repair the parser"),
        (":bug: repair the parser", "repair the parser"),
        ("Repair the parser, refs #12 and #13", "Repair the parser"),
        ("Repair the parser - fixes someone/thing#33.", "Repair the parser"),
        ("Repair the parser. Fixes issue #12", "Repair the parser"),
        ("Add narrative documentation for #435", "Add narrative documentation"),
        ("Fix #3 in the parser", "Fix in the parser"),
        ("Support UTF-8 in SHA-256 names", "Support UTF-8 in SHA-256 names"),
        ("Fix C# 8 parser", "Fix C# 8 parser"),
        ("enable_fts(), populate_fts()", "enable_fts(), populate_fts()"),
        ("(#12)", ""),
    ],
)
def test_subject_becomes_a_question(subject: str, query: str) -> None:
    """Ticket numbers and prefixes go, what looks like them and is not stays."""
    assert query == query_of(subject)


@given(st.text())
def test_a_question_is_a_fixed_point(subject: str) -> None:
    """Whatever a subject is, taking it apart ends, and what it loses is never put back."""
    query = query_of(subject)
    assert len(query) <= len(subject)
    assert query == query.strip()


@pytest.mark.parametrize(
    ("subject", "problem"),
    [
        ("Release 1.2", VERSION),
        ("Prepare for the next release", VERSION),
        ("v2.0.1", VERSION),
        ("Bump thing from 1.2 to 1.3", VERSION),
        ("chore(deps): update dependencies of the docs", VERSION),
        ("Upgrade to latest thing", VERSION),
        ("Format code with a tool", FORMATTING),
        ("Ran Black", FORMATTING),
        ("Fix some typos in the docs", FORMATTING),
        ("Lint", FORMATTING),
        ('Revert "Stream the answers"', REVERT),
        ("fixup! Stream the answers", REVERT),
        ("Fix it (#12)", TOO_SHORT),
        ("releases are streamed now", ""),
        ("Upgrade handshake of web sockets", ""),
        ("Support JSON as a format", ""),
        ("Update parser for 3.12 syntax", ""),
        ("Undo stack of the editor", ""),
    ],
)
def test_subjects_that_ask_nothing_are_refused(subject: str, problem: str) -> None:
    """Version bumps, formatting and reverts are told from work that mentions the same words."""
    assert problem == subject_problem(Commit("1", ("0",), 0, "Ann <ann@example.org>", subject))


@pytest.mark.parametrize(
    ("parents", "author", "problem"),
    [
        ((), "Ann", ROOT),
        (("0", "9"), "Ann", MERGE),
        (("0",), "dependabot[bot] <1+dependabot[bot]@users.noreply.example.org>", BOT),
        (("0",), "pre-commit-ci <x@example.org>", BOT),
        (("0",), "Talbot <talbot@example.org>", ""),
    ],
)
def test_merges_roots_and_bots_are_refused(parents: tuple[str, ...], author: str, problem: str) -> None:
    """A question needs one tree to be asked in, and a person."""
    assert problem == subject_problem(Commit("1", parents, 0, author, "Stream the answers"))


def _source_path(os_path: bytes) -> str:
    return os_path.decode() if os_path.endswith(b".py") else ""


@pytest.mark.parametrize(
    ("paths", "edited", "problem"),
    [
        (["a.py"], ["a.py"], ""),
        (["a.py", "tests/test_a.py", "README"], ["a.py"], ""),
        (["a.py", "+b.py"], ["a.py"], ""),
        (["+b.py"], [], ONLY_NEW),
        (["tests/test_a.py"], [], ONLY_TESTS),
        (["README"], [], NO_SOURCE),
        ([], [], NO_SOURCE),
        (["a.py", "b.py", "c.py", "d.py"], [], TOO_MANY),
        (["a.py", "b.py", "c.py", "+d.py"], [], TOO_MANY),
    ],
)
def test_only_a_few_edited_sources_make_an_answer(paths: list[str], edited: list[str], problem: str) -> None:
    """Tests and other files are left aside, new files (`+`) count as changed and cannot be found."""
    changes = [FileChange(path.lstrip("+").encode(), "0", not path.startswith("+")) for path in paths]
    found, why = sources_edited(changes, _source_path)
    assert (edited, problem) == ([change.os_path.decode() for change in found], why)


OUTER = FunctionSpan("a.py", "outer", "outer", 10, 20)
INNER = FunctionSpan("a.py", "inner", "outer.inner", 12, 14)
AFTER = FunctionSpan("a.py", "after", "after", 30, 30)


@pytest.mark.parametrize(
    ("runs", "touched"),
    [
        ([LineRun(10, 1)], [OUTER]),
        ([LineRun(13, 1)], [INNER]),
        ([LineRun(14, 2)], [OUTER, INNER]),
        ([LineRun(20, 11)], [OUTER, AFTER]),
        ([LineRun(21, 9)], []),
        ([LineRun(19, 0)], [OUTER]),
        ([LineRun(20, 0)], []),
        ([LineRun(9, 0)], []),
        ([LineRun(12, 0)], [INNER]),
        ([], []),
    ],
)
def test_touched_functions_are_the_innermost_ones(runs: list[LineRun], touched: list[FunctionSpan]) -> None:
    """A replaced line counts for the smallest function around it, an insertion only between two of its lines."""
    assert tuple(touched) == functions_touched(runs, [OUTER, INNER, AFTER])


@pytest.mark.parametrize(
    ("query", "leaky"),
    [
        ("speed up cart", True),
        ("Cart.py is slow", True),
        ("add_line loses articles", True),
        ("add line loses articles", False),
        ("carts lose articles", False),
        ("react-dom forgets things", True),
        ("dom react forgets things", False),
    ],
)
def test_leaky_subjects_name_a_file_or_a_function(query: str, leaky: bool) -> None:
    """Whole words in any case; a stem of several words must be there in order."""
    functions = [FunctionSpan("shop/cart.py", "add_line", "Cart.add_line", 1, 2)]
    assert leaky == is_leaky(query, ["shop/cart.py", "web/react-dom.js"], functions)


def test_sample_keeps_its_commits_when_the_history_grows() -> None:
    """Order goes by seed and id alone: new commits come in between and move nothing."""
    old = [f"{number:040x}" for number in range(50)]
    grown = sample_order([*old, *(f"{number:040x}" for number in range(50, 60))], seed=1)
    assert sample_order(old, seed=1) == [sha for sha in grown if sha in old]
    assert sample_order(old, seed=2) != sample_order(old, seed=1)


def _case(files: Sequence[str], functions: Sequence[FunctionSpan], sha: str = "1") -> Case:
    return Case(sha, "0", 0, "s", "q", tuple(files), tuple(functions), leaky=False)


def test_score_of_a_hand_made_ranking() -> None:
    """Ranks by file skip repeats, ranks of functions count results, tokens stop at the first changed function."""
    f = FunctionSpan("a.py", "f", "f", 10, 20)
    g = FunctionSpan("b.py", "g", "g", 1, 5)
    found = [
        Found("x.py", 1, 9, 100),
        Found("x.py", 10, 19, 10),
        Found("a.py", 1, 9, 7),
        Found("a.py", 20, 40, 5),
        Found("y.py", 1, 1, 1000),
    ]
    s = score(_case(["a.py", "b.py"], [f, g]), found, 1_000)
    assert (5, (2, None), (4, None), 122) == (s.hits, s.file_ranks, s.function_ranks, s.tokens_to_first)
    assert (0.0, 0.5, 0.5) == (s.recall(1), s.recall(5), s.recall(10))
    assert (0.5, 0.5) == (s.reciprocal_rank, s.function_recall)
    ideal = 1 / math.log2(2) + 1 / math.log2(3)
    assert math.isclose(1 / math.log2(3) / ideal, s.ndcg)


def test_nothing_found_costs_the_fixed_price() -> None:
    """No hit on a function is charged in full, also after reading more than that; later than ten is not found."""
    f = FunctionSpan("a.py", "f", "f", 1, 2)
    assert TOKENS_WITHOUT_HIT == score(_case(["a.py"], [f]), [], 1).tokens_to_first
    dear = [Found("x.py", 1, 1, TOKENS_WITHOUT_HIT), Found("a.py", 1, 1, 1)]
    assert TOKENS_WITHOUT_HIT == score(_case(["a.py"], [f]), dear, 1).tokens_to_first
    late = [Found(f"x{at}.py", 1, 1, 1) for at in range(DEPTH)] + [Found("a.py", 1, 1, 1)]
    s = score(_case(["a.py"], [f]), late, 1)
    assert ((None,), (None,), 11) == (s.file_ranks, s.function_ranks, s.tokens_to_first)
    assert (0.0, 0.0, 0.0) == (s.reciprocal_rank, s.ndcg, s.recall(10))


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(1, 50), st.integers(0, 500)), max_size=14))
def test_metrics_are_shares_and_perfect_for_a_perfect_ranking(rows: list[tuple[str, int, int]]) -> None:
    """Every metric but the tokens lies in 0..1, recall grows with depth, and the truth first gives 1 everywhere."""
    functions = [FunctionSpan("a", "f", "f", 10, 20), FunctionSpan("b", "g", "g", 10, 20)]
    case = _case(["a", "b"], functions)
    s = score(case, [Found(path, line, line + 3, tokens) for path, line, tokens in rows], 1)
    values = {name: measure(s) for name, measure in METRICS.items()}
    assert values["recall_1"] <= values["recall_5"] <= values["recall_10"]
    assert all(0 <= value <= 1 for name, value in values.items() if name != "tokens_to_first")
    assert 0 <= values["tokens_to_first"] <= TOKENS_WITHOUT_HIT
    best = score(case, [Found("a", 10, 10, 1), Found("b", 20, 20, 1)], 1)
    assert (1.0, 1.0, 1.0, 1.0, 1) == (
        best.recall(5),
        best.reciprocal_rank,
        best.ndcg,
        best.function_recall,
        best.tokens_to_first,
    )


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30), st.integers(0, 5))
def test_interval_holds_the_mean_and_is_reproducible(values: list[float], seed: int) -> None:
    """Two runs with one seed agree; equal values have no width."""
    mean, low, high = estimate(values, seed)
    assert (mean, low, high) == estimate(values, seed)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert (0.5, 0.5, 0.5) == estimate([0.5] * 4, seed)


def test_interval_of_a_coin_is_that_of_the_binomial() -> None:
    """100 ones in 200: the normal approximation gives 0.5 +- 0.069."""
    _mean, low, high = estimate([0.0, 1.0] * 100, 0)
    assert math.isclose(0.431, low, abs_tol=0.02)
    assert math.isclose(0.569, high, abs_tol=0.02)


def test_summary_of_a_group() -> None:
    """Means and percentiles over the commits; an empty group has no estimates."""
    f = FunctionSpan("a", "f", "f", 1, 1)
    scores = [score(_case(["a"], [f]), [Found("a", 1, 1, 4)], 10), score(_case(["a"], [f]), [], 30)]
    summary = summarize(scores, 0)
    assert (2, 0.5, (4 + TOKENS_WITHOUT_HIT) / 2) == (
        summary.commits,
        summary.estimates["recall_10"].mean,
        summary.estimates["tokens_to_first"].mean,
    )
    assert (30, 30) == (summary.query_ns_p50, summary.query_ns_p95)
    assert (0, {}) == (summarize([], 0).commits, summarize([], 0).estimates)


def test_worst_cases_come_first() -> None:
    """What was not found at all comes before what was found late."""
    f = FunctionSpan("a", "f", "f", 1, 1)
    good, bad = _case(["a"], [f], "good"), _case(["a"], [f], "bad")
    pairs = [(good, score(good, [Found("a", 1, 1, 1)], 1)), (bad, score(bad, [], 1))]
    assert ["bad", "good"] == [case.sha for case, _score in worst_first(pairs)]


def test_paired_difference_counts_out_few_pairs() -> None:
    """Three improvements of three: 2 of 8 sign patterns are as extreme. Pairs that are equal change nothing."""
    d = paired([0, 0, 0, 1], [1, 1, 1, 1], 0)
    assert (0.75, 0.25, 3, 0) == (d.mean, d.p, d.better, d.worse)
    assert 1.0 == paired([1, 2], [1, 2], 0).p


def test_paired_difference_of_many_pairs_is_drawn() -> None:
    """Thirty improvements cannot be chance, fifteen of each can; the direction follows what is better."""
    assert paired([0] * 30, [1] * 30, 0).p < 0.001
    even = paired([0, 1] * 15, [1, 0] * 15, 0)
    assert (15, 15) == (even.better, even.worse)
    assert even.p > 0.5
    fewer = paired([100] * 30, [50] * 30, 0, smaller_is_better=True)
    assert (-50, 30, 0) == (fewer.mean, fewer.better, fewer.worse)


def test_pairs_of_unequal_length_are_refused() -> None:
    """A pair that is none is a mistake of the caller."""
    with pytest.raises(ValueError, match="zip"):
        paired([1], [1, 2], 0)
