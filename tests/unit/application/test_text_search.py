"""Text search: grouping by chunk, order, bounds, and why there is nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import SegmentOnDisk, WordCounter

from ctx.application import text_search as module
from ctx.application.text_search import LINES_SHOWN_MAX, TextSearchAnswer, TextSearchRequest, text_search
from ctx.domain.errors import UsageError
from ctx.infrastructure.text_scanner import Re2Scanner

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from ctx.domain.text_match import LineMatch, TextFile, TextPattern


class Searcher(SegmentOnDisk):
    """A segment one can search by pattern; each scanned file takes `file_ns` of the clock."""

    file_ns = 0

    def ask(self, pattern: str, **options: Any) -> TextSearchAnswer:
        request = TextSearchRequest(pattern, **options)
        return text_search(request, self.store, self, counter=WordCounter(), telemetry=self.telemetry, clock=self.clock)

    def scan(
        self, pattern: TextPattern, files: Sequence[TextFile], left_s: Callable[[], float]
    ) -> Iterator[tuple[TextFile, LineMatch]]:
        for file in files:
            yield from Re2Scanner(self.files).scan(pattern, [file], left_s)
            self.clock.advance_ns(self.file_ns)

    def names(self, pattern: str, **options: Any) -> list[tuple[str, str]]:
        return [(found.hit.path, found.hit.name) for found in self.ask(pattern, **options).hits]


@pytest.fixture
def segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Searcher]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "seg").mkdir()
    with Searcher(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        opened.put("a_use.py", "def first():\n    load(1)\n    load(2)\n\n\ndef second():\n    return load(3)\n")
        opened.put(
            "src/core.py", 'def load(n):\n    """Read n."""\n    return n\n\n\ndef reload_all():\n    return 0\n'
        )
        opened.put("tests/test_core.py", "def test_load():\n    load(1)\n    load(2)\n    load(3)\n")
        opened.put("blank.txt", "\n\n")
        opened.put("many.txt", "".join(f"row {at}\n" for at in range(20)))
        opened.put(
            "c.c", "int f(void) {\n  int x = 1;\n  return x;\n} /* end of f */\n\nint g(void) {\n  return 2;\n}\n"
        )
        opened.refresh()
        yield opened


def test_definitions_stand_before_uses_and_those_before_tests(segment: Searcher) -> None:
    """Then more matching lines, then the path."""
    assert [
        ("src/core.py", "load"),
        ("src/core.py", "reload_all"),  # the match touches its name
        ("tests/test_core.py", "test_load"),
        ("a_use.py", "first"),
        ("a_use.py", "second"),
    ] == segment.names("load")
    scores = [hit.hit.score for hit in segment.ask("load").hits]
    assert sorted(scores, reverse=True) == scores
    assert [("a_use.py", "first"), ("a_use.py", "second"), ("tests/test_core.py", "test_load")] == segment.names(
        r"^\s+.*load\(\d\)", is_regex=True
    )


def test_a_hit_is_a_chunk_with_its_matching_lines(segment: Searcher) -> None:
    """The lines are the file's; the id is one that `ctx get` takes."""
    answer = segment.ask(r"load\((\d)\)", is_regex=True, path="a_use.py")
    first, second = answer.hits
    assert [(2, 5, "    load(1)"), (3, 5, "    load(2)")] == [(m.line, m.column, m.text) for m in first.matches]
    assert [(7, 12, "    return load(3)")] == [(m.line, m.column, m.text) for m in second.matches]
    assert ("def first()", "function", "python", 1, 3) == (
        first.hit.snippet,
        first.hit.kind,
        first.hit.lang,
        first.hit.start_line,
        first.hit.end_line,
    )
    assert first.hit.id.startswith("a_use.py#first@")
    assert (3, False, False, False) == (answer.total_matches, answer.truncated, answer.is_cut, answer.is_late)


def test_lines_between_chunks_go_with_what_is_above(segment: Searcher) -> None:
    """A closing line with a remark belongs to what it closes; a file without a chunk has nothing to get."""
    assert [("c.c", "f")] == segment.names("end of f")
    assert {"c.c", "a_use.py", "src/core.py"} == {path for path, _name in segment.names("^$", is_regex=True)}


def test_few_lines_of_a_hit_are_shown_and_the_rest_counted(segment: Searcher) -> None:
    """All twenty count."""
    (found,) = segment.ask("row").hits
    assert (LINES_SHOWN_MAX, 20 - LINES_SHOWN_MAX) == (len(found.matches), found.more_matches)
    assert [1, 2, 3, 4, 5] == [match.line for match in found.matches]


