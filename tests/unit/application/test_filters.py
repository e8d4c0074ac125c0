"""Filters: lists with commas, negated paths, and values there are none of."""

from __future__ import annotations

import fnmatch
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tests.fakes import SegmentOnDisk

from ctx.application.filters import Filters, check_filters, check_kinds_present, check_lists, read_filters
from ctx.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PATHS = ("a.py", "src/a.py", "src/b.md", "src/tests/test_a.py", "tests/test_a.py", "x,y/a.txt", "src[1]/q.py")


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SegmentOnDisk]:
    root: Path = tmp_path_factory.mktemp("filters")
    (root / "seg").mkdir()
    with SegmentOnDisk(root / "seg", root / "index/index.db") as opened:
        for path in PATHS:
            opened.put(path, "def one():\n    return 1\n")
        opened.refresh()
        yield opened


def left(segment: SegmentOnDisk, **lists: str) -> set[str]:
    """Return the paths that the filters leave."""
    return {file.path for file in segment.store.text_files(*read_filters(**lists).of_files())}


@pytest.mark.parametrize(
    ("path", "paths"),
    [
        ("", set(PATHS)),
        (".", set(PATHS)),
        (" , ./ ,", set(PATHS)),
        ("src", {"src/a.py", "src/b.md", "src/tests/test_a.py"}),
        ("src,tests/", {"src/a.py", "src/b.md", "src/tests/test_a.py", "tests/test_a.py"}),
        ("*.py", set(PATHS) - {"src/b.md", "x,y/a.txt"}),
        ("**/test_*.py", {"src/tests/test_a.py", "tests/test_a.py"}),
        ("!*.py", {"src/b.md", "x,y/a.txt"}),
        ("!tests", set(PATHS) - {"tests/test_a.py"}),
        ("!tests/*, !*/tests/*", set(PATHS) - {"tests/test_a.py", "src/tests/test_a.py"}),
        ("src,!src/tests", {"src/a.py", "src/b.md"}),
        ("x[,]y", {"x,y/a.txt"}),
        ("src[[]1]", {"src[1]/q.py"}),
        ("[!s]*.py", {"a.py", "tests/test_a.py"}),
        ("*/tests", {"src/tests/test_a.py"}),
    ],
)
def test_paths_widen_and_take_away(segment: SegmentOnDisk, path: str, paths: set[str]) -> None:
    """Folders, patterns, several of them, and those after `!`."""
    assert paths == left(segment, path=path)


def test_languages_and_kinds_are_lists(segment: SegmentOnDisk) -> None:
    """In any case, with blanks, each once."""
    assert {"src/b.md", "x,y/a.txt"} == left(segment, lang="Markdown, text,,markdown")
    assert {"src/b.md"} == left(segment, lang="markdown,python", path="src,!*.py")
    assert ("function", "class") == read_filters(kind="Function,class,function").kinds
    assert ("c.kind IN (?, ?) AND f.language IN (?)", ("class", "text", "go")) == read_filters(
        "class,text", "go"
    ).of_chunks()
    assert ("c.kind IN (?)", ("class",)) == read_filters("class").of_chunks()
    assert ("", ()) == Filters().of_chunks()
    assert [False, True, True] == [bool(Filters()), bool(Filters(kinds=("x",))), bool(Filters(paths_left_out=("x",)))]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(st.text(alphabet="ast.py*?/", min_size=1, max_size=6), min_size=1, max_size=3), st.booleans())
def test_patterns_are_those_of_a_shell(segment: SegmentOnDisk, globs: list[str], negated: bool) -> None:
    """A path is left when one pattern matches it or a folder above it; with `!` when none does."""
    cleaned = [glob.removeprefix("./").rstrip("/") for glob in globs]
    assume(not negated or not {"", "."}.intersection(cleaned))
    cleaned = [glob.replace("**/", "*").replace("**", "*") for glob in cleaned if glob not in ("", ".")]
    matched = {p for p in PATHS if any(fnmatch.fnmatchcase(p, g) or fnmatch.fnmatchcase(p, g + "/*") for g in cleaned)}
    expected = set(PATHS) - matched if negated else (matched if cleaned else set(PATHS))
    assert expected == left(segment, path=",".join(("!" if negated else "") + glob for glob in globs))


@pytest.mark.parametrize("path", ["!", "!.", "src, ! ./", "!,src"])
def test_what_is_taken_away_has_a_path(path: str) -> None:
    """An exclamation mark alone would narrow nothing without a word."""
    with pytest.raises(UsageError, match="--path: after '!' goes the path to leave out"):
        read_filters(path=path)


@pytest.mark.parametrize("option", ["kind", "lang", "path"])
def test_a_list_that_was_given_is_not_empty(option: str) -> None:
    """As of an unset variable: it is not taken for no filter, which is what leaving it out means."""
    none: dict[str, str | None] = dict.fromkeys(("kind", "lang", "path"))
    check_lists(**none)
    check_lists(**none | {option: "a,"})
    for empty in ("", " ", " , ,"):
        with pytest.raises(UsageError, match=f"--{option} is empty; give one or more values"):
            check_lists(**none | {option: empty})


def test_values_there_are_none_of_are_refused(segment: SegmentOnDisk) -> None:
    """One wrong in a list is enough; the answer lists the right ones."""
    check_filters(read_filters("function,trait", "python,text"), segment.store)
    with pytest.raises(UsageError, match=r"^--lang must be one of markdown, python, text, found 'gooo'$"):
        check_filters(read_filters(lang="python,gooo"), segment.store)
    with pytest.raises(UsageError, match=r"^--kind must be one of function, .*found 'funktion'$"):
        check_filters(read_filters("function,funktion"), segment.store)
    check_kinds_present(read_filters("trait,function"), segment.store)
    with pytest.raises(UsageError, match=r"^--kind must be one of function, .*found 'trait'$"):
        check_kinds_present(read_filters("trait"), segment.store)
    with pytest.raises(UsageError, match=r"^--path is 1001 characters long"):
        read_filters(path="x" * 1001)


def test_an_empty_index_refuses_no_value(tmp_path: Path) -> None:
    """It could not list any; that nothing is indexed is said instead."""
    (tmp_path / "seg").mkdir()
    with SegmentOnDisk(tmp_path / "seg", tmp_path / "index/index.db") as empty:
        empty.refresh()
        check_filters(read_filters("funktion", "gooo"), empty.store)
