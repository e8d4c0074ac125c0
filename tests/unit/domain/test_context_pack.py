"""Context packs: what is written is read back, and what is none is refused with key, expectation and finding."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.context_pack import (
    PACK_SCHEMA_VERSION,
    PackChunk,
    PackMalformedError,
    chunks_digest,
    pack_document,
    read_pack,
    tree_digest,
)

_texts = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
_words = st.text(alphabet="abc_/.", min_size=1, max_size=8)


@st.composite
def chunk_documents(draw: st.DrawFn) -> dict[str, Any]:
    path, name, start_line = draw(_words), draw(_words), draw(st.integers(1, 10**6))
    return {
        "id": f"{path}#{name}@{draw(st.integers(0, 2**32 - 1)):08x}",
        "path": path,
        "start_line": start_line,
        "end_line": start_line + draw(st.integers(0, 9)),
        "kind": draw(st.sampled_from(["function", "section"])),
        "name": name,
        "qualname": f"A.{name}",
        "signature": draw(_texts),
        "tokens": draw(st.integers(0, 99)),
        "text": draw(_texts),
    }


@given(st.lists(chunk_documents(), max_size=5), _words)
def test_a_written_pack_is_read_back(chunks: list[dict[str, Any]], segment: str) -> None:
    """Through JSON, with every chunk's id, place, names and text."""
    document = pack_document(segment, "2026-01-01T00:00:00.000+00:00", "tree", chunks)
    pack = read_pack(json.loads(json.dumps(document)), "pack")
    assert (segment, "2026-01-01T00:00:00.000+00:00", "tree") == (pack.segment, pack.created_at, pack.tree_digest)
    assert [
        PackChunk(c["id"], c["path"], c["kind"], c["name"], c["qualname"], c["text"], c["start_line"]) for c in chunks
    ] == list(pack.chunks)
    assert [c["id"] for c in chunks] == [entry["id"] for entry in document["index"]]
    assert all("text" not in entry for entry in document["index"])


def test_a_pack_made_by_hand_needs_little() -> None:
    """A text and a path, or an id that begins with one; the name is the title or the file's."""
    pack = read_pack(
        {
            "chunks": [
                {"path": "docs/a.md", "text": "A"},
                {"id": "b.md#x", "text": "B", "title": "About B", "kind": "note"},
                {"path": "c", "id": "own", "name": "C", "text": "", "start_line": 7, "unknown": [1]},
            ]
        },
        "pack",
    )
    assert (
        PackChunk("", "docs/a.md", "text", "a.md", "a.md", "A", 1),
        PackChunk("b.md#x", "b.md", "note", "About B", "About B", "B", 1),
        PackChunk("own", "c", "text", "C", "C", "", 7),
    ) == pack.chunks
    assert ("", "", "") == (pack.segment, pack.created_at, pack.tree_digest)


def test_names_of_a_pack_are_shown_on_one_line_and_can_be_stored() -> None:
    """Control characters and lone surrogates, which JSON can spell, are escaped in names and replaced in text."""
    (chunk,) = read_pack(
        json.loads(r'{"chunks": [{"path": "a\nb\ud800", "name": "n\u001b[31m", "text": "x\udfffy\n"}]}'), "pack"
    ).chunks
    assert (r"a\nb\xed\xa0\x80", r"n\x1b[31m", "x?y\n") == (chunk.path, chunk.name, chunk.text)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ([], "pack: a context pack is a JSON object, found a list"),
        ("x", "pack: a context pack is a JSON object, found a string"),
        (None, "pack: a context pack is a JSON object, found nothing"),
        (3, "pack: a context pack is a JSON object, found a number"),
        ({"schema_version": 2, "chunks": []}, 'pack: "schema_version" must be 1, found 2'),
        ({"schema_version": "1", "chunks": []}, "pack: \"schema_version\" must be 1, found '1'"),
        ({}, 'pack: "chunks" must be a list, found nothing'),
        ({"chunks": {}}, 'pack: "chunks" must be a list, found an object'),
        ({"chunks": [1]}, 'pack: "chunks" item 1 must be an object, found a number'),
        ({"chunks": [{"path": "a"}]}, 'pack: "chunks" item 1: "text" must be a string, found nothing'),
        ({"chunks": [{"path": "a", "text": 1}]}, 'pack: "chunks" item 1: "text" must be a string, found a number'),
        ({"chunks": [{"text": "a"}]}, 'pack: "chunks" item 1 needs a "path" or an "id"'),
        ({"chunks": [{"text": "a", "id": "#x"}]}, 'pack: "chunks" item 1 needs a "path" or an "id"'),
        (
            {"chunks": [{"path": "a", "text": ""}, {"path": "a", "text": "", "start_line": 0}]},
            'pack: "chunks" item 2: "start_line" must be an integer >= 1, found 0',
        ),
        (
            {"chunks": [{"path": "a", "text": "", "start_line": True}]},
            'pack: "chunks" item 1: "start_line" must be an integer >= 1, found True',
        ),
        (
            {"chunks": [{"path": "a", "text": "", "start_line": 10**30}]},
            'pack: "chunks" item 1: "start_line" must be an integer >= 1',
        ),
    ],
)
def test_what_is_no_pack_is_refused(document: Any, message: str) -> None:
    """The message names the place, what was expected and what was found, and ends with what to do."""
    with pytest.raises(PackMalformedError) as caught:
        read_pack(document, "pack")
    assert str(caught.value).startswith(message)
    assert str(caught.value).endswith("mend it or run `ctx build` to write a new one")


def test_a_pack_of_ctx_build_whose_text_was_edited_is_refused() -> None:
    """Its digest is over ids and texts; a hand-made pack carries no tree and is not checked."""
    chunk = {"id": "a#b@12345678", "path": "a", "start_line": 1, "end_line": 1, "kind": "k", "name": "b", "tokens": 1}
    document = pack_document("s", "", "tree", [chunk | {"text": "one"}])
    document["chunks"][0]["text"] = "two"
    with pytest.raises(PackMalformedError, match=r'"digest" is [0-9a-f]{12}… and its chunks give [0-9a-f]{12}…'):
        read_pack(document, "pack")
    assert "two" == read_pack(document | {"tree_digest": ""}, "pack").chunks[0].text
    assert PACK_SCHEMA_VERSION == document["schema_version"]


@given(st.lists(st.tuples(st.text(), st.text())), st.lists(st.tuples(st.text(), st.text())))
def test_digests_tell_different_chunks_apart(left: list[tuple[str, str]], right: list[tuple[str, str]]) -> None:
    """No two lists share one, wherever the border between id and text runs."""
    assert (left == right) == (chunks_digest(left) == chunks_digest(right))


@given(st.lists(st.tuples(st.text(), st.text()), unique=True), st.randoms(use_true_random=False))
def test_a_trees_digest_does_not_depend_on_the_order_of_files(files: list[tuple[str, str]], random: Any) -> None:
    """Equal trees have equal digests."""
    shuffled = files[:]
    random.shuffle(shuffled)
    assert tree_digest(files) == tree_digest(shuffled)
