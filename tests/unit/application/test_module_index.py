"""Modules and imports of an index: what manifests name, what is read again and when, what is read back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes import SegmentOnDisk

from ctx.application.module_index import import_edges, module_map

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ctx.domain.module_map import ModuleMap


class Mapped(SegmentOnDisk):
    """A segment that counts the manifests read and the module maps made for it."""

    def __init__(self, root: Path, index_path: Path) -> None:
        super().__init__(root, index_path)
        self.manifests_read: list[str] = []
        self.maps_made = 0

    def modules(self) -> ModuleMap:
        self.maps_made += 1
        return module_map(self.store, self._read, segment_name="seg")

    def _read(self, path: str) -> str | None:
        self.manifests_read.append(path)
        full = self.root / path
        return full.read_text() if full.exists() else None


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[Mapped]:
    (tmp_path / "seg").mkdir()
    with Mapped(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        opened.put("backend/go.mod", "module example.org/shop\n")
        opened.put("backend/cart/cart.go", 'package cart\n\nimport "example.org/shop/session"\n')
        opened.put("backend/session/session.go", "package session\n")
        opened.put("web/package.json", '{"name": "@shop/web", "main": "src/main.ts"}')
        opened.put("web/src/main.ts", "export const main = 1\n")
        opened.put("app.py", "import jobs\nfrom jobs import run, stop\n")
        opened.put("jobs.py", "def run(): ...\n\n\ndef stop(): ...\n")
        opened.refresh()
        yield opened


def test_manifests_name_what_paths_do_not(segment: Mapped) -> None:
    """A module's own name and a package's lead to their files, beside what paths tell."""
    modules = segment.modules()
    assert ("backend/session/session.go",) == modules.files_of("example.org/shop/session", "go", "backend/cart/cart.go")
    assert ("web/src/main.ts",) == modules.files_of("@shop/web", "typescript", "other/x.ts")
    assert ("jobs.py",) == modules.files_of("jobs", "python", "app.py")


def test_a_manifest_is_read_again_only_when_it_changed(segment: Mapped) -> None:
    """Not for another map, not for a change elsewhere, and alone when it is the one that changed."""
    segment.modules()
    assert ["backend/go.mod", "web/package.json"] == segment.manifests_read
    segment.put("jobs.py", "def run(): ...\n")
    segment.refresh()
    segment.modules()
    assert 2 == len(segment.manifests_read)
    segment.put("backend/go.mod", "module example.org/store\n")
    segment.refresh()
    modules = segment.modules()
    assert ["backend/go.mod"] == segment.manifests_read[2:]
    assert ("backend/session/session.go",) == modules.files_of(
        "example.org/store/session", "go", "backend/cart/cart.go"
    )
    assert ("web/src/main.ts",) == modules.files_of("@shop/web", "typescript", "other/x.ts")


def test_a_manifest_that_is_gone_is_asked_for_again(segment: Mapped) -> None:
    """It names nothing, and that is not kept: the next refresh knows better."""
    (segment.root / "backend/go.mod").rename(segment.root / "aside")
    assert () == segment.modules().files_of("example.org/shop/session", "go", "elsewhere/x.go")
    (segment.root / "aside").rename(segment.root / "backend/go.mod")
    assert segment.modules().files_of("example.org/shop/session", "go", "elsewhere/x.go")


@pytest.mark.parametrize("payload", [b"damaged", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_what_cannot_be_read_back_is_made_again(segment: Mapped, payload: bytes) -> None:
    """A damaged payload costs time and nothing else."""
    first = import_edges(segment.store, segment.modules)
    for key in ("modules.roots", "modules.edges"):
        segment.store.put_cached(key, payload)
    assert first == import_edges(segment.store, segment.modules)
    assert 4 == len(segment.manifests_read)


def test_edges_are_kept_until_the_index_changes(segment: Mapped) -> None:
    """Read back they are what they were, counts included, and no module map is made for them."""
    first = import_edges(segment.store, segment.modules)
    assert {
        "app.py": {"jobs.py": 3},
        "backend/cart/cart.go": {"backend/session/session.go": 1},
    } == first
    assert first == import_edges(segment.store, segment.modules)
    assert 1 == segment.maps_made
    segment.put("app.py", "x = 1\n")
    segment.refresh()
    assert {"backend/cart/cart.go": {"backend/session/session.go": 1}} == import_edges(segment.store, segment.modules)
    assert 2 == segment.maps_made


def test_an_index_without_manifests_keeps_nothing(tmp_path: Path) -> None:
    """Nothing is read or written for what is not there."""
    (tmp_path / "seg").mkdir()
    with Mapped(tmp_path / "seg", tmp_path / "index/index.db") as segment:
        segment.put("a.py", "x = 1\n")
        segment.refresh()
        assert "a" == segment.modules().module_of("a.py", "python")
        assert ([], None) == (segment.manifests_read, segment.store.cached("modules.roots"))
        assert {} == import_edges(segment.store, segment.modules) == import_edges(segment.store, segment.modules)
