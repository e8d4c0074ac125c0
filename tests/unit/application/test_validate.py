"""Validating: nothing to say about what is true, and every way of being out of date is named."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import SegmentOnDisk, WordCounter

from ctx.application.context_pack import PackSync, build_pack
from ctx.application.validate import validate
from ctx.domain.index_records import PACK_PATH

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Validated(SegmentOnDisk):
    """A segment that is checked."""

    def problems(self) -> list[tuple[str, str]]:
        return [(found["kind"], found["message"]) for found in validate(self.store, self.files, self.files)]

    def kinds(self) -> list[str]:
        return [kind for kind, _message in self.problems()]

    def put_pack(self, document: Any) -> None:
        self.put(PACK_PATH, document if isinstance(document, str) else json.dumps(document))

    def build(self) -> None:
        self.refresh()
        self.put_pack(build_pack(self.files, self.store, self.clock, "seg", lambda _done, _total: None))


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[Validated]:
    (tmp_path / "seg/_ctx").mkdir(parents=True)
    with Validated(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        opened.put("a.py", "def alpha(): pass\n")
        opened.put("b.bin", b"\0")
        yield opened


def test_without_an_index_nothing_is_valid(segment: Validated) -> None:
    """The one problem says what to run."""
    assert [("index", "there is no complete index; run `ctx index`")] == segment.problems()


def test_what_is_up_to_date_has_no_problems(segment: Validated) -> None:
    """With and without a pack, skipped files included."""
    segment.refresh()
    assert [] == segment.problems()
    segment.build()
    assert [] == segment.problems()


def test_every_kind_of_change_makes_the_index_stale(segment: Validated) -> None:
    """Edits, new files, deleted ones and touched ones; validating changes nothing about it."""
    segment.refresh()
    for change in (
        lambda: segment.put("a.py", "def beta(): pass\n"),
        lambda: segment.put("new.py", "x = 1\n"),
        lambda: segment.delete("new.py"),
        lambda: segment.touch("a.py"),
        lambda: segment.put(".gitignore", "a.py\n"),
    ):
        change()
        assert ["index"] == segment.kinds() == segment.kinds()
        segment.refresh()
        assert [] == segment.problems()


def test_a_long_list_of_changes_is_cut(segment: Validated) -> None:
    """Five names and the number of the others."""
    segment.refresh()
    for at in range(8):
        segment.put(f"f{at}.py", "x = 1\n")
    ((_kind, message),) = segment.problems()
    assert "stale: f0.py, f1.py, f2.py, f3.py, f4.py and 3 more changed; run `ctx index`" == message


def test_a_damaged_index_is_named(segment: Validated) -> None:
    """And not trusted for anything else."""
    segment.refresh()
    segment.store._execute("DELETE FROM chunks")
    ((kind, message),) = segment.problems()
    assert "index" == kind
    assert message.startswith("damaged (")
    assert message.endswith("run `ctx index --rebuild`")


def test_a_pack_of_ctx_build_is_stale_after_any_change(segment: Validated) -> None:
    """Also when the index is up to date."""
    segment.build()
    segment.put("a.py", "def beta(): pass\n")
    segment.refresh()
    assert [("pack", f"{PACK_PATH} is stale: the files changed since; run `ctx build`")] == segment.problems()
    segment.build()
    assert [] == segment.problems()


def test_a_hand_made_pack_is_stale_where_the_tree_says_otherwise(segment: Validated) -> None:
    """Its text of a file that is in the tree has to stand there; other paths are its own."""
    segment.refresh()
    segment.put_pack({"chunks": [{"path": "a.py", "text": "def alpha(): pass\n"}, {"path": "wiki", "text": "w"}]})
    assert [] == segment.problems()
    segment.put_pack({"chunks": [{"path": "a.py", "text": "def beta(): pass\n"}, {"path": "wiki", "text": "w"}]})
    ((kind, message),) = segment.problems()
    assert ("pack", f"{PACK_PATH} is stale for a.py; write it anew") == (kind, message)


@pytest.mark.parametrize("content", ["{", "\0", '{"chunks": 1}', "[" * 100_000])
def test_a_pack_that_cannot_be_read_is_a_problem(segment: Validated, content: str) -> None:
    """It fails closed."""
    segment.refresh()
    segment.put_pack(content)
    assert ["pack"] == segment.kinds()


def test_an_edited_pack_of_ctx_build_is_a_problem(segment: Validated) -> None:
    """Its digest says so."""
    segment.build()
    document = json.loads((segment.root / PACK_PATH).read_text())
    document["chunks"][0]["text"] = "something else"
    segment.put_pack(document)
    ((kind, message),) = segment.problems()
    assert "pack" == kind
    assert '"digest"' in message


def test_a_packs_own_chunks_do_not_make_the_index_stale(segment: Validated) -> None:
    """They are in the index and not in the tree."""
    segment.put_pack({"chunks": [{"path": "wiki", "text": "w"}]})
    segment.refresh()
    sync = PackSync(segment.files, segment.store, WordCounter(), lambda: segment.files.stat(PACK_PATH.encode()))
    sync(tree_changed=True, paths_changed=True)
    assert 2 == segment.store.facts().files
    assert [] == segment.problems()
