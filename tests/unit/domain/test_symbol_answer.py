"""Answers about symbols: grades, and the ids definitions go by."""

from __future__ import annotations

from ctx.domain.chunk_ids import digest_of
from ctx.domain.index_records import ChunkRow, DefinitionRow, FileRecord
from ctx.domain.symbol_answer import SymbolAnswer, SymbolCandidate, definition_id

CANDIDATE = SymbolCandidate("a.py", 1, 5, 2, "function", "f", "f", "def f()", "", "a.py#f@00000000", "python", "exact")


def chunk(qualname: str, start: int, end: int, digest: str, twin: int = 1) -> ChunkRow:
    return ChunkRow("class", "n", qualname, "", "", "", start, end, 0, 0, 0, 0, digest, twin)


def record(*chunks: ChunkRow) -> FileRecord:
    return FileRecord(
        b"a.py", "a.py", 0, 0, "", "python", "ok", "", "utf-8", 9, 0, False, 0, 0, 0, 0, 0, tuple(chunks), ()
    )


def row(qualname: str, line: int, end: int) -> DefinitionRow:
    return DefinitionRow("method", qualname.rpartition(".")[2], qualname, "def m()", "", line, end, line, 1, -1)


def test_grades_follow_from_what_was_found() -> None:
    """Resolved is one or more, ambiguous is more than one, also when the limit let only one through."""
    nothing = SymbolAnswer("f", (), "index", True, "", 0)
    one = SymbolAnswer("f", (CANDIDATE,), "index", True, "", 1)
    several = SymbolAnswer("f", (CANDIDATE,), "index", True, "", 3)
    assert [(False, False), (True, False), (True, True)] == [
        (answer.resolved, answer.ambiguous) for answer in (nothing, one, several)
    ]


def test_an_id_is_that_of_the_chunk_that_holds_the_definition() -> None:
    """Its own chunk before one of that name, that before one around it; without any its signature is hashed."""
    own = record(chunk("A", 1, 9, "aaaaaaaa"), chunk("A.m", 3, 4, "bbbbbbbb", 2))
    assert "a.py#A.m@bbbbbbbb~2" == definition_id(own, row("A.m", 3, 4))
    part = record(chunk("A.m", 1, 9, "cccccccc"))
    assert "a.py#A.m@cccccccc" == definition_id(part, row("A.m", 3, 4))
    around = record(chunk("A", 1, 9, "aaaaaaaa"))
    assert "a.py#A.m@aaaaaaaa" == definition_id(around, row("A.m", 3, 4))
    assert f"a.py#A.m@{digest_of(b'def m()')}" == definition_id(record(), row("A.m", 3, 4))
