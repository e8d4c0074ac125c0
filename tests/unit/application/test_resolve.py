"""Resolving selectors: the order of answers, their grades, and places that are none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.application.navigable_segment import NavigableSegment

from ctx.application.resolve import RESOLVE_LIMIT_MAX
from ctx.domain.chunk_ids import format_id
from ctx.domain.errors import CtxError, NotFoundError, OutsideSegmentError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILES = {
    "shop/__init__.py": "from .cart import Cart\n",
    "shop/base.py": "class Base:\n    def save(self): ...\n",
    "shop/cart.py": (
        "from .base import Base\n\n\nclass Cart(Base):\n    def add_line(self, n): ...\n\n\ndef run(): ...\n"
    ),
    "shop/jobs.py": "class Job:\n    def run(self): ...\n\n    def add_line(self): ...\n",
    "shop/web.ts": "export class Cart { addLine() {} }\n",
    "tests/test_cart.py": "class Cart: ...\n\n\ndef run(): ...\n",
    "README.md": "# Shop\n\nWords about Cart.\n\n## Install\n\nCopy.\n",
    "notes.txt": "Cart is run\n",
    "broken.py": "def f(:\n    x = Cart(\n    return nothing_known\n",
}


@pytest.fixture(scope="module")
def segment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NavigableSegment]:
    """One segment for all cases: making an index takes longer than asking it."""
    root = tmp_path_factory.mktemp("navigable")
    (root / "seg").mkdir()
    with pytest.MonkeyPatch.context() as patch, NavigableSegment(root / "seg", root / "index/index.db") as opened:
        patch.setenv("HOME", str(root / "home"))
        patch.setenv("XDG_CONFIG_HOME", str(root / "home/config"))
        opened.put("data.bin", b"\0\1\2")
        opened.put("more.py", "import os\nfor item in os.environ:\n    print(item)\n\n\ndef f(a):\n    return a\n")
        yield opened.fill(FILES)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("sym://python/shop.cart/Cart", ["shop/cart.py:4 Cart (exact)"]),
        ("sym://python/shop/Cart", ["shop/cart.py:4 Cart (import)"]),
        ("sym://python/cart/Cart.add_line", ["shop/cart.py:5 Cart.add_line (exact)"]),
        ("sym://python/shop.cart/Cart.save", ["shop/base.py:2 Base.save (inherited)"]),
        ("sym://python/shop.cart", ["shop/cart.py:1 shop.cart (exact)"]),
        ("sym://python/shop/cart", ["shop/cart.py:1 shop.cart (exact)"]),
        ("sym://typescript/shop/web/Cart.addLine", ["shop/web.ts:1 Cart.addLine (exact)"]),
        ("sym://python/shop.cart/Nothing", []),
        ("sym://python/nowhere/Cart", []),
        ("sym://python/nowhere", []),
        ("sym://cobol/shop/Cart", []),
        ("shop.cart.Cart", ["shop/cart.py:4 Cart (exact)"]),
        ("shop.Cart", ["shop/cart.py:4 Cart (import)"]),
        ("cart.Cart", ["shop/cart.py:4 Cart (unique suffix)"]),
        ("Cart.add_line", ["shop/cart.py:5 Cart.add_line (exact)"]),
        ("Cart.save", ["shop/base.py:2 Base.save (inherited)"]),
        ("shop.Cart.save", ["shop/base.py:2 Base.save (inherited)"]),
        ("save", ["shop/base.py:2 Base.save (unique suffix)"]),
        ("add_line", ["shop/cart.py:5 Cart.add_line (suffix)", "shop/jobs.py:4 Job.add_line (suffix)"]),
        ("run", ["shop/cart.py:8 run (exact)", "tests/test_cart.py:4 run (exact)", "shop/jobs.py:2 Job.run (suffix)"]),
        ("shop.jobs", ["shop/jobs.py:1 shop.jobs (exact)"]),
        ("jobs", ["shop/jobs.py:1 shop.jobs (exact)"]),
        ("Other.save", ["shop/base.py:2 Base.save (name)"]),
        ("add_l", ["shop/cart.py:5 Cart.add_line (prefix)", "shop/jobs.py:4 Job.add_line (prefix)"]),
        (
            "addd_line",
            [
                "shop/cart.py:5 Cart.add_line (fuzzy)",
                "shop/jobs.py:4 Job.add_line (fuzzy)",
                "shop/web.ts:1 Cart.addLine (fuzzy)",
            ],
        ),
        ("zzzzzzzz", []),
        ("shop/cart.py#Cart", ["shop/cart.py:4 Cart (exact)"]),
        ("./shop/cart.py#Cart.add_line", ["shop/cart.py:5 Cart.add_line (exact)"]),
        ("shop/cart.py#add_line", ["shop/cart.py:5 Cart.add_line (unique suffix)"]),
        ("shop/cart.py#Base", ["shop/base.py:1 Base (import)"]),
        ("shop/cart.py#Nothing", []),
        ("README.md#install", ["README.md:5 install (exact)"]),
        ("Cart#add_line", ["shop/cart.py:5 Cart.add_line (exact)"]),
        ("shop/cart.py:4:12", ["shop/base.py:1 Base (import)"]),
        ("shop/cart.py:5", ["shop/cart.py:5 Cart.add_line (exact)"]),
        ("shop/cart.py:2:1", []),
        ("shop/cart.py:2", []),
    ],
)
def test_spellings_and_their_answers(segment: NavigableSegment, query: str, expected: list[str]) -> None:
    """The surest candidates, in the order a person would look at them; why there is none is said."""
    assert expected == segment.places(query)
    answer = segment.resolve(query)
    assert bool(expected) or answer.reason
    assert (len(expected) > 1, bool(expected)) == (answer.ambiguous, answer.resolved)
    guessed = {candidate.reason for candidate in answer.found} & {"name", "prefix", "fuzzy"}
    assert answer.complete is not bool(guessed)


def test_a_candidate_has_what_the_next_step_needs(segment: NavigableSegment) -> None:
    """The place of the name, what it is, and an id; the state it describes is that of the index."""
    answer = segment.resolve("shop.cart.Cart.add_line")
    found = answer.found[0]
    assert ("shop/cart.py", 5, 9, 5) == (found.path, found.line, found.column, found.end_line)
    assert ("method", "add_line", "Cart.add_line") == (found.kind, found.name, found.qualname)
    assert ("def add_line(self, n)", "", "python") == (found.signature, found.doc, found.lang)
    assert found.id.startswith("shop/cart.py#Cart.add_line@")
    assert ("index", True, segment.store.meta("as_of")) == (answer.resolved_by, answer.complete, answer.as_of)


def test_a_limit_leaves_the_count(segment: NavigableSegment) -> None:
    """What is cut off is counted and still makes the answer ambiguous."""
    answer = segment.resolve("run", limit=1)
    assert (1, 3, True) == (len(answer.found), answer.total, answer.ambiguous)
    for limit in (0, RESOLVE_LIMIT_MAX + 1):
        with pytest.raises(UsageError, match=f"--limit must be from 1 to {RESOLVE_LIMIT_MAX}, found {limit}"):
            segment.resolve("run", limit=limit)


def test_nothing_names_what_comes_close(segment: NavigableSegment) -> None:
    """An exact selector that fails does not guess; it names."""
    assert "Cart" in segment.resolve("sym://python/shop.cart/Carts").nearest
    assert "no file of the segment is in cobol; there are: markdown" in segment.resolve("sym://cobol/a/b").reason


@pytest.mark.parametrize(
    ("query", "error", "message"),
    [
        ("shop/cart.py:99", UsageError, "shop/cart.py has 8 lines; give a line inside it"),
        ("shop/cart.py:1:99", UsageError, "line 1 has 22 columns; give a column inside it"),
        ("notes.txt:99", UsageError, "notes.txt has 2 lines"),
        ("notes.txt:1:99", UsageError, "line 1 has 11 columns"),
        ("nowhere.py:1", NotFoundError, "no such file"),
        ("nowhere.py#x", NotFoundError, "no such file"),
        ("../../etc/passwd:1", OutsideSegmentError, "outside the segment"),
        ("/etc/passwd#root", OutsideSegmentError, "outside the segment"),
        ("shop:1", UsageError, "a folder"),
        (".#x", UsageError, "a folder"),
        ("data.bin:1", NotFoundError, "not indexed (binary)"),
    ],
)
def test_places_that_are_none(segment: NavigableSegment, query: str, error: type[CtxError], message: str) -> None:
    """One line says what is wrong with the place."""
    with pytest.raises(error) as raised:
        segment.resolve(query)
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.fixture(scope="module")
def borrower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NavigableSegment]:
    """A segment that takes names from elsewhere, and has names that look like them."""
    root = tmp_path_factory.mktemp("borrower")
    (root / "seg").mkdir()
    with pytest.MonkeyPatch.context() as patch, NavigableSegment(root / "seg", root / "index/index.db") as opened:
        patch.setenv("HOME", str(root / "home"))
        patch.setenv("XDG_CONFIG_HOME", str(root / "home/config"))
        yield opened.fill(
            {
                "app/__init__.py": "",
                "app/views.py": (
                    "import os\nimport numpy.linalg as la\nfrom decimal import Decimal as D\n"
                    "from werkzeug.routing import Map\nfrom ._version import version\nfrom app.paths import join\n\n\n"
                    "def printer(path): ...\n\n\ndef mapping(): ...\n\n\nclass Sizes:\n    def path(self): ...\n"
                    "    def versions(self): ...\n    def processing(self): ...\n    def list(self): ...\n"
                ),
                "app/paths.py": "def join(): ...\n\n\ndef ossify(): ...\n",
                "app/handing.py": "from os import path as handed\nfrom .unmade import *\n",
                "app/vain.py": (
                    "from .missing import X\nfrom ..toofar import y\nfrom .handing import nothing, handed\n"
                    "from app.gone import g\nfrom . import sibling\nimport app.lost\nfrom .views import Sizes\n"
                    "try:\n    from .missing import both\nexcept ImportError:\n    from six import both\n\n\n"
                    "class A(X):\n    def f(self):\n        return self.inherited()\n\n\n"
                    "X.member\na = X()\na.member\nboth()\n"
                ),
                "app/sub/__init__.py": "from ..nowhere import y\nfrom ....above import z\n",
                "web/a.js": "const a = 1\n",
                "web/b.ts": 'import { q } from "./missing";\nimport { r } from "../../out";\nq(); r();\n',
            }
        )


@pytest.mark.parametrize(
    "query",
    ["print", "os", "os.path", "os.path.join", "str.join", "D.path", "la.norm", "Map", "werkzeug", "werkzeug.routing"],
)
def test_what_is_known_to_be_outside_is_not_guessed_at(borrower: NavigableSegment, query: str) -> None:
    """Built-ins, and what imports bind from outside: no candidate and nothing near, though names begin or end so."""
    answer = borrower.resolve(query)
    assert ((), (), True) == (answer.found, answer.nearest, answer.complete)
    assert f"{query} is defined outside the segment" == answer.reason
    assert ((), answer.reason) == (borrower.refs(query).nearest, borrower.refs(query).reason)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("list.path", ["app/views.py:16 Sizes.path (name)"]),
        ("version", ["app/views.py:17 Sizes.versions (prefix)"]),
        ("process", ["app/views.py:18 Sizes.processing (prefix)"]),
        ("app.join", ["app/paths.py:1 join (name)"]),
    ],
)
def test_what_may_be_inside_is_guessed_at(borrower: NavigableSegment, query: str, expected: list[str]) -> None:
    """What the segment defines itself, what a build makes, and what is built into the language of one file in five."""
    assert expected == borrower.places(query)


def test_a_place_that_means_something_outside_names_nothing_near(borrower: NavigableSegment) -> None:
    """What looks alike is not what an import takes from elsewhere."""
    answer = borrower.resolve("app/views.py:4:31")
    assert ("Map is defined outside the segment", ()) == (answer.reason, answer.nearest)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        ("app/vain.py:1:7", "missing is not found in the segment: no indexed file is the module .missing"),
        ("app/vain.py:1:22", "X is not found in the segment: no indexed file is the module .missing"),
        ("app/vain.py:2:22", "y is not found in the segment: no indexed file is the module ..toofar"),
        ("app/vain.py:3:22", "nothing is not found in the segment: no indexed file is the module .unmade"),
        ("app/vain.py:3:31", "handed is defined outside the segment"),
        ("app/vain.py:4:22", "g is not found in the segment: no indexed file is the module app.gone"),
        ("app/vain.py:5:15", "sibling is not found in the segment: the module . has no sibling"),
        ("app/vain.py:6:12", "lost is not found in the segment: no indexed file is the module app.lost"),
        ("app/vain.py:16:21", "inherited is not found in the segment: no indexed file is the module .missing"),
        ("app/vain.py:19:3", "member is not found in the segment: no indexed file is the module .missing"),
        ("app/vain.py:21:3", "member is not found in the segment: no indexed file is the module .missing"),
        ("app/vain.py:22:1", "both is defined outside the segment"),
        ("app/sub/__init__.py:1:23", "y is not found in the segment: no indexed file is the module ..nowhere"),
        ("app/sub/__init__.py:2:24", "z is defined outside the segment"),
        ("web/b.ts:1:10", "q is not found in the segment: no indexed file is the module ./missing"),
        ("web/b.ts:3:6", "r is defined outside the segment"),
    ],
)
def test_what_is_taken_in_vain_from_inside_is_not_said_to_be_outside(
    borrower: NavigableSegment, place: str, reason: str
) -> None:
    """A relative import, one from a package of the segment, and what comes through them; climbing out is outside."""
    answer = borrower.resolve(place)
    assert (reason, (), (), True) == (answer.reason, answer.found, answer.nearest, answer.complete)


def test_a_long_trail_that_ends_nowhere_is_not_followed_to_its_end(tmp_path: Path) -> None:
    """Thousands of files that hand a missing name on are no reason to fail."""
    (tmp_path / "seg").mkdir()
    trail = {f"p/f{n}.py": f"from .f{n + 1} import x\n" for n in range(500)}
    with NavigableSegment(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        answer = opened.fill({"p/__init__.py": "", **trail}).resolve("p/f0.py:1:17")
    assert "x is not found in the segment: its imports are followed no further than p/f24.py" == answer.reason


def test_a_name_that_is_taken_in_vain_from_a_package_of_the_segment_is_guessed_at(borrower: NavigableSegment) -> None:
    """The package is here, so it is not known to be outside."""
    answer = borrower.resolve("app.gone.g")
    assert "nothing in the segment is named app.gone.g" == answer.reason


def test_a_stale_id_says_so(segment: NavigableSegment) -> None:
    """The name is answered for as it is now, and the reason says that the text behind the id is not."""
    fresh = segment.resolve("shop/cart.py#Cart.add_line").found[0].id
    assert "" == segment.resolve(fresh).reason
    record = segment.store.file("shop/cart.py")
    assert record is not None
    for chunk in record.chunks:
        assert "" == segment.resolve(format_id(record.path, chunk.qualname, chunk.digest, chunk.twin)).reason
    stale = fresh.partition("@")[0] + "@00000000"
    answer = segment.resolve(stale)
    assert [fresh] == [found.id for found in answer.found]
    changed = "the text behind this id changed; this is what add_line is now"
    assert changed == answer.reason
    for view in ("uses", "callers", "callees"):
        assert segment.refs(stale, view=view).reason.startswith(changed)
        assert changed not in segment.refs(fresh, view=view).reason


def test_a_word_in_a_file_without_a_grammar(segment: NavigableSegment) -> None:
    """The word is looked up by its name, and the answer is not complete."""
    answer = segment.resolve("notes.txt:1:2")
    assert "shop/cart.py" == answer.found[0].path
    assert not answer.complete
    assert "no name stands at line 3" in segment.resolve("README.md:2:1").reason.replace("line 2", "line 3")


def test_a_file_with_syntax_errors(segment: NavigableSegment) -> None:
    """What was recovered is followed; when nothing is found, that is not all there is to say."""
    assert "Cart" == segment.resolve("broken.py:2:9").found[0].name
    answer = segment.resolve("broken.py:3:12")
    assert ((), False) == (answer.found, answer.complete)
    assert "syntax errors" in answer.reason


def test_an_empty_segment(tmp_path: Path) -> None:
    """Nothing indexed is said to be so."""
    (tmp_path / "seg").mkdir()
    with NavigableSegment(tmp_path / "seg", tmp_path / "index/index.db") as empty:
        empty.refresh()
        assert "nothing is indexed" in empty.resolve("Cart").reason
        assert "there are: none" in empty.resolve("sym://python/a/b").reason


def test_ids_of_places_without_a_definition(segment: NavigableSegment) -> None:
    """A parameter goes by its function, an attribute by where it is assigned, a module by its file."""
    ids = [segment.resolve(query).found[0].id for query in ("more.py:7:12", "more.py:3:11", "shop.jobs")]
    assert ids[0].startswith("more.py#f@")
    assert ids[1].startswith("more.py#__module__@")
    assert "shop/jobs.py" == ids[2]
