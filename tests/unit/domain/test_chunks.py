"""Chunks: runs of whole lines that cover what a file says, never overlap, and carry what they declare."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.strategies import any_text, markdown_sources, python_sources

from ctx.domain.chunk_ids import digest_of, format_id, parse_id
from ctx.domain.chunks import (
    CHUNK_LINES_MAX,
    CLASS_WHOLE_LINES_MAX,
    WINDOW_BYTES_MAX,
    WINDOW_LINES,
    Chunk,
    chunk_code,
    chunk_markdown,
    chunk_text,
)
from ctx.infrastructure.ast_lsp import SkeletonMapBuilder

if TYPE_CHECKING:
    from collections.abc import Sequence

_BUILDER = SkeletonMapBuilder()


def code(source: str) -> tuple[Chunk, ...]:
    raw = source.encode()
    return chunk_code(raw, _BUILDER.parse_python(raw, "pkg/mod.py"))


def markdown(source: str) -> tuple[Chunk, ...]:
    return chunk_markdown(source.encode(), "docs/guide.md")


def text(source: str) -> tuple[Chunk, ...]:
    return chunk_text(source.encode(), "notes/todo.txt")


def spans(chunks: Sequence[Chunk]) -> list[tuple[str, int, int]]:
    return [(c.qualname, c.start_line, c.end_line) for c in chunks]


def assert_promises(source: str, chunks: Sequence[Chunk]) -> None:
    """Check what holds for the chunks of every file."""
    raw = source.encode()
    rows = raw.split(b"\n")
    starts = [0]
    for row in rows:
        starts.append(min(starts[-1] + len(row) + 1, len(raw)))
    covered: set[int] = set()
    numbered: dict[tuple[str, str], int] = {}
    end_before = 0
    for c in chunks:
        assert end_before < c.start_line <= c.end_line <= len(rows)
        end_before = c.end_line
        covered.update(range(c.start_line, c.end_line + 1))
        assert (starts[c.start_line - 1], starts[c.end_line]) == (c.start_byte, c.end_byte)
        assert digest_of(raw[c.start_byte : c.end_byte]) == c.digest
        numbered[c.qualname, c.digest] = numbered.get((c.qualname, c.digest), 0) + 1
        assert numbered[c.qualname, c.digest] == c.twin
        read_back = parse_id(format_id("a#b@12345678.py", c.qualname, c.digest, c.twin))
        assert read_back is not None
        assert (c.qualname, c.digest, c.twin) == (read_back.qualname, read_back.digest, read_back.twin)
        assert rows[c.start_line - 1].strip()
        assert rows[c.end_line - 1].strip()
        assert "\n" not in c.signature
        assert "\n" not in c.doc
        whole = c.end_line - c.start_line < CHUNK_LINES_MAX and c.end_byte - c.start_byte <= 4 * WINDOW_BYTES_MAX
        assert whole or c.start_line == c.end_line
    missing = [line for line, row in enumerate(rows, start=1) if row.strip() and line not in covered]
    assert missing == []


@settings(max_examples=150)
@given(python_sources())
def test_chunks_of_code_keep_every_promise(source: str) -> None:
    """Ordered, apart, inside the file, every line that is not blank covered, digest and twins right."""
    assert_promises(source, code(source))


@settings(max_examples=150)
@given(markdown_sources() | any_text)
def test_chunks_of_markdown_keep_every_promise(source: str) -> None:
    """The same of sections."""
    assert_promises(source, markdown(source))


@settings(max_examples=150)
@given(any_text | st.lists(st.text(alphabet="ab \n", max_size=400), max_size=40).map("".join))
def test_chunks_of_text_keep_every_promise(source: str) -> None:
    """The same of windows; and of any text that is taken for Python."""
    assert_promises(source, text(source))
    assert_promises(source, code(source))


@pytest.mark.parametrize("source", ["", "\n", "\n\n  \n", "\r\n\t\r\n"])
def test_a_blank_file_has_no_chunks(source: str) -> None:
    """There is nothing to find in it."""
    assert () == code(source) == markdown(source) == text(source)


# --- code ------------------------------------------------------------------------------------------------------------


def test_functions_are_chunks_and_the_rest_is_the_module() -> None:
    """A function takes the comment right above it along, the lines between belong to the module."""
    chunks = code("import os\n\nX = 1\n\n# Why.\ndef f():\n    return X\n\n\nprint(f())\n")
    assert [("__module__", 1, 3), ("f", 5, 7), ("__module__", 10, 10)] == spans(chunks)
    assert ["module", "function", "module"] == [c.kind for c in chunks]
    assert ["mod", "f", "mod"] == [c.name for c in chunks]
    assert ("X",) == chunks[0].names
    assert "import os" == chunks[0].signature
    assert "print(f())" == chunks[2].signature


def test_a_comment_apart_from_a_function_stays_with_the_module() -> None:
    """A blank line between them says that the comment is not about the function."""
    assert [("__module__", 1, 1), ("f", 3, 4)] == spans(code("# General.\n\ndef f():\n    pass\n"))


def test_a_small_class_is_one_chunk_that_names_what_is_in_it() -> None:
    """Methods, constants and what is nested deeper are found through it, each name once."""
    (chunk,) = code(
        "class A:\n    X = 1\n    def m(self):\n        def inner(): pass\n"
        "    def m(self): pass\n    def n(self): pass\n"
    )
    assert ("class", "A", "A", 1, 6) == (chunk.kind, chunk.name, chunk.qualname, chunk.start_line, chunk.end_line)
    assert ("X", "m", "inner", "n") == chunk.names


def test_a_large_class_is_its_header_and_its_methods() -> None:
    """The header has the documentation and its constants, the runs between methods belong to the class."""
    body = "        x = 1\n" * CLASS_WHOLE_LINES_MAX
    head = 'class A:\n    """Doc."""\n\n    X = 1\n\n    def m(self):\n'
    chunks = code(f"{head}{body}\n    Y = 2\n\n    def n(self):\n        pass\n")
    end_of_m = 6 + CLASS_WHOLE_LINES_MAX
    assert [
        ("A", 1, 4),
        ("A.m", 6, end_of_m),
        ("A", end_of_m + 2, end_of_m + 2),
        ("A.n", end_of_m + 4, end_of_m + 5),
    ] == spans(chunks)
    assert ["class", "method", "class", "method"] == [c.kind for c in chunks]
    assert ["Doc.", "", "", ""] == [c.doc for c in chunks]
    assert [("X",), (), ("Y",), ()] == [c.names for c in chunks]


def test_a_long_class_without_definitions_is_cut_as_text_is() -> None:
    """A table of 300 lines is several parts of one class; each holds the names that stand in it."""
    chunks = code("class A:\n" + "".join(f"    x{i} = {i}\n" for i in range(300)))
    assert {"A"} == {c.qualname for c in chunks}
    assert list(range(1, len(chunks) + 1)) == [c.part for c in chunks]
    assert [f"x{i}" for i in range(300)] == [name for c in chunks for name in c.names]
    assert all(f"x{c.end_line - 2}" == c.names[-1] for c in chunks)


def test_lines_between_methods_are_no_head() -> None:
    """The head is the class's first part; what stands between its methods comes after it in any ranking."""
    methods = "".join(f"    def f{at}(self):\n" + "        y = 2\n" * 9 for at in range(4))
    chunks = code(f"class Box:\n    size = 1\n\n{methods}\n    last = 2\n    more = 3\n")
    own = [c for c in chunks if c.qualname == "Box"]
    assert [(1, ("size",)), (2, ("last", "more"))] == [(c.part, c.names) for c in own]


