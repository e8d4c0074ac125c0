"""From a file to its record: every kind of file, and what it is found by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import RecordingTelemetry, WordCounter

from ctx.domain.chunk_ids import digest_of
from ctx.infrastructure.ast_lsp import ParseDeadlineError, SkeletonMapBuilder
from ctx.infrastructure.file_indexer import FileIndexer
from ctx.infrastructure.file_system import FileSystemAdapter

if TYPE_CHECKING:
    from pathlib import Path

    from ctx.domain.index_records import FileRecord


class Files:
    """A directory and the records of what is in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def record(self, name: str, content: bytes | str, **options: Any) -> FileRecord:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self.index(name, **options)

    def index(self, name: str, **options: Any) -> FileRecord:
        adapter = FileSystemAdapter(str(self.root), telemetry=RecordingTelemetry(), max_file_bytes=100_000)
        return FileIndexer(adapter, WordCounter(), **options).index(name.encode("utf-8", "surrogateescape"))


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def test_a_source_file_has_its_definitions_as_chunks(files: Files) -> None:
    """What the store, the ranking and the report need, and the times of the very file that was read."""
    source = "LIMIT = 1\n\n\ndef getUser(a):\n    '''Find one.'''\n    return load_config(a)\n"
    record = files.record("pkg/userStore.py", source)
    found = (files.root / "pkg/userStore.py").stat()
    assert (b"pkg/userStore.py", "pkg/userStore.py", len(source), found.st_mtime_ns) == record[:4]
    assert ("python", "ok", "", "utf-8", 6, False) == (
        record.language,
        record.status,
        record.reason,
        record.encoding,
        record.lines,
        record.generated,
    )
    assert (1, 0, len(source)) == (record.functions, record.classes, record.read_bytes)
    assert record.parse_ns > 0
    module, function = record.chunks
    assert ("module", "LIMIT", 3) == (module.kind, module.names, module.snippet_tokens)
    assert ("getUser", "def getUser(a)", "Find one.", 4, 6) == (
        function.name,
        function.signature,
        function.doc,
        function.start_line,
        function.end_line,
    )
    text = "def getUser(a):\n    '''Find one.'''\n    return load_config(a)\n"
    assert (digest_of(text.encode()), len(text.split())) == (function.digest, function.tokens)
    assert record.tokens == sum(row.tokens for row in record.chunks)


def test_terms_hold_names_places_heads_and_bodies(files: Files) -> None:
    """Identifiers whole and in parts; the path counts for every chunk, the class for its methods."""
    body = "        x = readAll()\n" * 40
    record = files.record("pkg/userStore.py", f"class BigClass:\n    def getUser(self):\n{body}")
    (terms,) = [t for row, t in zip(record.chunks, record.terms, strict=True) if row.name == "getUser"]
    assert {"getUser", "get", "user"} == set(terms.name.split())
    assert {"pkg/userStore", "user", "store", "BigClass", "big", "class"} == set(terms.scope.split())
    assert {"getUser(self)", "get", "user"} <= set(terms.head.split())
    assert {"readAll()", "read", "all"} <= set(terms.body.split())


@pytest.mark.parametrize(
    ("name", "content", "language", "kinds"),
    [
        ("a.md", "# A\n\n## B\n", "markdown", ["section", "section"]),
        ("a.txt", "plain words\n", "text", ["text"]),
        ("Makefile", "all:\n\ttrue\n", "text", ["text"]),
        ("a.py", "", "python", []),
        ("empty.txt", "\n\n", "text", []),
    ],
)
def test_other_kinds_of_text(files: Files, name: str, content: str, language: str, kinds: list[str]) -> None:
    """Sections, windows, and nothing out of nothing."""
    record = files.record(name, content)
    assert (language, kinds, "ok") == (record.language, [row.kind for row in record.chunks], record.status)
    assert content.count("\n") == record.lines


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.bin", b"\0\1", "binary"),
        ("big.txt", b"x\n" * 60_000, "larger than 100000 bytes"),
        ("x.min.js", b"var a=1;" * 5000, "minified"),
        (".env", b"KEY=1", "secrets file"),
    ],
)
def test_what_is_not_indexed_is_a_record_with_its_reason(files: Files, name: str, content: bytes, reason: str) -> None:
    """So that it is not looked at again until it changes."""
    record = files.record(name, content)
    assert ("skipped", (), (), "", 0) == (record.status, record.chunks, record.terms, record.content_sha, record.tokens)
    assert reason in record.reason
    assert (len(content), (files.root / name).stat().st_mtime_ns) == (record.size_bytes, record.mtime_ns)


def test_a_file_that_is_gone_is_a_record_without_times(files: Files) -> None:
    """The next look finds it removed."""
    record = files.index("gone.py")
    assert ("skipped", 0, 0) == (record.status, record.size_bytes, record.mtime_ns)


def test_a_broken_file_is_partial(files: Files) -> None:
    """What was recovered is indexed."""
    record = files.record("a.py", "def f(:\n    pass\n\n\ndef g(): pass\n")
    assert ("partial", "syntax errors") == (record.status, record.reason)
    assert "g" in {row.name for row in record.chunks}


