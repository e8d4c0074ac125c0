"""Searching: hits in order, within limit and budget, and why there are none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes import SegmentOnDisk

from ctx.application import search as search_module
from ctx.application.search import (
    QUERY_CHARS_MAX,
    SEARCH_LIMIT_MAX,
    SearchAnswer,
    SearchRequest,
    check_request,
    frugal_expression,
    match_expression,
    nearest_names,
    search,
)
from ctx.domain.chunk_ids import parse_id
from ctx.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Searcher(SegmentOnDisk):
    """A segment one can ask."""

    def ask(self, query: str, **options: Any) -> SearchAnswer:
        return search(SearchRequest(query, **options), self.store, self.telemetry, self.clock)

    def found(self, query: str, **options: Any) -> list[tuple[str, str]]:
        return [(hit.path, hit.name) for hit in self.ask(query, **options).hits]


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[Searcher]:
    (tmp_path / "seg").mkdir()
    with Searcher(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        opened.put(
            "src/session.py",
            'class Session:\n    """Keeps a user."""\n\n    def get_user(self):\n        return load_config()\n',
        )
        opened.put("src/config.py", 'def load_config(path):\n    """Read the settings from disk."""\n    return path\n')
        opened.put("tests/test_config.py", "def test_load_config():\n    load_config('settings from disk')\n")
        opened.put("docs/guide.md", "# Settings\n\nSettings are read from disk by load_config.\n")
        opened.put("data[1].txt", "settings of the disk\n")
        opened.refresh()
        yield opened


def test_a_definition_stands_before_its_uses(segment: Searcher) -> None:
    """Scores fall, the place and the snippet are the definition's."""
    answer = segment.ask("load_config")
    first = answer.hits[0]
    assert ("src/config.py", "load_config", 1, 3) == (first.path, first.name, first.start_line, first.end_line)
    assert ("function", "python", "def load_config(path)") == (first.kind, first.lang, first.signature)
    assert "def load_config(path)\n    Read the settings from disk." == first.snippet
    assert sorted((hit.score for hit in answer.hits), reverse=True) == [hit.score for hit in answer.hits]
    assert len(answer.hits) >= 4
    assert ("", (), False) == (answer.reason, answer.nearest, answer.truncated)
    for hit in answer.hits:
        wanted = parse_id(hit.id)
        assert wanted is not None
        assert (hit.path, hit.qualname) == (wanted.path, wanted.qualname)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("Session.get_user", ("src/session.py", "Session")),
        ("session", ("src/session.py", "Session")),
        ("where are settings read from disk", ("src/config.py", "load_config")),
        ("test of load_config", ("tests/test_config.py", "test_load_config")),
    ],
)
def test_the_answer_stands_first(segment: Searcher, query: str, first: tuple[str, str]) -> None:
    """For names, qualified names and questions."""
    assert first == segment.found(query)[0]


@pytest.mark.parametrize(
    ("filters", "paths"),
    [
        ({"path": "src"}, {"src/config.py", "src/session.py"}),
        ({"path": "./src/"}, {"src/config.py", "src/session.py"}),
        ({"path": "**/*.py"}, {"src/config.py", "src/session.py", "tests/test_config.py"}),
        ({"path": "*config.py"}, {"src/config.py", "tests/test_config.py"}),
        ({"path": "src/config.py"}, {"src/config.py"}),
        ({"lang": "Markdown"}, {"docs/guide.md"}),
        ({"kind": "class"}, {"src/session.py"}),
        ({"kind": "function", "path": "tests"}, {"tests/test_config.py"}),
    ],
)
def test_filters_leave_what_they_name(segment: Searcher, filters: dict[str, str], paths: set[str]) -> None:
    """A folder, a pattern, a language, a kind, and all of them together."""
    assert paths == {path for path, _name in segment.found("load_config", **filters)}


def test_a_file_whose_name_looks_like_a_pattern_is_found_by_it(segment: Searcher) -> None:
    """Brackets in file names are common where routes are files."""
    assert [("data[1].txt", "data[1]")] == segment.found("settings", path="data[[]1].txt")


def test_the_budget_cuts_the_list_and_says_how_many(segment: Searcher) -> None:
    """The order is the answer: nothing smaller moves up."""
    everything = segment.ask("load_config settings")
    costs = [len(hit.snippet.split()) for hit in everything.hits]
    assert sum(costs) == everything.total_tokens
    assert costs != sorted(costs), "a later hit has to be smaller than one before it"
    for budget in range(1, sum(costs)):
        answer = segment.ask("load_config settings", budget_tokens=budget)
        kept = len(answer.hits)
        assert everything.hits[:kept] == answer.hits
        assert sum(costs[:kept]) == answer.total_tokens <= budget < sum(costs[: kept + 1])
        assert (len(costs) - kept, True) == (answer.omitted, answer.truncated)
    nothing = segment.ask("load_config settings", budget_tokens=1)
    assert ((), len(costs)) == (nothing.hits, nothing.omitted)
    assert "none fits --budget 1; give a larger one" in nothing.reason


