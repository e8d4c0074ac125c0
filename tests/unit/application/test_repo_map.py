"""The map of a real folder: what is on it, what is read for it, and what it says when it is empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import SegmentOnDisk, WordCounter

from ctx.application import repo_map as repo_map_module
from ctx.application.module_index import module_map
from ctx.application.repo_map import RepoMapAnswer, RepoMapper, RepoMapRequest, file_ranks
from ctx.domain.errors import NotFoundError, OutsideSegmentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ctx.domain.module_map import ModuleMap


class Mapped(SegmentOnDisk):
    """A segment one can ask for maps; it remembers which files were read for them."""

    def __init__(self, root: Path, index_path: Path) -> None:
        super().__init__(root, index_path)
        self.words_read: list[str] = []
        self.progress: list[tuple[int, int]] = []

    def ask(self, *paths: str, budget: int = 1000, focus: tuple[str, ...] = ()) -> RepoMapAnswer:
        mapper = RepoMapper(
            self.files, self.store, WordCounter(), self.telemetry, self.clock, self._read, self._modules
        )
        request = RepoMapRequest(paths, budget, focus)
        return mapper(request, on_progress=lambda done, total: self.progress.append((done, total)))

    def names(self, *paths: str, **options: Any) -> list[str]:
        return [d.name for file in self.ask(*paths, **options).files for d in file.definitions]

    def _modules(self) -> ModuleMap:
        return module_map(self.store, lambda path: (self.root / path).read_text())

    def _read(self, path: str) -> str | None:
        self.words_read.append(path)
        full = self.root / path
        return full.read_text() if full.exists() else None


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[Mapped]:
    (tmp_path / "seg").mkdir()
    with Mapped(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        yield opened


@pytest.fixture
def shop(segment: Mapped) -> Mapped:
    """Two files that use a third, a test, and text."""
    segment.put("shop/session.py", "class SignedCookie:\n    def store_value(self):\n        return 1\n\n\nLIMIT = 3\n")
    segment.put(
        "shop/cart.py", "from .session import SignedCookie\n\n\ndef add_line():\n    SignedCookie().store_value()\n"
    )
    segment.put("shop/login.py", "from .session import SignedCookie\n\n\ndef log_in():\n    return SignedCookie()\n")
    segment.put("tests/test_cart.py", "from shop.cart import add_line\n\n\ndef test_add_line():\n    add_line()\n")
    segment.put("README.md", "# Shop\n\nSignedCookie and add_line.\n")
    segment.refresh()
    return segment


def test_what_others_lean_on_comes_first(shop: Mapped) -> None:
    """The file that two others import stands first; tests come last and text is not on the map."""
    answer = shop.ask()
    assert answer.text.startswith("shop/session.py\n 1 class SignedCookie\n  2 def store_value(self)\n 6 LIMIT = 3\n")
    assert ["shop/session.py", "shop/cart.py", "shop/login.py", "tests/test_cart.py"] == [f.path for f in answer.files]
    assert answer.files[0].rank > 1.0 > answer.files[-1].rank
    assert (4, 6, 6, False, "") == (
        answer.files_total,
        answer.definitions_total,
        answer.definitions_shown,
        answer.truncated,
        answer.reason,
    )
    assert len(answer.text.split()) == answer.total_tokens
    event = shop.telemetry.named("map.rank")[-1]
    assert ({"files": 4}, 6) == (event.args, event.result["definitions"])


def test_a_file_is_read_once_until_it_changes(shop: Mapped) -> None:
    """The first map reads every file with code, the second none, and after one edit one."""
    shop.ask()
    assert ["shop/cart.py", "shop/login.py", "shop/session.py", "tests/test_cart.py"] == shop.words_read
    assert [(1, 4), (2, 4), (3, 4), (4, 4)] == shop.progress
    first = shop.ask()
    assert 4 == len(shop.words_read)
    assert 1 == len(shop.telemetry.named("map.rank"))
    shop.put("shop/login.py", "from .cart import add_line\n\n\ndef log_in():\n    return add_line()\n")
    shop.refresh()
    assert first.files[0].rank > shop.ask().files[0].rank
    assert ["shop/login.py"] == shop.words_read[4:]


def test_a_map_from_the_cache_equals_the_first(shop: Mapped) -> None:
    """What is kept between runs draws the very same map, at any budget."""
    first = shop.ask(budget=12)
    assert first == shop.ask(budget=12)
    shop.store.put_cached("map.ranks", b"damaged")
    assert {} == file_ranks(shop.store)
    assert first.truncated


def test_a_damaged_cache_is_made_again(shop: Mapped, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be read back costs time and nothing else."""
    first = shop.ask()
    monkeypatch.setattr(type(shop.store), "cached", lambda _store, _key: b"damaged")
    assert first == shop.ask()


