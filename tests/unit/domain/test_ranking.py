"""Ranking: what each stage lifts and damps, and that a stage left out leaves no trace."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctx.domain.query import Query, parse_query
from ctx.domain.ranking import (
    DEFAULT_WEIGHTS,
    STAGES,
    Candidate,
    boost_definitions,
    boost_names,
    boost_paths,
    damp_secondary,
    damp_unimported,
    into_runs,
    is_test_path,
    lift_coherent_files,
    lift_near_focus,
    rank,
    score_bm25,
    spread_over_files,
)


def candidate(path: str = "pkg/mod.py", name: str = "f", bm25: float = 1.0, **more: object) -> Candidate:
    values: dict[str, object] = {
        "chunk_id": hash((path, name, more.get("start_line", 1))),
        "language": "python" if path.endswith(".py") else "text",
        "kind": "function",
        "qualname": name,
        "signature": f"def {name}()",
        "doc": "",
        "names": "",
        "start_line": 1,
        "end_line": 2,
        "tokens": 10,
        "snippet_tokens": 5,
        "digest": "00000000",
        "twin": 1,
        "generated": False,
    }
    return Candidate(path=path, name=name, bm25=bm25, **(values | more))  # type: ignore[arg-type]


def scores(stage: object, query: str, *candidates: Candidate, start: float = 1.0) -> list[float]:
    """Run one stage over candidates of equal score and return the scores in the candidates' order."""
    scored = stage(parse_query(query), [(start, c) for c in candidates], DEFAULT_WEIGHTS)  # type: ignore[operator]
    by_candidate = {id(c): score for score, c in scored}
    return [by_candidate[id(c)] for c in candidates]


def test_the_best_text_match_counts_one() -> None:
    """The others count their share; without any match at all everything is zero, not an error."""
    query = parse_query("f")
    assert [1.0, 0.25] == [s for s, _c in score_bm25(query, [candidate(bm25=8), candidate(bm25=2)], DEFAULT_WEIGHTS)]
    assert [0.0] == [s for s, _c in score_bm25(query, [candidate(bm25=0)], DEFAULT_WEIGHTS)]
    assert [] == score_bm25(query, [], DEFAULT_WEIGHTS)


def test_a_definition_of_the_queried_name_is_lifted() -> None:
    """The exact spelling most, another case less, a chunk that holds it as an inner name, too; a mention not."""
    exact, folded, inner, other, section = scores(
        boost_definitions,
        "Session",
        candidate(name="Session"),
        candidate(name="session"),
        candidate(name="Box", names="x Session"),
        candidate(name="SessionStore"),
        candidate(name="Session", kind="section"),
    )
    assert exact > folded > inner > other == section == 1.0


def test_a_definition_in_a_file_of_its_name_is_lifted_more() -> None:
    """`Session` in session.py is the one; case and underscores do not matter."""
    named, elsewhere = scores(
        boost_definitions,
        "HttpSession",
        candidate("pkg/http_session.py", "HttpSession"),
        candidate("pkg/mod.py", "HttpSession"),
    )
    assert named > elsewhere


def test_a_qualified_name_prefers_the_scope_it_names() -> None:
    """`Session.get` is the get of Session, then the one in session.py, then any."""
    own, of_file, other = scores(
        boost_definitions,
        "Session.get",
        candidate("pkg/a.py", "get", qualname="Session.get"),
        candidate("pkg/session/a.py", "get"),
        candidate("pkg/a.py", "get"),
    )
    assert own == of_file > other > 1.0


def test_a_name_in_a_sentence_lifts_less_than_a_bare_one() -> None:
    """A sentence may be about something else."""
    in_sentence = scores(boost_definitions, "where is load_config called", candidate(name="load_config"))[0]
    bare = scores(boost_definitions, "load_config", candidate(name="load_config"))[0]
    assert bare > in_sentence > 1.0


def test_a_later_part_of_a_long_definition_is_lifted_less_than_its_head() -> None:
    """Who asks for a name wants to see where it begins."""
    head, tail = scores(boost_definitions, "f", candidate(part=1), candidate(part=2))
    assert head > tail > 1.0


def test_a_name_made_of_the_questions_words_is_lifted_by_its_share() -> None:
    """Plural and verb endings are folded; a bare identifier has its own rule."""
    full, half, none = scores(
        boost_names,
        "how are sessions stored",
        candidate(name="store_session"),
        candidate(name="session_key"),
        candidate(name="other"),
    )
    assert full > half > none == 1.0
    assert [1.0] == scores(boost_names, "store_session", candidate(name="store_session"))


