"""The pack in use: taken into the index beside the tree, never over it, and written so that it can be read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import SegmentOnDisk, WordCounter

from ctx.application.context_pack import PackState, PackSync, build_pack, index_digest, load_pack, pack_text
from ctx.application.get import Get, GetRequest
from ctx.application.search import SearchRequest, search
from ctx.domain.chunk_ids import digest_of
from ctx.domain.context_pack import PackMalformedError, read_pack
from ctx.domain.errors import NotFoundError
from ctx.domain.index_records import PACK_PATH
from ctx.infrastructure.ast_lsp import SkeletonMapBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Packed(SegmentOnDisk):
    """A segment with a pack."""

    def sync(self) -> PackState | None:
        """Refresh the index and take the pack in, as every command does."""
        report = self.refresh()
        use_case = PackSync(self.files, self.store, WordCounter(), lambda: self.files.stat(PACK_PATH.encode()))
        return use_case(
            tree_changed=report.did_anything, paths_changed=bool(report.files_added or report.files_removed)
        )

    def put_pack(self, document: Any) -> None:
        self.put(PACK_PATH, document if isinstance(document, str) else json.dumps(document))

    def build(self) -> dict[str, Any]:
        return build_pack(self.files, self.store, self.clock, "seg", lambda _done, _total: None)

    def found(self, query: str) -> list[tuple[str, int, int]]:
        answer = search(SearchRequest(query), self.store, self.telemetry, self.clock)
        return [(hit.path, hit.start_line, hit.end_line) for hit in answer.hits]

    def get(self, target: str) -> str:
        builder = SkeletonMapBuilder()
        use_case = Get(
            self.files,
            self.files,
            self.store,
            WordCounter(),
            lambda path, source, language: builder.parse(source, path, language),
        )
        (item,) = use_case(GetRequest((target,), "raw")).items
        return item.text


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[Packed]:
    (tmp_path / "seg").mkdir()
    with Packed(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        opened.put("a.py", "def alpha():\n    return 'größe'\n\n\nX = 1\n")
        opened.put("docs/b.md", "# Beta\n\nText.\n")
        yield opened


def _chunk(path: str, text: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "text": text, **more}


def test_without_a_pack_there_is_no_state(segment: Packed) -> None:
    """And nothing is written for it."""
    assert segment.sync() is None
    assert "" == segment.store.meta("pack")


def test_a_hand_made_pack_adds_what_the_tree_has_not(segment: Packed) -> None:
    """Found, shown and handed on like a file's; a file of the tree beats it."""
    segment.put_pack(
        {"chunks": [_chunk("wiki/deploy.md", "Deploy with care.\nTwice.\n", start_line=7), _chunk("a.py", "zulu")]}
    )
    state = segment.sync()
    assert state is not None
    assert (16, False) == (len(state.sha), state.is_stale)
    assert [("wiki/deploy.md", 7, 8)] == segment.found("deploy")
    assert [] == segment.found("zulu")
    hit = search(SearchRequest("deploy"), segment.store, segment.telemetry, segment.clock).hits[0]
    assert hit.id.endswith("@" + digest_of(b"Deploy with care.\nTwice.\n"))
    assert "Deploy with care.\nTwice.\n" == segment.get(hit.id) == segment.get("wiki/deploy.md")
    assert "ok" == segment.store.check()


def test_a_path_that_appears_or_goes_moves_between_pack_and_tree(segment: Packed) -> None:
    """The tree's file while it is there, the pack's word for it else."""
    segment.put_pack({"chunks": [_chunk("late.md", "packed words")]})
    segment.sync()
    segment.put("late.md", "# Real\n")
    segment.sync()
    assert ([], [("late.md", 1, 1)]) == (segment.found("packed"), segment.found("real"))
    segment.delete("late.md")
    segment.sync()
    assert ([("late.md", 1, 1)], []) == (segment.found("packed"), segment.found("real"))


def test_a_pack_is_read_again_only_when_it_or_the_paths_changed(segment: Packed) -> None:
    """What is known of it is remembered in the index."""
    segment.put_pack({"chunks": [_chunk("x.md", "one")]})
    first = segment.sync()
    segment.telemetry.events.clear()
    segment.put("a.py", "def alpha(): pass\n")
    assert first == segment.sync()
    assert [] == segment.telemetry.named("file.read")
    segment.put_pack({"chunks": [_chunk("x.md", "two")]})
    second = segment.sync()
    assert second is not None
    assert first is not None
    assert first.sha != second.sha
    assert ([], [("x.md", 1, 1)]) == (segment.found("one"), segment.found("two"))
    segment.delete(PACK_PATH)
    assert segment.sync() is None
    assert [] == segment.found("two")


