"""The table of languages: every row has its grammar, its query and its endings."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from tests.fakes import WordCounter
from tree_sitter import Query

from ctx.infrastructure import languages
from ctx.infrastructure.file_indexer import FileIndexer
from ctx.infrastructure.file_system import FileSystemAdapter
from ctx.infrastructure.languages import (
    LANGUAGES,
    MARKDOWN,
    TEXT,
    LanguageRow,
    extraction_version,
    grammar_of,
    language_of,
    query_source,
    row_of,
)
from ctx.infrastructure.null_telemetry import NullTelemetry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("row", LANGUAGES, ids=lambda row: row.name)
def test_every_row_is_complete(row: LanguageRow) -> None:
    """The grammar loads, the query compiles against it and names kinds, the endings lead to the language."""
    assert row is row_of(row.name)
    query = Query(grammar_of(row.name), query_source(row.name))
    captures = {query.capture_name(at) for at in range(query.capture_count)}
    assert {"name", "body"} <= captures
    assert any(name.startswith("definition.") for name in captures)
    assert {row.name} == {language_of(f"a/b{ending}") for ending in row.extensions}
    assert {row.name} == {language_of(f"a/{name}") for name in (*row.file_names, *(f"x{row.extensions[0]}",))}


def test_every_query_file_has_a_row() -> None:
    """And every ending belongs to one language."""
    folder = os.path.dirname(languages.__file__)
    used = {os.path.basename(path) for row in LANGUAGES for path in row.query_files}
    assert used == {name for name in os.listdir(folder) if name.endswith(".scm")}
    endings = [ending for row in LANGUAGES for ending in row.extensions]
    assert len(set(endings)) == len(endings)


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("src/a.py", "python"),
        ("A.PY", "python"),
        ("a.b.pyi", "python"),
        ("SConstruct", "python"),
        ("docs/a.md", MARKDOWN),
        ("README.MARKDOWN", MARKDOWN),
        ("a.txt", TEXT),
        ("Makefile", TEXT),
        (".py", TEXT),
        ("a.py/b", TEXT),
        ("py", TEXT),
        ("a.", TEXT),
        ("", TEXT),
    ],
)
def test_a_language_is_known_by_the_name_of_the_file(path: str, language: str) -> None:
    """The ending in any case, or the whole name; a dot file has no ending."""
    assert language == language_of(path)


def test_a_language_without_a_row_has_no_grammar() -> None:
    """Markdown and text are cut without one."""
    assert None is row_of(MARKDOWN) is row_of(TEXT) is row_of("cobol")
    with pytest.raises(KeyError):
        grammar_of("cobol")


def test_the_extraction_version_names_grammar_and_query() -> None:
    """It changes with either, so a cached skeleton never outlives what made it."""
    grammar, mark, query = extraction_version("python").rpartition("-")
    assert grammar.split(".")[0].isdigit()
    assert mark
    assert 8 == len(query)


def test_a_missing_grammar_is_named_and_its_files_become_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation that lost a wheel still indexes: the reason names the package to install."""
    monkeypatch.setitem(sys.modules, "tree_sitter_ruby", None)
    grammar_of.cache_clear()
    try:
        (tmp_path / "a.rb").write_text("def hello\n  1\nend\n", encoding="utf-8")
        files = FileSystemAdapter(str(tmp_path), telemetry=NullTelemetry())
        record = FileIndexer(files, WordCounter()).index(b"a.rb")
    finally:
        grammar_of.cache_clear()
    assert ("failed", ["text"]) == (record.status, [chunk.kind for chunk in record.chunks])
    assert "pip install tree-sitter-ruby" in record.reason