def test_a_path_that_holds_the_questions_words_is_lifted() -> None:
    """The file's own name counts more than its folders'."""
    stem, folder, none = scores(
        boost_paths,
        "sessions of a user",
        candidate("pkg/session.py"),
        candidate("session/mod.py"),
        candidate("pkg/mod.py"),
    )
    assert stem > folder > none == 1.0


def test_several_good_chunks_lift_the_best_of_their_file() -> None:
    """Only the best one, and more the more there are."""
    best, second, alone = scores(
        lift_coherent_files,
        "f",
        candidate("a.py", "f"),
        candidate("a.py", "g", start_line=5),
        candidate("b.py", "f"),
    )
    assert best > alone > second == 1.0
    assert [] == lift_coherent_files(parse_query("f"), [], DEFAULT_WEIGHTS)


@pytest.mark.parametrize(
    ("path", "more"),
    [
        ("tests/test_mod.py", {}),
        ("pkg/mod_test.py", {}),
        ("examples/mod.py", {}),
        ("pkg/vendor/mod.py", {}),
        ("pkg/mod.py", {"generated": True}),
        ("data/mod.json", {}),
        ("pkg/__init__.py", {}),
        ("pkg/mod.pyi", {}),
    ],
)
def test_what_is_secondary_is_damped(path: str, more: dict[str, object]) -> None:
    """Tests, examples, vendored and generated code, data, re-exports and stubs."""
    assert scores(damp_secondary, "load config", candidate(path, **more))[0] < 1.0


def test_what_is_asked_for_is_not_damped() -> None:
    """A question about tests wants tests, one about examples wants examples."""
    assert [1.0] == scores(damp_secondary, "tests of the parser", candidate("tests/test_parser.py"))
    assert [1.0] == scores(damp_secondary, "example of the parser", candidate("examples/parser.py"))
    assert [1.0] == scores(damp_secondary, "parser", candidate("pkg/parser.py"))


def test_prose_is_damped_unless_asked_for() -> None:
    """A question about code is answered by code; one about the manual, or a name, is not held against a manual."""
    page = candidate("guide.md", language="markdown", kind="section")
    assert scores(damp_secondary, "load the config", page)[0] < 1.0
    assert [1.0] == scores(damp_secondary, "readme of the parser", page)
    assert [1.0] == scores(damp_secondary, "parser", page)


def test_files_nobody_imports_are_damped() -> None:
    """Only for questions: who gives a name wants that name wherever it is."""
    script, module = candidate("run.py", is_imported=False), candidate("core.py")
    damped, kept = scores(damp_unimported, "load the config", script, module)
    assert kept == 1.0 > damped > 0
    assert [1.0, 1.0] == scores(damp_unimported, "load_config", script, module)


def test_what_is_near_the_focus_is_lifted() -> None:
    """By how near it is; without a focus nothing moves."""
    inside, beside, far = candidate("a.py", nearness=1.0), candidate("b.py", nearness=0.5), candidate("c.py")
    lifted = scores(lift_near_focus, "load", inside, beside, far)
    assert lifted[0] > lifted[1] > lifted[2] == 1.0


def test_further_chunks_of_one_file_count_less() -> None:
    """All of them alike, and other files not."""
    chunks = [candidate("a.py", name, start_line=at) for at, name in enumerate("fgh", start=1)]
    first, second, third, other = scores(spread_over_files, "x", *chunks, candidate("b.py"))
    assert first == other == 1.0 > second == third > 0


def _spread(text: str, per_file: int, files: int) -> list[str]:
    """Return the order of chunks whose files are one better than the other, and whose chunks are alike."""
    scored = [
        (1.0 - 0.01 * file - 0.001 * at, candidate(f"{file}.py", f"f{at}", chunk_id=100 * file + at, start_line=at))
        for file in range(files)
        for at in range(per_file)
    ]
    ranked = spread_over_files(parse_query(text), scored, DEFAULT_WEIGHTS)
    return [f"{c.path[:-3]}{c.name}" for _score, c in sorted(ranked, key=lambda item: -item[0])]


def test_places_are_broad_first_and_then_deep() -> None:
    """Seven files show their best, then the best file shows what else it has; a name stays broad throughout."""
    order = _spread("how does it work", per_file=3, files=12)
    broad = [f"{file}f0" for file in range(12)]
    assert broad[:7] == order[:7]
    assert ["0f1", "0f2"] == order[7:9]
    assert broad == _spread("work", per_file=3, files=12)[:12]


