"""What is found in one hand-written file per language, against gold files; CTX_REWRITE_GOLD=1 writes them anew.

A gold file is read by people before it is committed: rewriting it says what changed, not that the change is right.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from ctx.domain.chunks import CHUNK_LINES_MAX, chunk_code
from ctx.infrastructure.ast_lsp import SkeletonMapBuilder
from ctx.infrastructure.languages import LANGUAGES, language_of

if TYPE_CHECKING:
    from ctx.domain.symbols import SkeletonMap

_FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "languages"
_NAMES = [row.name for row in LANGUAGES]


def source_file(language: str) -> Path:
    (path,) = (path for path in (_FIXTURES / language).iterdir() if path.name != "expected.json")
    return path


def skeleton_of(language: str) -> SkeletonMap:
    path = source_file(language)
    return SkeletonMapBuilder().parse(path.read_bytes(), path.name, language)


def document(skeleton: SkeletonMap) -> dict[str, Any]:
    return {
        "status": skeleton.status,
        "definitions": [
            {
                "kind": d.kind,
                "name": d.name,
                "qualname": d.qualname,
                "signature": d.signature,
                "decorators": list(d.decorators),
                "doc": d.doc,
                "parent": skeleton.definitions[d.parent].qualname if d.parent >= 0 else None,
                "lines": [d.start_line, d.end_line],
                "name_line": d.name_line,
                "has_body": d.has_body,
            }
            for d in skeleton.definitions
        ],
        "imports": [
            {"text": i.text, "names": list(i.names), "lines": [i.start_line, i.end_line]} for i in skeleton.imports
        ],
    }


def printed(value: dict[str, Any]) -> str:
    """Return JSON with one definition or import a line: a difference shows what it is about."""
    parts = [f'"status": {json.dumps(value["status"])}']
    for key in ("definitions", "imports"):
        rows = ",\n    ".join(json.dumps(row, ensure_ascii=False) for row in value[key])
        parts.append(f'"{key}": [\n    {rows}\n  ]')
    return "{\n  " + ",\n  ".join(parts) + "\n}\n"


@pytest.mark.parametrize("language", _NAMES)
def test_gold(language: str) -> None:
    """Kinds, names, signatures, docs, parents, lines and imports are the gold file's."""
    found = document(skeleton_of(language))
    gold_path = _FIXTURES / language / "expected.json"
    if os.environ.get("CTX_REWRITE_GOLD"):
        gold_path.write_text(printed(found), encoding="utf-8")
    gold = json.loads(gold_path.read_text(encoding="utf-8"))
    assert gold["definitions"] == found["definitions"]
    assert gold == found


@pytest.mark.parametrize("language", _NAMES)
def test_the_fixture_goes_by_its_own_name(language: str) -> None:
    """Its ending and its text say the language whose folder it is in."""
    path = source_file(language)
    assert language == language_of(path.name, path.read_bytes()) == language_of(path.name)


@pytest.mark.parametrize("language", _NAMES)
def test_spans_nest_and_are_where_the_lines_say(language: str) -> None:
    """A child lies inside its parent, bytes and lines name the same place, the name is inside the definition."""
    source = source_file(language).read_bytes()
    skeleton = skeleton_of(language)
    for d in skeleton.definitions:
        assert source.count(b"\n", 0, d.start_byte) + 1 == d.start_line <= d.name_line <= d.end_line
        assert source.count(b"\n", 0, d.end_byte - 1) + 1 == d.end_line
        assert d.name.encode() in source[d.start_byte : d.end_byte] or d.name == "default"
        if d.parent >= 0:
            parent = skeleton.definitions[d.parent]
            assert parent.start_byte <= d.start_byte < d.end_byte <= parent.end_byte
            assert d.qualname.startswith(f"{parent.qualname}.")


@pytest.mark.parametrize("language", _NAMES)
def test_chunks_hold_every_definition_and_every_line_that_says_something(language: str) -> None:
    """Nothing is lost, nothing is told twice, no chunk is a lone closing bracket."""
    source = source_file(language).read_bytes() * 1
    skeleton = skeleton_of(language)
    chunks = chunk_code(source, skeleton)
    told = {name for chunk in chunks for name in (chunk.name, *chunk.names)}
    scopes = {d.name for d in skeleton.definitions if d.kind in ("namespace", "module")}
    assert {d.name for d in skeleton.definitions} - scopes <= told
    end_before = 0
    covered: set[int] = set()
    for chunk in chunks:
        assert end_before < chunk.start_line <= chunk.end_line
        assert chunk.end_line - chunk.start_line < CHUNK_LINES_MAX
        assert any(byte.isalnum() for byte in source[chunk.start_byte : chunk.end_byte].decode())
        end_before = chunk.end_line
        covered.update(range(chunk.start_line, chunk.end_line + 1))
    closing = {"", "}", "};", ")", "})", "end", "#endif /* LIST_C */", "}  // namespace", "}  // namespace geo::flat"}
    left_out = [
        line
        for at, line in enumerate(source.decode().split("\n"), start=1)
        if at not in covered and line.strip() not in closing
    ]
    assert [] == left_out


@pytest.mark.parametrize("language", _NAMES)
def test_what_is_broken_in_the_middle_is_recovered_around_it(language: str) -> None:
    """Half a file's definitions survive a line of garbage between them, and the status says so."""
    source = source_file(language).read_bytes()
    whole = skeleton_of(language)
    last = whole.definitions[-1]
    broken = source[: last.start_byte] + b'\n)]} ( "unclosed\n' + source[last.start_byte :]
    skeleton = SkeletonMapBuilder().parse(broken, "broken", language)
    assert "partial" == skeleton.status
    before = {d.qualname for d in whole.definitions if d.end_byte < last.start_byte}
    found = {d.qualname.rpartition(".")[2] for d in skeleton.definitions}
    kept = [name for name in before if name.rpartition(".")[2] in found]
    assert len(kept) >= len(before) / 2


@pytest.mark.parametrize("language", _NAMES)
def test_a_file_larger_than_one_read_gives_the_same(language: str) -> None:
    """Queries look into the text again after the parse; a text that was handed over in pieces must be readable."""
    source = source_file(language).read_bytes()
    filler = b"\n" * 70_000
    small, large = skeleton_of(language), SkeletonMapBuilder().parse(source + filler, "large", language)
    assert [(d.kind, d.qualname) for d in small.definitions] == [(d.kind, d.qualname) for d in large.definitions]
    assert small.imports == large.imports


@pytest.mark.parametrize("language", _NAMES)
@pytest.mark.parametrize("source", [b"", b"\n", b"\xff\xfe\x00", b"\r\n\r\n", b"\xef\xbb\xbf"])
def test_next_to_nothing_is_no_error(language: str, source: bytes) -> None:
    """Empty files, byte order marks and bytes that are no text give an empty skeleton."""
    assert () == SkeletonMapBuilder().parse(source, "empty", language).definitions
