"""How a text reads without what hides its words, and where each part of it stands."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.disguised_text import undisguised

_TEXTS = st.text(
    st.sampled_from("ab%2541d \u200b\u00ad\ufeff\uff21\uff1a\u2122\u00e9\u65e5\u2026\U0001d5d4"), max_size=30
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a\u200bb\u200cc\u200dd\u2060e\ufefff\u00adg\ufe0f", "abcdefg"),
        ("\uff50\uff57\uff44\uff1d\uff11", "pwd=1"),
        ("\U0001d5d4\u24b6\u00aa\u00b2", "AAa2"),
        ("\u2122", "TM"),
        ("a\u00a0b\u202fc\u2009d", "a b c d"),
        (r"a\u200bb\\u200Bc\xadd\uff21\U0001d5d4", "abcdAA"),
        ("%41%3a%7E", "A:~"),
        ("%2541 %252541", "A A"),
        ("%\uff14\uff11", "A"),
        ("%2525252541", "%2541"),
    ],
)
def test_what_a_text_reads(text: str, expected: str) -> None:
    """Escapes are read, also of escapes; what has no width is not there; look-alikes are what they look like."""
    plain = undisguised(text)
    assert plain is not None
    assert expected == plain.text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "plain",
        "100%",
        "%s %d %zz %0a %c3%a9 %7f",
        "na\u00efve \u65e5\u672c",
        "\u201ca\u201d \u2014 b\u2026",
        "\u3000",
        "\udc80",
        r"\u0041 \xaa \n \u2026",
    ],
)
def test_what_is_no_disguise(text: str) -> None:
    """Other scripts, typographic signs, control characters and formats are what they are."""
    assert undisguised(text) is None


@given(_TEXTS)
def test_each_character_has_its_place(text: str) -> None:
    """A part of the reading stands where reading that part of the text alone gives it, between its neighbours."""
    plain = undisguised(text)
    if plain is None:
        return
    end = 0
    for at, char in enumerate(plain.text):
        place = plain.place(at, at + 1)
        assert 0 <= place[0] < place[1] <= len(text)
        assert place[0] >= end or place == plain.place(at - 1, at)
        said = text[place[0] : place[1]]
        alone = undisguised(said)
        assert char in (said if alone is None else alone.text)
        end = place[1]
    if plain.text:
        assert (plain.place(0, 1)[0], end) == plain.place(0, len(plain.text))