def test_scores_go_down_from_the_broad_places_to_the_deep_ones() -> None:
    """What is shown beside a hit never contradicts its place."""
    scored = [(3.0 - 0.1 * at, candidate(f"{at % 5}.py", f"f{at}", start_line=at)) for at in range(30)]
    shown = [s for s, _c in spread_over_files(parse_query("how does it work"), scored, DEFAULT_WEIGHTS)]
    assert sorted(shown, reverse=True) == shown


def _runs(text: str, *chunks: Candidate, limit: int = 10) -> list[str]:
    ranked = [(1.0 / (at + 1), c) for at, c in enumerate(chunks)]
    return ["+".join(c.name for c in run.chunks) for run in into_runs(parse_query(text), ranked, limit)]


def _neighbour(name: str, at: int, *, path: str = "a.py", kind: str = "method", lines: int = 5) -> Candidate:
    return candidate(path, name, chunk_id=at, start_line=at * 10, end_line=at * 10 + lines - 1, kind=kind)


def test_neighbours_that_both_answer_are_one_place() -> None:
    """In line order whatever their ranks, from both sides, and the freed place goes to the next."""
    top, f, g, h, other = (_neighbour(name, at) for name, at in (("top", 1), ("f", 5), ("g", 6), ("h", 7), ("z", 9)))
    assert ["top", "f+g+h", "z"] == _runs("how does it work", top, g, h, f, other, limit=3)
    assert ["top", "g+h"] == _runs("how does it work", top, h, g, other, limit=2)


def test_the_first_place_and_names_are_not_joined() -> None:
    """The first is read first and mostly alone; a name asks for each place by itself."""
    f, g, h = (_neighbour(name, at) for name, at in (("f", 5), ("g", 6), ("h", 7)))
    assert ["f", "g+h"] == _runs("how does it work", f, g, h)
    assert ["f", "g", "h"] == _runs("work", f, g, h)


@pytest.mark.parametrize(
    "second",
    [
        _neighbour("g", 6, path="b.py"),
        _neighbour("g", 7),
        _neighbour("g", 6, kind="module"),
        _neighbour("g", 6, lines=58),
    ],
)
def test_what_is_no_neighbour_stays_apart(second: Candidate) -> None:
    """Another file, a chunk between, lines that define nothing, and what would be too long together."""
    assert ["top", "f", "g"] == _runs("how does it work", _neighbour("top", 1), _neighbour("f", 5), second)


def test_runs_do_not_depend_on_what_the_next_file_holds() -> None:
    """Chunks of two files may have neighbouring numbers; a run at one file's end keeps its edge."""
    end, before_end = _neighbour("end", 6), _neighbour("before", 5)
    assert ["top", "before+end", "start"] == _runs(
        "how does it work", _neighbour("top", 1), end, _neighbour("start", 7, path="b.py"), before_end
    )
    first, second = _neighbour("first", 7, path="b.py"), _neighbour("second", 8, path="b.py")
    assert ["top", "end", "first+second"] == _runs("how does it work", _neighbour("top", 1), end, first, second)


def test_what_ranks_low_joins_nothing() -> None:
    """There it matched by chance; and it takes no free place before its turn either."""
    low = [_neighbour(f"x{at}", 1000 + 2 * at) for at in range(60)]
    found = _runs("how does it work", _neighbour("top", 1), _neighbour("f", 5), *low, _neighbour("g", 6), limit=5)
    assert ["top", "f", "x0", "x1", "x2"] == found


def test_a_name_means_its_definition_before_what_belongs_to_it() -> None:
    """A class before its constructor, its later parts and methods of that name, however well these match."""
    head = candidate("a.java", "Reader", 0.2, kind="class", qualname="io.Reader")
    others = [
        candidate("a.java", "Reader", 9.0, kind="method", qualname="io.Reader.Reader", start_line=20),
        candidate("a.java", "Reader", 9.0, kind="class", qualname="io.Reader", part=2, start_line=90),
        candidate("b.java", "reader", 9.0, kind="method", qualname="io.Other.reader"),
        candidate("c.java", "Reader", 1.0, kind="method", qualname="io.Other.Reader"),
    ]
    for text in ("Reader", "io.Reader"):
        ranked = rank(parse_query(text), [*others, head])
        assert head == ranked[0][1]