def test_the_budget_is_over_snippets_and_lines(segment: Searcher) -> None:
    """The order is the answer: nothing smaller moves up."""
    everything = segment.ask("load")
    costs = [
        len(found.hit.snippet.split()) + sum(len(match.text.split()) for match in found.matches)
        for found in everything.hits
    ]
    assert sum(costs) == everything.total_tokens
    for budget in range(1, sum(costs)):
        answer = segment.ask("load", budget_tokens=budget)
        kept = len(answer.hits)
        assert everything.hits[:kept] == answer.hits
        assert sum(costs[:kept]) == answer.total_tokens <= budget < sum(costs[: kept + 1])
        assert (len(costs) - kept, True) == (answer.omitted, answer.truncated)
        assert kept or "none fits --budget" in answer.reason


def test_the_limit_is_the_number_of_hits(segment: Searcher) -> None:
    """The best ones, and everything is counted all the same."""
    answer = segment.ask("load", limit=1)
    assert [("src/core.py", "load")] == [(found.hit.path, found.hit.name) for found in answer.hits]
    assert (segment.ask("load").total_matches, 0, False) == (answer.total_matches, answer.omitted, answer.truncated)


def test_a_pattern_that_is_everywhere_ends_at_a_number_of_lines(
    segment: Searcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Definitions are looked at first, so that they are not cut; and it is said."""
    monkeypatch.setattr(module, "MATCHES_MAX", 2)
    answer = segment.ask("load")
    assert ("src/core.py", "load") == (answer.hits[0].hit.path, answer.hits[0].hit.name)
    assert (2, True, True, False) == (answer.total_matches, answer.is_cut, answer.truncated, answer.is_late)


def test_a_search_ends_at_its_deadline(segment: Searcher) -> None:
    """With what was found until then, or with what to do."""
    segment.file_ns = 3_000_000_000
    answer = segment.ask("load", deadline_s=2.0)
    assert [("src/core.py", "load"), ("src/core.py", "reload_all")] == [
        (found.hit.path, found.hit.name) for found in answer.hits
    ]
    assert (True, False) == (answer.is_late, answer.truncated)
    late = segment.ask("end of f", deadline_s=0.0)
    assert "nothing found in 0 s; narrow the search with --path or --lang" == late.reason


def test_filters_narrow_by_chunk_and_file(segment: Searcher) -> None:
    """Kinds are the chunk's, languages and paths the file's."""
    assert {("many.txt", "many")} == set(segment.names("row", kind="text,class"))
    assert [] == segment.names("row", kind="function")
    assert [("tests/test_core.py", "test_load")] == segment.names("load", path="tests")
    with pytest.raises(UsageError, match="--kind must be one of"):
        segment.ask("row", kind="class")
    with pytest.raises(UsageError, match="--lang must be one of"):
        segment.ask("row", lang="cobol")


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"pattern": "laod"}, "no line of the 6 indexed files matches; -i looks for upper and lower case alike"),
        ({"pattern": "zzz", "ignore_case": True}, "no line of the 6 indexed files matches"),
        ({"pattern": "row", "path": "src"}, "no line of the 1 files that the filters leave matches; -i"),
        ({"pattern": "row", "path": "nowhere"}, "the filters (--lang, --path) leave no indexed file"),
    ],
)
def test_nothing_found_says_why(segment: Searcher, options: dict[str, Any], reason: str) -> None:
    """In the order a person would check."""
    answer = segment.ask(**options)
    assert ((), 0) == (answer.hits, answer.total_matches)
    assert answer.reason.startswith(reason)


def test_a_name_nobody_has_gets_the_nearest(segment: Searcher) -> None:
    """And a pattern that is no name gets none."""
    assert "reload_all" in segment.ask("reload_al_").nearest
    assert () == segment.ask("reload_al(").nearest


def test_an_empty_segment_says_so(segment: Searcher) -> None:
    """Nothing is indexed."""
    for name in ("a_use.py", "src", "tests", "blank.txt", "many.txt", "c.c"):
        segment.delete(name)
    segment.refresh()
    assert "nothing is indexed: the segment holds no readable text file" == segment.ask("x").reason


@pytest.mark.parametrize(
    "options", [{"limit": 0}, {"budget_tokens": 0}, {"pattern": ""}, {"path": "x" * 1001}, {"pattern": "("}]
)
def test_a_request_that_makes_no_sense_is_refused(segment: Searcher, options: dict[str, Any]) -> None:
    """Before a file is read."""
    with pytest.raises(UsageError):
        segment.ask(**{"pattern": "x", "is_regex": True, **options})


def test_a_search_tells_what_it_did(segment: Searcher) -> None:
    """The pattern, hits and groups, once."""
    segment.ask("load", limit=1)
    (event,) = segment.telemetry.named("index.search")
    assert ({"query": "load", "mode": "literal"}, 1) == (event.args, event.result["hits"])
    assert event.result["candidates"] > 1