def test_the_limit_is_the_number_of_hits(segment: Searcher) -> None:
    """The best ones; what a limit leaves out is not omitted by a budget."""
    everything = segment.ask("load_config settings", limit=100)
    answer = segment.ask("load_config settings", limit=2)
    assert (everything.hits[:2], 0) == (answer.hits, answer.omitted)


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.text(max_size=60) | st.text(alphabet="load_config.:\"'*()-^ \0", max_size=30),
    st.sampled_from(["", "src", "*", "[", "]", "[!", "?", "**", "a" * 999, "\udcff", "'", "é"]),
    st.sampled_from(["", "class"]),
    st.integers(1, 30),
)
def test_any_question_is_answered_or_refused_as_usage(
    segment: Searcher, query: str, path: str, kind: str, budget: int
) -> None:
    """Never another error; never over the budget; a reason whenever there is nothing."""
    try:
        answer = segment.ask(query, path=path, kind=kind, budget_tokens=budget)
    except UsageError:
        return
    assert answer.total_tokens == sum(len(hit.snippet.split()) for hit in answer.hits) <= budget
    assert bool(answer.reason) == (not answer.hits)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"query": "x", "limit": 0}, f"--limit must be from 1 to {SEARCH_LIMIT_MAX}, found 0"),
        ({"query": "x", "limit": SEARCH_LIMIT_MAX + 1}, "--limit must be"),
        ({"query": "x", "budget_tokens": 0}, "--budget must be"),
        ({"query": "x" * (QUERY_CHARS_MAX + 1)}, "query is 100001 characters long"),
        ({"query": "..."}, "has no word"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(options: dict[str, Any], message: str) -> None:
    """Before the index is asked."""
    with pytest.raises(UsageError, match=message):
        check_request(SearchRequest(**options))


# --- nothing found ---------------------------------------------------------------------------------------------------


def test_nothing_found_says_why_and_what_comes_close(segment: Searcher) -> None:
    """A word no file has, with the names that look like it where a question holds it."""
    answer = segment.ask("where is laod_confg")
    assert ((), 0) == (answer.hits, answer.total_tokens)
    assert "no indexed file has any of these words: laod_confg" == answer.reason
    assert "load_config" in answer.nearest


@pytest.mark.parametrize("asked", ["laod_confg", "load_con"])
def test_a_name_nobody_defines_finds_those_like_it(segment: Searcher, asked: str) -> None:
    """A slip, or the beginning of a name; and it is said that this is a guess."""
    answer = segment.ask(asked)
    assert "load_config" == answer.hits[0].name
    assert f"nothing is called {asked}; these come close" == answer.reason
    assert "" == segment.ask("load_config").reason


def test_filters_that_leave_nothing_are_named(segment: Searcher) -> None:
    """There are matches elsewhere."""
    assert "filters" in segment.ask("load_config", path="nowhere").reason
    assert "no indexed file" in segment.ask("xyzzy", path="src").reason


def test_an_empty_segment_says_so(segment: Searcher) -> None:
    """And one of nothing but skipped files, too."""
    for name in ("src", "tests", "docs", "data[1].txt"):
        segment.delete(name)
    segment.refresh()
    assert "nothing is indexed: the segment holds no readable text file" == segment.ask("x1").reason
    segment.put("a.bin", b"\0")
    segment.refresh()
    assert segment.ask("x1").reason.startswith("nothing is indexed: 1 files were skipped")


def test_nearest_names_survive_any_word(segment: Searcher) -> None:
    """Wildcards are no wildcards, and one letter is like nothing."""
    assert () == nearest_names("x", segment.store) == nearest_names("", segment.store)
    assert () == nearest_names("%%%%%", segment.store) == nearest_names("_____", segment.store)
    assert "Session" in nearest_names("sesion", segment.store)
    assert "Session" in nearest_names("Seson", segment.store)


# --- what is asked of the index --------------------------------------------------------------------------------------


def test_common_words_are_asked_for_in_names_only(segment: Searcher, monkeypatch: pytest.MonkeyPatch) -> None:
    """The rarest counts everywhere; a word nobody has is not asked for; one that is everywhere is left out."""
    for at in range(30):
        segment.put(f"many/f{at}.py", f"def common_{at}():\n    return 'everywhere'\n")
    segment.refresh()
    monkeypatch.setattr(search_module, "VISITS_MAX", 10)
    terms = ("everywhere", "settings", "unheard")
    assert '"settings" OR {name head} : "everywhere"' == frugal_expression(terms, segment.store)
    assert '"everywhere"' == frugal_expression(("everywhere",), segment.store)
    assert '"settings"' == frugal_expression(("settings", "common"), segment.store)
    assert match_expression(("unheard", "nobody")) == frugal_expression(("unheard", "nobody"), segment.store)


def test_a_search_tells_what_it_did(segment: Searcher) -> None:
    """Hits, candidates, the shape, and every stage's time, once."""
    answer = segment.ask("load_config")
    (event,) = segment.telemetry.named("index.search")
    assert {"query": "load_config"} == event.args
    assert (len(answer.hits), "identifier") == (event.result["hits"], event.result["shape"])
    assert event.result["candidates"] >= event.result["hits"]
    assert {"candidates", "definition", "spread"} <= set(event.extra["stages_ms"])