def test_a_file_past_its_deadline_is_indexed_as_text(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """It stays findable, and the reason is kept."""

    def too_late(*_arguments: object) -> None:
        raise ParseDeadlineError("a.py: parsing took longer than 5 s")

    monkeypatch.setattr(SkeletonMapBuilder, "extract", too_late)
    record = files.record("a.py", "def f(): pass\n")
    assert ("failed", "parsing took longer than 5 s") == (record.status, record.reason)
    assert ["text"] == [row.kind for row in record.chunks]
    assert record.parse_ns > 0


def test_lines_and_bytes_are_those_of_the_decoded_text(files: Files) -> None:
    """Latin letters take two bytes in UTF-8, a byte order mark none, CRLF both of its own."""
    record = files.record("a.py", "# ä\r\ndef f():\r\n    pass".encode("latin-1"))
    assert ("latin-1", 3) == (record.encoding, record.lines)
    utf8 = "# ä\r\ndef f():\r\n    pass".encode()
    assert len(utf8) == record.chunks[-1].end_byte
    assert digest_of(utf8[record.chunks[-1].start_byte :]) == record.chunks[-1].digest
    marked = files.record("b.py", b"\xef\xbb\xbfdef f(): pass\n")
    assert ("utf-8-sig", 0, 14) == (marked.encoding, marked.chunks[0].start_byte, marked.chunks[0].end_byte)
    assert 17 == marked.size_bytes


def test_names_that_are_no_text_are_indexed_by_their_shown_form(files: Files) -> None:
    """The bytes are kept beside it."""
    record = files.record("bad\udcff.py", "def f(): pass\n")
    assert (b"bad\xff.py", r"bad\xff.py") == (record.os_path, record.path)


def test_generated_files_are_marked(files: Files) -> None:
    """By what their head says."""
    assert files.record("a.py", "# @generated by x\n\nX = 1\n").generated


def test_skeletons_are_measured_when_asked_for(files: Files) -> None:
    """At the full telemetry level; printing costs."""
    source = "def f():\n    return 1\n"
    assert 0 == files.record("a.py", source).skeleton_bytes
    assert len("def f():  # L1-2") == files.record("a.py", source, with_skeleton_size=True).skeleton_bytes


def test_a_directory_with_a_files_name_is_skipped(files: Files) -> None:
    """It was a file when the tree was walked."""
    (files.root / "dir.py").mkdir()
    record = files.index("dir.py")
    assert ("skipped", "not a regular file") == (record.status, record.reason)


def test_a_file_that_must_not_be_parsed_is_indexed_by_its_words(files: Files) -> None:
    """Text, with why; what it is written in is known all the same."""
    (files.root / "a.py").write_text("def alpha():\n    return beta\n")
    adapter = FileSystemAdapter(str(files.root), telemetry=RecordingTelemetry())
    record = FileIndexer(adapter, WordCounter()).index_as_text(b"a.py", "the parser crashed on it")
    assert ("python", "failed", "the parser crashed on it", 0) == (
        record.language,
        record.status,
        record.reason,
        record.functions,
    )
    assert ["text"] == [chunk.kind for chunk in record.chunks]
    assert "alpha" in record.terms[0].body
    assert () == record.definitions
    gone = FileIndexer(adapter, WordCounter()).index_as_text(b"gone.py", "the parser crashed on it")
    assert ("skipped", "gone") == (gone.status, gone.reason)


def _notebook(*sources: str) -> str:
    figure = {"output_type": "display_data", "data": {"image/png": "iVBOR" * 4_000}}
    cells = [
        {"cell_type": "code", "outputs": [figure], "source": source.splitlines(keepends=True)} for source in sources
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4}, indent=1) + "\n"


def test_a_notebook_is_a_chunk_a_cell(files: Files) -> None:
    """A cell goes by what it declares; outputs are not among the terms, however long their lines."""
    text = _notebook("import os\n", "%time\nclass Model:\n    def fit(self):\n        pass\n\nLIMIT = 3\n")
    record = files.record("study.ipynb", text)
    assert ("notebook", "ok", "", text.count("\n")) == (record.language, record.status, record.reason, record.lines)
    assert [("section", "cell", "import os"), ("section", "Model", "class Model")] == [
        (chunk.kind, chunk.qualname, chunk.signature) for chunk in record.chunks
    ]
    assert "Model LIMIT" == record.chunks[1].names
    rows = text.split("\n")
    assert '"source": [' in rows[record.chunks[1].start_line - 1]
    assert "LIMIT = 3" in rows[record.chunks[1].end_line - 1]
    assert not any("iVBOR" in " ".join(terms) for terms in record.terms)


def test_a_notebook_that_cannot_be_parsed_keeps_its_cells(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """A parser that gives up costs the names."""

    def late(*_arguments: object) -> None:
        raise ParseDeadlineError("too long")

    monkeypatch.setattr(SkeletonMapBuilder, "extract", late)
    record = files.record("study.ipynb", _notebook("def alpha():\n    pass\n"))
    assert ("ok", ["cell"]) == (record.status, [chunk.qualname for chunk in record.chunks])


def test_a_broken_notebook_is_text_with_the_reason(files: Files) -> None:
    """As it stands in the file."""
    record = files.record("torn.ipynb", '{"cells": [{"source": ["alpha = 1"')
    assert ("notebook", "failed", ["text"]) == (record.language, record.status, [c.kind for c in record.chunks])
    assert record.reason.startswith("not a notebook: no JSON (")
    assert "alpha" in record.terms[0].body