def test_a_broken_pack_is_refused_and_what_it_gave_is_taken_out(segment: Packed) -> None:
    """Until it is mended."""
    segment.put_pack({"chunks": [_chunk("x.md", "words")]})
    segment.sync()
    for broken in ("{", "[" * 100_000, '{"chunks": 3}', "\0"):
        segment.put_pack(broken)
        with pytest.raises(PackMalformedError):
            segment.sync()
        assert [] == segment.found("words")
    segment.put_pack({"chunks": [_chunk("x.md", "words")]})
    segment.sync()
    assert [("x.md", 1, 1)] == segment.found("words")


def test_ids_of_a_pack_are_readable_whatever_its_names(segment: Packed) -> None:
    """Marks that would take an id apart are replaced; two that then are equal are twins."""
    segment.put_pack(
        {
            "chunks": [
                _chunk("w.md", "same", name="a b"),
                _chunk("w.md", "same", name="a#b"),
                _chunk("w.md", "other\ud800", name="@\n"),
            ]
        }
    )
    segment.sync()
    ids = [hit.id for hit in search(SearchRequest("same"), segment.store, segment.telemetry, segment.clock).hits]
    digest = digest_of(b"same")
    assert {f"w.md#a-b@{digest}", f"w.md#a-b@{digest}~2"} == set(ids)
    assert ["same", "same"] == [segment.get(chunk_id) for chunk_id in ids]
    assert [("w.md", 1, 1)] == segment.found("other")


def test_a_built_pack_holds_every_chunk_and_is_read_back(segment: Packed) -> None:
    """Ids, lines and texts are those of the index; its own pack is no part of it."""
    segment.put("latin.py", "NAME = 'ä'\n".encode("latin-1"))
    segment.put_pack({"chunks": [_chunk("wiki.md", "packed")]})
    segment.sync()
    document = json.loads(json.dumps(segment.build()))
    pack = read_pack(document, "pack")
    assert index_digest(segment.store) == pack.tree_digest
    assert ["a.py", "a.py", "docs/b.md", "latin.py"] == [chunk.path for chunk in pack.chunks]
    for chunk, entry in zip(pack.chunks, document["chunks"], strict=True):
        assert chunk.own_id == entry["id"]
        assert chunk.text == segment.get(chunk.own_id)
        assert chunk.own_id.endswith(digest_of(chunk.text.encode()))
    assert "NAME = 'ä'\n" == pack.chunks[-1].text


def test_a_pack_of_this_tree_adds_nothing_and_is_stale_after_a_change(segment: Packed) -> None:
    """Deleted files do not come back out of it."""
    segment.sync()
    segment.put_pack(segment.build())
    state = segment.sync()
    assert state is not None
    assert not state.is_stale
    before = segment.store.facts().chunks
    segment.put("c.py", "def gamma(): pass\n")
    state = segment.sync()
    assert state is not None
    assert state.is_stale
    segment.delete("docs/b.md")
    state = segment.sync()
    assert state is not None
    assert state.is_stale
    assert [] == segment.found("beta")
    assert before == segment.store.facts().chunks
    segment.put_pack(segment.build())
    state = segment.sync()
    assert state is not None
    assert not state.is_stale


def test_a_pack_of_another_tree_is_a_source(segment: Packed) -> None:
    """None of its files are here: it is a snapshot of somewhere else."""
    segment.sync()
    document = segment.build()
    segment.delete("a.py")
    segment.delete("docs")
    segment.put("c.py", "def gamma(): pass\n")
    segment.put_pack(document)
    segment.sync()
    assert [("a.py", 1, 2)] == segment.found("alpha")


def test_the_text_of_a_chunk_that_left_the_pack_is_not_found(segment: Packed) -> None:
    """Somebody edited the pack since."""
    document = json.dumps({"chunks": [_chunk("w.md", "text")]})
    assert "text" == pack_text(document, "w.md", digest_of(b"text"))
    for path, digest in (("w.md", "00000000"), ("v.md", digest_of(b"text"))):
        with pytest.raises(NotFoundError, match=r"not in _ctx/context_pack\.json any more"):
            pack_text(document, path, digest)
    with pytest.raises(NotFoundError):
        load_pack(segment.files)
