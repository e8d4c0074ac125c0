"""Focus: what a person typed becomes files, and files become near."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.application.navigable_segment import NavigableSegment

from ctx.application.focus import focus_files, nearest_paths, nearness
from ctx.domain.errors import CtxError, NotFoundError, OutsideSegmentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {
    "shop/base.py": "class Base: ...\n",
    "shop/cart.py": "from .base import Base\n",
    "shop/jobs.py": "from .cart import Base\nfrom . import cart\n",
    "shop/far.py": "from .jobs import Base\n",
    "shop/loop.py": "from .cart import Base\n",
    "notes.txt": "words\n",
}


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[NavigableSegment]:
    (tmp_path / "seg").mkdir()
    with NavigableSegment(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        yield opened.fill(FILES)


@pytest.mark.parametrize(
    ("focus", "expected"),
    [
        ((), {}),
        (("notes.txt",), {"notes.txt": 1.0}),
        (
            ("shop/cart.py",),
            {"shop/cart.py": 1.0, "shop/base.py": 0.5, "shop/jobs.py": 0.5, "shop/loop.py": 0.5},
        ),
        (
            ("shop/cart.py", "shop/base.py"),
            {"shop/cart.py": 1.0, "shop/base.py": 1.0, "shop/jobs.py": 0.5, "shop/loop.py": 0.5},
        ),
        (
            ("shop/far.py", "shop/base.py"),
            {"shop/far.py": 1.0, "shop/base.py": 1.0, "shop/jobs.py": 0.5, "shop/cart.py": 0.5},
        ),
    ],
)
def test_one_step_of_imports_is_near(
    segment: NavigableSegment, focus: tuple[str, ...], expected: dict[str, float]
) -> None:
    """In either direction; a focus file stays one when another imports it; two steps are far."""
    assert expected == nearness(focus, segment.store, segment.modules)


def test_what_was_typed_is_found_as_the_index_spells_it(segment: NavigableSegment) -> None:
    """Each file once, in the order given."""
    typed = ("./shop/cart.py", "shop/../notes.txt", str(segment.root / "shop/cart.py"))
    assert ("shop/cart.py", "notes.txt") == focus_files(typed, FILES, segment.files)


@pytest.mark.parametrize(
    ("typed", "error", "message"),
    [
        ("shop", UsageError, "--focus shop: not an indexed file; give a file as `ctx search` prints it"),
        ("shop/crat.py", NotFoundError, "shop/crat.py: no such file or folder here; the nearest: shop/cart.py"),
        ("jbos.py", NotFoundError, "the nearest: shop/jobs.py"),
        ("q" * 40, NotFoundError, "no such file"),
        ("../x.py", OutsideSegmentError, "outside the segment"),
    ],
)
def test_what_is_no_file_is_said(segment: NavigableSegment, typed: str, error: type[CtxError], message: str) -> None:
    """One line with what comes close, where something does."""
    with pytest.raises(error) as caught:
        focus_files((typed,), FILES, segment.files)
    assert message in str(caught.value)


def test_nearest_paths_may_be_folders() -> None:
    """By the whole path first, by its last part when that is nothing like one."""
    assert ["shop/"] == nearest_paths("shp/", ["shop/very/long/names/of/files.py"])
    assert ["a/b/c/d/e/cart.py"] == nearest_paths("kart.py", ["a/b/c/d/e/cart.py"])
    assert [] == nearest_paths("kart.py", [])