def test_a_budget_beyond_what_is_kept_is_filled_from_everything(shop: Mapped, monkeypatch: pytest.MonkeyPatch) -> None:
    """When the kept definitions end before the budget does, the rest is fetched."""
    everything = shop.ask()
    monkeypatch.setattr(repo_map_module, "KEPT_DEFINITIONS", 1)
    shop.put("shop/more.py", "def more_of_it():\n    pass\n")
    shop.refresh()
    assert everything.definitions_shown + 1 == shop.ask().definitions_shown
    assert 1 == shop.ask(budget=4).definitions_shown


def test_ranks_are_there_for_a_search_after_a_map(shop: Mapped) -> None:
    """Nothing before the first map, then every file with code, and nothing again once the index moved on."""
    assert {} == file_ranks(shop.store)
    shop.ask(focus=("shop/cart.py",))
    assert {} == file_ranks(shop.store)
    shop.ask()
    ranks = file_ranks(shop.store)
    assert max(ranks, key=ranks.__getitem__) == "shop/session.py"
    assert pytest.approx(4.0, abs=0.01) == sum(ranks.values())
    shop.put("shop/new.py", "def new_thing():\n    pass\n")
    shop.refresh()
    assert {} == file_ranks(shop.store)


def test_a_path_limits_the_map_to_what_is_below_it(shop: Mapped) -> None:
    """Folders, files and several of both; text belongs to a map that was asked for it."""
    assert ["test_add_line"] == shop.names("tests")
    assert {"test_add_line", "log_in"} == set(shop.names("shop/login.py", "tests/"))
    assert [("README.md", ())] == [(file.path, file.definitions) for file in shop.ask("README.md").files]
    assert {"README.md", "shop/cart.py"} < {file.path for file in shop.ask(".").files}
    assert "./: README.md" in shop.ask(".").text


def test_a_focus_puts_its_neighbours_first(shop: Mapped) -> None:
    """What imports the focus and what it imports are on the map even where nothing else fits."""
    near = {"shop/cart.py", "shop/session.py", "tests/test_cart.py"}
    assert near <= {file.path for file in shop.ask(budget=14, focus=("shop/cart.py",)).files}
    assert ("shop/cart.py",) == shop.ask(focus=("./shop/cart.py", "shop/cart.py")).focus


@pytest.mark.parametrize(
    ("paths", "focus", "error", "message"),
    [
        (("shop/sesion.py",), (), NotFoundError, "no such file or folder here; the nearest: shop/session.py"),
        (("login.py",), (), NotFoundError, "the nearest: shop/login.py"),
        (("qqqqqqqqqqqqqqqqqqqqqqq",), (), NotFoundError, "no such file in the segment"),
        (("../elsewhere",), (), OutsideSegmentError, "outside the segment"),
        (("empty",), (), NotFoundError, "empty: nothing in it is indexed"),
        ((), ("shop",), UsageError, "--focus shop: not an indexed file"),
    ],
)
def test_paths_that_lead_nowhere_are_explained(
    shop: Mapped, paths: tuple[str, ...], focus: tuple[str, ...], error: type[Exception], message: str
) -> None:
    """An unknown path names the nearest ones, one outside is refused, and an empty folder says so."""
    (shop.root / "empty").mkdir()
    with pytest.raises(error, match=message):
        shop.ask(*paths, focus=focus)


def test_a_budget_below_one_is_wrong_use(shop: Mapped) -> None:
    """Zero tokens are no budget."""
    with pytest.raises(UsageError, match="--budget"):
        shop.ask(budget=0)


def test_an_empty_map_says_why(segment: Mapped) -> None:
    """Nothing indexed, nothing that defines anything, or a budget too small."""
    segment.refresh()
    assert "nothing in this segment is indexed" in segment.ask().reason
    segment.put("notes.md", "# Notes\n")
    segment.refresh()
    assert "none of the 1 indexed files defines anything (markdown)" in segment.ask().reason
    segment.put("a.py", "def work():\n    pass\n")
    segment.refresh()
    answer = segment.ask(budget=1)
    assert ("", 0, ()) == (answer.text, answer.total_tokens, answer.files)
    assert "a budget of 1 tokens" in answer.reason


def test_files_that_did_not_parse_are_named(shop: Mapped) -> None:
    """A file with syntax errors is on the map as far as it goes, and said to be."""
    shop.put("shop/broken.py", "def whole():\n    pass\n\n\ndef broken(:\n")
    shop.refresh()
    answer = shop.ask()
    assert (("shop/broken.py",), ()) == (answer.recovered, answer.not_parsed)
    assert () == shop.ask("tests").recovered


def test_a_file_that_went_meanwhile_is_ranked_without_its_words(shop: Mapped) -> None:
    """What is deleted between the look and the reading has no words and is asked for again next time."""
    (shop.root / "shop/login.py").unlink()
    assert "log_in" in shop.names()
    assert [path for path, packed in shop.store.words_used() if packed is None] == ["shop/login.py"]
