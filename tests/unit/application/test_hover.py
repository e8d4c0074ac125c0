"""Hover: the best candidate with its documentation, callers and costs of seeing more; a server's word beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes import RecordingTelemetry, ScriptedReplies, WordCounter
from tests.unit.application.navigable_segment import NavigableSegment

from ctx.application.get import Get
from ctx.application.hover import Hover, first_paragraph, without_fences
from ctx.domain.errors import UsageError
from ctx.domain.language_server import ServerPlace, ServerReply
from ctx.infrastructure.ast_lsp import SkeletonMapBuilder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ctx.domain.symbol_answer import HoverAnswer

FILES = {
    "shop/__init__.py": "",
    "shop/cart.py": '''"""What is bought.

More of it.
"""

from decimal import Decimal


class Cart:
    """What a visitor
    wants to buy.

    And pays for.
    """

    def add(self, n):
        return Decimal(n)


def price(cart):
    cart.add(1)
    return cart
''',
    "shop/jobs.py": "from shop.cart import Cart, price\n\n\ndef work():\n    price(Cart())\n    price(Cart())\n",
}
TYPE = "```python\n(function) def price(cart: Cart) -> Cart\n```\n---\nSays more."


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[NavigableSegment]:
    (tmp_path / "seg").mkdir()
    with NavigableSegment(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        yield opened.fill(FILES)


def hover(segment: NavigableSegment, query: str) -> HoverAnswer:
    builder = SkeletonMapBuilder(RecordingTelemetry())
    get = Get(
        segment.files,
        segment.files,
        segment.store,
        WordCounter(),
        lambda path, source, language: builder.parse(source, path, language),
    )
    refs = segment.finder()
    return Hover(refs.resolve, refs, get, segment.trees().source)(query)


def test_a_name_is_told_from_the_index(segment: NavigableSegment) -> None:
    """Whole first paragraph, certain callers, the cost of each level; no server is asked."""
    segment.servers = servers = ScriptedReplies()
    answer = hover(segment, "shop.cart.Cart")
    assert answer.found is not None
    assert ("Cart", "What a visitor wants to buy.", 1) == (answer.found.qualname, answer.doc, answer.callers)
    assert {"skeleton", "excerpt", "raw", "file"} == set(answer.tokens)
    assert 17 == answer.tokens["raw"] < answer.tokens["file"]
    assert (
        answer.tokens["skeleton"]
        < answer.tokens["raw"]
        == answer.tokens["excerpt"] - len("from decimal import Decimal".split())
    )
    assert ("index", True, "", None, []) == (
        *(answer.resolved_by, answer.complete, answer.text, answer.server),
        servers.questions,
    )


def test_a_place_is_told_with_what_the_server_says(segment: NavigableSegment) -> None:
    """Two questions about one place: what it is, and where that is defined."""
    place = ServerPlace("shop/cart.py", 20, 5, is_inside=True)
    said = ServerReply("ty", "answered", hover=TYPE)
    segment.servers = servers = ScriptedReplies(hover=said, definition=ServerReply("ty", "answered", (place,)))
    answer = hover(segment, "shop/jobs.py:5:7")
    assert [("hover", 5, 5), ("definition", 5, 5)] == [(q.method, q.line, q.column) for q in servers.questions]
    assert "(function) def price(cart: Cart) -> Cart\n---\nSays more." == answer.text
    assert ("lsp:ty", True, said, 1) == (answer.resolved_by, answer.complete, answer.server, answer.callers)


def test_without_a_server_the_rest_is_there(segment: NavigableSegment) -> None:
    """A reply that did not come takes nothing away."""
    segment.servers = ScriptedReplies()
    answer = hover(segment, "shop/jobs.py:5:7")
    assert answer.found is not None
    assert ("price", "", "tree_sitter", True) == (
        *(answer.found.qualname, answer.text, answer.resolved_by, answer.complete),
    )
    assert answer.server is not None
    assert "no_server" == answer.server.status


def test_what_is_outside_has_the_servers_text_alone(segment: NavigableSegment) -> None:
    """No candidate, no figures."""
    place = ServerPlace("/env/decimal.pyi", 12, 7, is_inside=False)
    segment.servers = ScriptedReplies(
        hover=ServerReply("ty", "answered", hover="class Decimal"),
        definition=ServerReply("ty", "answered", (place,)),
    )
    answer = hover(segment, "shop/cart.py:17:16")
    assert (None, "class Decimal", (place,), {}, None) == (
        *(answer.found, answer.text, answer.outside, answer.tokens, answer.callers),
    )


def test_a_file_is_told_as_a_whole(segment: NavigableSegment) -> None:
    """Its skeleton, and raw what the file costs; nobody calls a file."""
    answer = hover(segment, "shop.cart")
    assert (answer.tokens["raw"], None) == (answer.tokens["file"], answer.callers)


def test_a_local_is_told_by_its_line(segment: NavigableSegment) -> None:
    """What the index keeps no definition of is a place like any other."""
    answer = hover(segment, "shop/cart.py:21:6")
    assert answer.found is not None
    assert ("price.cart", 2, None) == (answer.found.qualname, answer.tokens["raw"], answer.callers)


def test_callers_that_are_not_found_at_once_are_no_figure(segment: NavigableSegment) -> None:
    """Half a count would be wrong."""
    assert (
        segment.finder().count_callers(segment.resolver().finder().of_global("shop/cart.py", "price")[0], deadline_s=0)
        is None
    )


def test_a_place_outside_its_file_is_refused(segment: NavigableSegment) -> None:
    """As by `ctx resolve`."""
    with pytest.raises(UsageError, match="has 22 lines"):
        hover(segment, "shop/cart.py:99:1")


PARAGRAPHS = (
    ("in one line", 'def f():\n    """Do it."""\n    return 1', 1, 3, "Do it.", "Do it."),
    ("until a blank line", 'def f():\n    """Do\n    it.\n\n    Rest."""', 1, 5, "Do", "Do it."),
    ("until its end", 'def f():\n    """\n    Do\n    it.\n    """\n    x', 1, 6, "Do", "Do it."),
    ("until its tags", 'def f():\n    """Do it.\n    :param x: y\n    """', 1, 4, "Do it.", "Do it."),
    ("line comments", "// Do\n// it.\n//\n// Rest.\nfunc f() {}", 5, 5, "Do", "Do it."),
    ("line comments until code", "# Do\n# it.\ndef f; end", 3, 3, "Do", "Do it."),
    ("doc comments", "/// Do\n/// it.\nfn f() {}", 3, 3, "Do", "Do it."),
    ("block comments", "/**\n * Do\n * it.\n * @param x\n */\nfunction f() {}", 6, 6, "Do", "Do it."),
    ("a block in one line", "/** Do it. */\nfunction f() {}", 2, 2, "Do it.", "Do it."),
    ("cut off", 'def f():\n    """Do it well."""', 1, 2, "Do it…", "Do it well."),
    ("not found again", "def f(): ...", 1, 1, "Do", "Do"),
    ("nothing said", "def f(): ...", 1, 1, "", ""),
)


@pytest.mark.parametrize("case", PARAGRAPHS, ids=lambda case: case[0])
def test_first_paragraph(case: tuple[str, str, int, int, str, str]) -> None:
    """From the line the index keeps to the end of what it begins, without the marks of comments."""
    _name, text, start, end, doc, expected = case
    assert expected == first_paragraph(doc, text.split("\n"), start, end)


def test_a_long_paragraph_is_cut() -> None:
    """A licence is no documentation."""
    text = '"""Do it.\n' + "word\n" * 1000 + '"""'
    found = first_paragraph("Do it.", text.split("\n"), 1, 1002)
    assert (1000, "…") == (len(found), found[-1])


def test_fences_are_taken_off() -> None:
    """The code in them stays."""
    assert "int\n\nmore" == without_fences("```python\nint\n```\n\nmore\n")