def test_a_long_function_is_cut_into_parts() -> None:
    """Each part goes by the function's name, so the ids differ by their text alone."""
    chunks = code("def f():\n    'Doc.'\n" + "".join(f"    g({i})\n" for i in range(400)))
    assert {"f"} == {c.qualname for c in chunks}
    assert [1, 2, 3, 4, 5] == [c.part for c in chunks]
    assert ["Doc.", "", "", "", ""] == [c.doc for c in chunks]
    assert len(chunks) == len({c.digest for c in chunks})


def test_equal_twins_are_numbered_in_order() -> None:
    """Two equal definitions in one file differ in nothing but their number."""
    chunks = code("def f():\n    pass\n\nx = 1\n\ndef f():\n    pass\n\ndef f():\n    return\n")
    twins = [(c.digest, c.twin) for c in chunks if c.name == "f"]
    assert twins[0][0] == twins[1][0] != twins[2][0]
    assert [1, 2, 1] == [twin for _digest, twin in twins]


def test_carriage_returns_stay_in_the_text() -> None:
    """A CRLF file is cut at the same lines; the bytes are its own."""
    source = "X = 1\r\n\r\ndef f():\r\n    pass\r\n"
    chunks = code(source)
    assert [("__module__", 1, 1), ("f", 3, 4)] == spans(chunks)
    assert b"def f():\r\n    pass\r\n" == source.encode()[chunks[1].start_byte : chunks[1].end_byte]
    assert "def f()" == chunks[1].signature


def test_what_is_nested_as_deep_as_the_grammar_goes_is_cut_without_recursion_errors() -> None:
    """Functions in functions and classes in classes, a level a column, far beyond what people write."""
    for head in ("def f():", "class C:"):
        deep = "".join(" " * level + head + "\n" for level in range(1500)) + " " * 1500 + "pass\n"
        assert_promises(deep, code(deep))


