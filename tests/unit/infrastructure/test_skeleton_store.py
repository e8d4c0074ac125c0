"""Cached skeletons: what is put comes back equal, what cannot be read is a miss."""

from __future__ import annotations

import json
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import python_sources

from ctx.domain.symbols import Definition, ImportStatement, SkeletonMap
from ctx.infrastructure.ast_lsp import SkeletonMapBuilder
from ctx.infrastructure.index_store import IndexStore
from ctx.infrastructure.skeleton_store import IndexedSkeletons, decode_skeleton, encode_skeleton

if TYPE_CHECKING:
    from pathlib import Path

_texts = st.text(max_size=8)
_numbers = st.integers(0, 2**40)
_definitions = st.builds(
    Definition, _texts, _texts, _texts, _texts, st.lists(_texts).map(tuple), _texts,
    _numbers, _numbers, _numbers, _numbers, _numbers, st.integers(-1, 9),
)  # fmt: skip
_imports = st.builds(ImportStatement, _texts, st.lists(_texts).map(tuple), _numbers, _numbers)
_skeletons = st.builds(
    SkeletonMap, _texts, _texts, st.sampled_from(["ok", "partial", "failed"]),
    st.lists(_definitions, max_size=3).map(tuple), st.lists(_imports, max_size=3).map(tuple), _numbers, _texts,
)  # fmt: skip


@given(_skeletons)
def test_every_skeleton_comes_back_equal(skeleton: SkeletonMap) -> None:
    """Whatever its texts hold, lone surrogates too."""
    assert skeleton == decode_skeleton(encode_skeleton(skeleton))


@given(python_sources())
def test_a_parsed_skeleton_comes_back_equal(source: str) -> None:
    """Types as well: tuples stay tuples."""
    skeleton = SkeletonMapBuilder().parse_python(source, "a.py")
    assert repr(skeleton) == repr(decode_skeleton(encode_skeleton(skeleton)))


@given(st.binary() | st.binary().map(zlib.compress))
def test_bytes_that_are_no_skeleton_are_none(payload: bytes) -> None:
    """Garbage, compressed or not."""
    assert decode_skeleton(payload) is None


@pytest.mark.parametrize(
    "document",
    [
        None,
        3,
        {},
        [],
        ["a.py", "python", "ok", [], [], 1],
        ["a.py", "python", "ok", [["too", "short"]], [], 1, ""],
        ["a.py", "python", "ok", [5], [], 1, ""],
        ["a.py", "python", "ok", [], [["text"]], 1, ""],
        ["a.py", "python", "ok", None, [], 1, ""],
    ],
)
def test_json_of_another_form_is_none(document: object) -> None:
    """A cache written by another version is a miss, not a crash."""
    assert decode_skeleton(zlib.compress(json.dumps(document).encode())) is None


def test_the_index_keeps_skeletons_by_key(tmp_path: Path) -> None:
    """Also for the next process; a damaged entry is a miss."""
    skeleton = SkeletonMapBuilder().parse_python("def f(): pass\n", "a.py")
    path = str(tmp_path / "index.db")
    with IndexStore(path) as store:
        IndexedSkeletons(store).put("key", skeleton)
        assert IndexedSkeletons(store).get("other") is None
    with IndexStore(path) as store:
        cache = IndexedSkeletons(store)
        assert skeleton == cache.get("key")
        assert cache.get("key") is cache.get("key"), "what is asked for again is not decoded again"
        store.put_cached("key", b"garbage")
        assert cache.get("key") is None