def test_capitals_that_were_typed_are_meant() -> None:
    """Small letters stand for both."""
    upper, lower = candidate(name="Load"), candidate("b.py", "load")
    typed = scores(boost_definitions, "Load", upper, lower)
    assert (
        typed[0] - typed[1]
        > scores(boost_definitions, "load", lower, upper)[0] - scores(boost_definitions, "load", lower, upper)[1]
        > 0
    )


def test_names_like_the_one_asked_for_follow_their_likeness() -> None:
    """What it begins comes before what it resembles; where the name itself is defined, nothing else is lifted."""
    begun, resembled, other = (candidate(name=name) for name in ("QuerySet", "Queries", "other"))
    lifted = scores(boost_definitions, "QuerySe", begun, resembled, other)
    assert lifted[0] > lifted[1] > lifted[2] == 1.0
    assert [1.0, 1.0] == scores(boost_definitions, "QuerySe", resembled, other, candidate(name="QuerySe"))[:2]


_chunks = st.builds(
    candidate,
    path=st.sampled_from(["a.py", "b/c.py", "tests/test_a.py", "docs/x.md", "vendor/v.py"]),
    name=st.sampled_from(["f", "Session", "get_user", "x"]),
    bm25=st.floats(0, 50),
    start_line=st.integers(1, 99),
    names=st.sampled_from(["", "f x", "Session"]),
    part=st.integers(1, 3),
)
_queries = st.sampled_from(["f", "Session.get_user", "how do sessions get a user", "x tests"]).map(parse_query)


@settings(max_examples=50)
@given(
    _queries, st.lists(_chunks, max_size=12, unique_by=lambda c: c.chunk_id), st.sets(st.sampled_from(sorted(STAGES)))
)
def test_ranking_orders_all_candidates_and_invents_none(
    query: Query, candidates: list[Candidate], without: set[str]
) -> None:
    """Best first, ties by path and line, whatever the order they came in and the stages that ran."""
    told: list[str] = []
    ranked = rank(query, candidates, without=frozenset(without), on_stage=told.append)
    assert sorted(candidates) == sorted(c for _score, c in ranked)
    assert [name for name in STAGES if name not in without] == told
    keys = [(-score, c.path, c.start_line) for score, c in ranked]
    assert sorted(keys) == keys
    assert all(score >= 0 for score, _c in ranked)


@pytest.mark.parametrize(
    ("weight", "stage"),
    [
        ("definition_exact", "definition"),
        ("name_coverage", "names"),
        ("path_word", "paths"),
        ("coherence", "coherence"),
        ("damp_test", "damping"),
        ("damp_unimported", "centrality"),
        ("same_file", "spread"),
    ],
)
def test_a_stage_left_out_takes_its_weight_along(weight: str, stage: str) -> None:
    """Without its stage, a weight changes nothing; with it, it does."""
    query = parse_query("sessions user" if stage in ("names", "paths", "centrality") else "Session")
    candidates = [
        candidate("tests/session.py", "Session", 3.0, kind="class"),
        candidate("tests/session.py", "g", 2.0, start_line=9),
        candidate("b.py", "h", 1.0, is_imported=False),
    ]
    changed = replace(DEFAULT_WEIGHTS, **{weight: 0.123})

    def all_scores(weights: object, without: frozenset[str]) -> list[float]:
        return sorted(score for score, _c in rank(query, candidates, weights, without=without))  # type: ignore[arg-type]

    off = frozenset({stage})
    assert all_scores(DEFAULT_WEIGHTS, off) == all_scores(changed, off)
    assert all_scores(DEFAULT_WEIGHTS, frozenset()) != all_scores(changed, frozenset())


@pytest.mark.parametrize(
    "path",
    [
        "tests/a.py", "test/a.py", "pkg/tests/a.py", "pkg/test_a.py", "pkg/a_test.go", "src/a.test.ts", "src/a.spec.js",
        "conftest.py", "src/FooTest.java", "src/__tests__/a.js", "spec/a.rb",
    ],
)  # fmt: skip
def test_paths_of_tests(path: str) -> None:
    """The usual conventions of several languages."""
    assert is_test_path(path)


@pytest.mark.parametrize("path", ["src/latest/a.py", "src/contest.py", "pkg/attest_a.py", "src/testament.py", "a/test"])
def test_paths_that_only_sound_like_tests(path: str) -> None:
    """A word that holds "test" is no convention."""
    assert not is_test_path(path)