def test_time_grows_with_the_file_and_not_with_its_square() -> None:
    """Constants and functions in turn: ten times as many take about ten times as long, not a hundred."""

    def seconds(count: int) -> float:
        raw = "".join(f"x{i}=1\ndef f{i}(): 0\n" for i in range(count)).encode()
        skeleton = _BUILDER.parse_python(raw, "a.py")
        started = time.process_time()
        chunk_code(raw, skeleton)
        return time.process_time() - started

    assert seconds(6000) < 40 * max(seconds(600), 0.002)


# --- markdown --------------------------------------------------------------------------------------------------------


def test_sections_go_by_their_heading_and_are_named_by_those_above() -> None:
    """Anchors are the hosts' own; the signature is the way to the section, the doc its first line of prose."""
    chunks = markdown("intro\n\n# Use it!\n\nFirst.\nMore.\n\n## How `ctx` works\n\n### C# and F\n\n# Last ##\n")
    assert [
        ("__module__", "guide", "guide", "", 1, 1),
        ("use-it", "Use it!", "Use it!", "First.", 3, 6),
        ("how-ctx-works", "How `ctx` works", "Use it! > How `ctx` works", "", 8, 8),
        ("c-and-f", "C# and F", "Use it! > How `ctx` works > C# and F", "", 10, 10),
        ("last", "Last", "Last", "", 12, 12),
    ] == [(c.qualname, c.name, c.signature, c.doc, c.start_line, c.end_line) for c in chunks]


@pytest.mark.parametrize(
    ("heading", "text"),
    [
        ("# About C#", "About C#"),
        ("# Closed ##", "Closed"),
        ("#\tTab", "Tab"),
        ("# Ends in CR\r", "Ends in CR"),
        ("Under\n=====", "Under"),
        ("Under\n---", "Under"),
    ],
)
def test_headings_of_every_form(heading: str, text: str) -> None:
    """Closing marks count only after a space; underlines need three characters."""
    assert text == markdown(f"{heading}\n\nProse.\n")[0].name


@pytest.mark.parametrize(
    "line", ["#no-space", "a # b", "####### seven", "    # code", "- item\n---", "> quote\n---", "a\n=="]
)
def test_what_looks_like_a_heading_and_is_none(line: str) -> None:
    """The lines stay in one section named after the file."""
    assert ["guide"] == [c.name for c in markdown(f"{line}\nx\n")]


@pytest.mark.parametrize("fence", ["```", "~~~", "````"])
def test_headings_in_fenced_code_are_none(fence: str) -> None:
    """A comment in a shell example starts no section; the text after the fence goes on."""
    chunks = markdown(f"# A\n{fence}sh\n# not a heading\n{fence}\n---\n\n# B\n")
    assert ["A", "B"] == [c.name for c in chunks]
    assert [(1, 5), (7, 7)] == [(c.start_line, c.end_line) for c in chunks]


def test_a_heading_of_nothing_but_punctuation_still_makes_an_id() -> None:
    """It has no anchor, and goes by the file's."""
    assert ["__module__"] == [c.qualname for c in markdown("# ***\n\ntext\n")]


def test_a_heading_line_of_any_length_is_read_in_linear_time() -> None:
    """Many blanks in one heading cost no more than many letters."""
    started = time.process_time()
    chunks = markdown("# a" + " " * 1_000_000 + "b\n")
    assert 1 == len(chunks)
    assert time.process_time() - started < 2


# --- text ------------------------------------------------------------------------------------------------------------


def test_text_is_cut_at_blank_lines_where_it_can_be() -> None:
    """Windows of about forty lines; a paragraph is not torn apart."""
    chunks = text("".join("a line\n" * 9 + "\n" for _ in range(20)))
    assert all(c.end_line % 10 == 9 for c in chunks)
    assert all(WINDOW_LINES // 2 < c.end_line - c.start_line + 1 <= WINDOW_LINES * 3 // 2 for c in chunks[:-1])
    assert {"__text__"} == {c.qualname for c in chunks}


def test_a_window_of_long_lines_is_short() -> None:
    """Bytes limit a window before lines do; one line is never torn."""
    chunks = text(("x" * 2_500 + "\n") * 10 + "y" * 20_000 + "\n")
    assert [2, 2, 2, 2, 2, 1] == [c.end_line - c.start_line + 1 for c in chunks]


def test_the_title_of_a_window_is_its_first_line_that_says_something() -> None:
    """Rules and brackets are passed over; a long line is cut."""
    assert "name: x" == text("-----\n{\n  name: x\n")[0].signature
    assert "-----" == text("-----\n")[0].signature
    assert "a" * 119 + "…" == text("a" * 500)[0].signature


def test_front_matter_is_no_heading() -> None:
    """The line before the closing `---` is not underlined by it."""
    chunks = chunk_markdown(b"---\ntitle: A page\ntags: x\n---\n\n# Real\n\ntext\n", "a.md")
    assert [("__module__", 1), ("real", 6)] == [(c.qualname, c.start_line) for c in chunks]
