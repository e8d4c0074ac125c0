"""Markup that cannot be broken out of."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fixtures.report_document import HOSTILE_TEXTS

from ctx.infrastructure.report_page.markup import Markup, escaped, joined, number, tag


class _Reader(HTMLParser):
    """Collects what a parser makes of a text."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        self.tags.append(("comment", []))


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
def test_hostile_text_stays_text(text: str) -> None:
    """As a child and as an attribute's value it makes no element, no attribute and no control character."""
    found = _Reader(tag("p", text, title=text))
    assert [("p", ["title"])] == [(name, [key for key, _value in attributes]) for name, attributes in found.tags]
    assert found.text == found.tags[0][1][0][1]
    assert [] == [char for char in found.text if ord(char) < 32 and char not in "\n\t"]
    assert found.text.encode()


@given(st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=60))
def test_text_is_read_as_it_was_written(text: str) -> None:
    """Nothing but what steers a line is changed."""
    expected = _Reader(tag("p", text)).text
    assert [char for char in text if char.isprintable()] == [
        char for char in expected if char.isprintable() and char != "\N{REPLACEMENT CHARACTER}"
    ] or "\N{REPLACEMENT CHARACTER}" in text


def test_what_is_known_for_its_harm() -> None:
    """Signs of HTML, controls, marks of direction, half characters."""
    assert "&lt;a href=&quot;&#39;&amp;&gt;" == escaped("<a href=\"'&>")
    assert "\N{REPLACEMENT CHARACTER}" * 3 == escaped("\x00\N{RIGHT-TO-LEFT OVERRIDE}\udc80")
    assert "a b c" == escaped("a\u2028b\u2029c")


def test_elements() -> None:
    """Attributes by their Python names; markup is not escaped twice; elements without an end have none."""
    assert '<td class="n" data-p="/a" hidden>1<br>2</td>' == tag(
        "td", 1, tag("br"), 2, class_="n", data_p="/a", hidden=True, title=None, open=False
    )
    assert '<meta name="viewport">' == tag("meta", name="viewport")
    assert '<rect x="1.5" y="2"/>' == tag("rect", x=1.5, y=2)
    assert "<rect><title>t</title></rect>" == tag("rect", tag("title", "t"))


def test_children_are_joined() -> None:
    """Lists are opened, None is nothing."""
    assert "a<b>&lt;" == joined(["a", [Markup("<b>")]], None, ("<",))


def test_coordinates_are_short() -> None:
    """Two digits after the point, and none that says nothing."""
    assert ["1.23", "1", "0.5", "-2"] == [number(value) for value in (1.2345, 1.0, 0.5, -2.0)]
