"""Files that must not be parsed: which they are, and what every use case answers about them instead."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import WordCounter
from tests.unit.application.navigable_segment import NavigableSegment

from ctx.application.get import Get, GetRequest
from ctx.application.repo_map import RepoMapper, RepoMapRequest
from ctx.application.unparsed_files import failed_files, unparsed_files, why_unparsed
from ctx.domain.errors import NotFoundError
from ctx.infrastructure.file_indexer import FileIndexer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ctx.application.get import Item
    from ctx.domain.symbols import SkeletonMap

REASON = "the parser crashed on it (signal 11); indexed as text"


class Trapped(NavigableSegment):
    """A segment in which parsing `trap.py` fails the test."""

    def spring(self) -> None:
        """Index the trap as what is left when a worker died of it."""
        record = FileIndexer(self.files, WordCounter()).index_as_text(b"trap.py", REASON)
        with self.store.writing(wait_s=1.0), self.store.transaction():
            self.store.put(record)

    def one(self, target: str, **options: Any) -> Item:
        use_case = Get(self.files, self.files, self.store, WordCounter(), self._parse)
        (item,) = use_case(GetRequest((target,), **options)).items
        return item

    def _parse(self, path: str, _source: bytes, _language: str) -> SkeletonMap:
        raise AssertionError(f"{path} was parsed")


@pytest.fixture
def segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Trapped]:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/config"))
    (tmp_path / "seg").mkdir()
    with Trapped(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        opened.fill(
            {
                "trap.py": "class Trap:\n    def spring(self): ...\n\n\nhelper()\n",
                "user.py": "from trap import Trap\nfrom tools import helper\n\nTrap().spring()\nhelper()\n",
                "tools.py": "def helper(): ...\n",
                "broken.py": "def f(:\n    pass\n",
                "x.min.js": "var a=1;" * 5000,
            }
        )
        opened.spring()
        yield opened


def test_failed_skipped_and_partial_are_told_apart(segment: Trapped) -> None:
    """A file with syntax errors was parsed; one that is skipped or failed must not be."""
    assert {"trap.py": REASON} == failed_files(segment.store)
    assert {"trap.py", "x.min.js"} == set(unparsed_files(segment.store))
    reasons = {}
    for path in ("trap.py", "user.py", "broken.py", "x.min.js"):
        record = segment.store.file(path)
        assert record is not None
        reasons[path] = why_unparsed(record)
    assert (REASON, "", "") == (reasons["trap.py"], reasons["user.py"], reasons["broken.py"])
    assert reasons["x.min.js"]


@pytest.mark.parametrize("mode", ["skeleton", "excerpt"])
@pytest.mark.parametrize("target", ["trap.py:2", "trap.py:1-2", "trap.py"])
def test_get_answers_from_the_text(segment: Trapped, target: str, mode: Any) -> None:
    """With the reason, where the mode promises what is declared; a whole file's excerpt is its text anyway."""
    item = segment.one(target, mode=mode)
    assert item.text.startswith("class Trap:")
    is_text_anyway = target == "trap.py" and mode == "excerpt"
    assert ("" if is_text_anyway else REASON, is_text_anyway) == (item.note, item.complete)


def test_get_of_a_name_says_why_there_is_none(segment: Trapped) -> None:
    """The name may well be in the file."""
    with pytest.raises(NotFoundError, match=r"trap\.py: no Trap in it") as caught:
        segment.one("trap.py#Trap")
    assert REASON in str(caught.value)


def test_a_minified_file_is_not_parsed_for_its_line(segment: Trapped) -> None:
    """What was skipped is text, too."""
    assert not segment.one("x.min.js:1", mode="skeleton").complete
    assert segment.one("x.min.js", mode="raw").complete


def test_resolve_reads_the_word_at_a_place(segment: Trapped) -> None:
    """By its spelling alone, which is never complete, with the reason."""
    answer = segment.resolve("trap.py:5:1")
    assert [("tools.py", "exact")] == [(found.path, found.reason) for found in answer.found]
    assert (False, f"trap.py: {REASON}", "index") == (answer.complete, answer.reason, answer.resolved_by)
    nothing = segment.resolve("trap.py:1:1")
    assert not nothing.found
    assert REASON in nothing.reason


def test_resolve_follows_names_up_to_it(segment: Trapped) -> None:
    """An import that leads into the file ends there: nothing is invented, nothing is parsed."""
    answer = segment.resolve("user.py:4:1")
    assert "Trap" not in {found.qualname for found in answer.found}


def test_refs_say_that_a_file_was_not_looked_into(segment: Trapped) -> None:
    """It holds the name, so the answer is not complete."""
    answer = segment.refs("tools.helper")
    assert ["tools.py", "user.py", "user.py"] == sorted(found.path for found in answer.references)
    assert (False, 3, 2) == (answer.complete, answer.files_with_name, answer.files_searched)
    assert "1 of the files that hold the name cannot be parsed (`ctx stats`)" == answer.reason
    assert segment.refs("trap.py:1:7").reason


def test_a_map_names_it(segment: Trapped) -> None:
    """It is not on the map, and the reason is its own."""
    mapper = RepoMapper(
        segment.files,
        segment.store,
        WordCounter(),
        segment.telemetry,
        segment.clock,
        lambda path: (segment.root / path).read_text(),
        segment.modules,
    )
    answer = mapper(RepoMapRequest())
    assert ((("trap.py", REASON),), ("broken.py",)) == (answer.not_parsed, answer.recovered)
    assert "trap.py" not in {file.path for file in answer.files}
