"""What the looks for secrets share: where one is, patterns that cost nothing until used, and what random text is like.

Pure; `re` is imported here and not by `secret_hints`.
"""

from __future__ import annotations

import re
from typing import NamedTuple, cast

from .secret_hints import RUN_LENGTH, folded_runs


class Span(NamedTuple):
    """Where a secret is in a text, and which kind it is."""

    start: int
    end: int
    kind: str


class _Lazy:
    """Stands for a pattern that is compiled when it is first used: all of them at once would take 15 ms."""

    def __init__(self, expression: str, flags: int) -> None:
        self._expression = expression
        self._flags = flags

    def __getattr__(self, name: str) -> object:
        compiled = re.compile(self._expression, self._flags)
        for method in ("finditer", "findall", "fullmatch", "match", "search", "sub"):
            setattr(self, method, getattr(compiled, method))
        return getattr(compiled, name)


def pattern(expression: str, flags: int = 0) -> re.Pattern[str]:
    """Return the pattern, which is compiled when it is first used."""
    return cast("re.Pattern[str]", _Lazy(expression, flags))


PLACEHOLDER = pattern(
    r"""change|example|placeholder|your[_-]?|<|>|\$\{|\$\(|\{\{|\{\w*\}|%\(|%s|\.\.\.|…|\*{3}|x{4}|redacted|insert|dummy
    |sample|fake|todo|replace|mock|not[_-]?a|env[.(\[]|os\.|process\.|config\.|secrets\.|vault|1234|abcd|foo|bar
    |lorem|secret|passw|token|key|a-z|\(\?[:=!]|id_(?:rsa|dsa|ecdsa|ed25519)|\A__\w[\w-]*__\Z
    """,
    re.VERBOSE | re.IGNORECASE,
)
PLACEHOLDER_IN_KEY = pattern(
    r"example|your|x{6}|\.\.\.|…|\*{3}|<|>|placeholder|0{10}|1234567890|abcdefgh|a-z|\(\?[:=!]|\A__\w[\w-]*__\Z",
    re.IGNORECASE,
)
_PATH_LIKE = pattern(r"[./~]|[\w-]+(?:\.[A-Za-z_][\w-]*)+\Z|[A-Za-z][\w+.-]*://|[\w.-]+/[\w./-]*\Z")
_WORDY = pattern(r"[A-Za-z]+[0-9]{0,2}(?:[_.: -][A-Za-z]*[0-9]{0,3})*\Z")


def is_literal_password(value: str) -> bool:
    """Tell whether a word of source text in a password's place is one rather than what stands for it."""
    return (
        not any(char in value for char in "{}$<>/%*")
        and len(value) >= 4
        and PLACEHOLDER.search(value) is None
        and (any(char.isdigit() for char in value) or not value.isalnum())
    )


def looks_like_value(said: str, *, chars_min: int = 8) -> bool:
    """Tell whether a literal is a secret rather than a name, a word, a path or what stands for one."""
    if is_hash(said) or (len(said) >= RUN_LENGTH and looks_random(said)):
        return PLACEHOLDER_IN_KEY.search(said) is None and "://" not in said
    return (
        len(said) >= chars_min
        and any(char.isalpha() for char in said)
        and any(char.isdigit() for char in said)
        and PLACEHOLDER.search(said) is None
        and _PATH_LIKE.match(said) is None
        and (_WORDY.match(said) is None or _is_word_with_number(said))
    )


def is_hash(said: str) -> bool:
    """Tell whether this is nothing but hexadecimal digits, and many of them."""
    return len(said) >= 24 and re.fullmatch(r"[0-9A-Fa-f-]+", said) is not None and not said.isdigit()


_COMMON = pattern(
    r"(?:oauth|sha|md|base|utf|hmac|hs|rs|es|v|test|user|admin|name|rfc|x|key|iso|http|s|aes)_?\d", re.IGNORECASE
)


def _is_word_with_number(said: str) -> bool:
    """Tell a password like hunter2 from names of things: one word, digits at its end, and no common one."""
    return said.isalnum() and said[-1].isdigit() and _COMMON.match(said) is None


_UUID = pattern(r"(?<![A-Za-z0-9])[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}(?![A-Za-z0-9])")
_PIECES = pattern(r"[A-Za-z0-9]+")
HEX = pattern(r"[0-9a-f]+|[0-9A-F]+")
_RANDOM_SHARE = 0.25
_LONG_CHARS, _RANDOM_SHARE_OF_LONG = 32, 0.15
"""Changes between small letters, digits and capitals, by character: random text has 0.4, names of words 0.1 to 0.2."""
_WORD_OF_NAME = pattern(r"[A-Z][a-z]{3,}")
_WORDS_SHARE = 0.5
"""Of the characters of a name so many are of words that begin with capitals: of random text it is a twentieth."""


def looks_random(run: str) -> bool:
    """Tell whether characters follow each other as nobody names anything; hexadecimal digits and UUIDs do not count."""
    pieces = [piece for piece in _PIECES.findall(_UUID.sub("", run)) if not (len(piece) >= 6 and HEX.fullmatch(piece))]
    chars = sum(map(len, pieces))
    if chars < 8 or not has_mixture(run):
        return False
    changes = 0
    for piece in pieces:
        before = "A" if piece[0].isupper() else piece[0]
        for char in piece[1:]:
            if char.isdigit() != before.isdigit() or (char.isupper() and before.islower()):
                changes += 1
            before = char
    is_long = chars >= _LONG_CHARS and not _is_name(pieces, chars)
    return changes >= (_RANDOM_SHARE_OF_LONG if is_long else _RANDOM_SHARE) * chars and changes >= 3


def _is_name(pieces: list[str], chars: int) -> bool:
    """Tell whether most of it is words that begin with capitals, as `OAuth2ClientConfiguration`."""
    return sum(len(word) for piece in pieces for word in _WORD_OF_NAME.findall(piece)) >= _WORDS_SHARE * chars


def has_mixture(run: str) -> bool:
    """Tell whether there are letters and digits, more than those of hexadecimal numbers."""
    return any(char.isdigit() for char in run) and any(char.isalpha() for char in run) and HEX.fullmatch(run) is None


_LONG_RUN = pattern(rf"[A-Za-z0-9+_-]{{{RUN_LENGTH},}}")


def is_seen(value: str) -> bool:
    """Tell whether `secret_hints` sees the value by itself: as many characters of a key in a row."""
    return _LONG_RUN.search(value) is not None


def small(text: str) -> str:
    """Return the text in small letters, as long as it was: of one letter alone the small form is two."""
    return text.replace("İ", "I").lower()


_BLANKS = pattern(r"[\s\"'`<>]")
_BLANK_CHARS = frozenset(" \t\n\r\x0b\x0c\"'`<>")
_NOT_ONLY_SMALL = pattern(r"[0-9A-Z]")
_REGION_BEFORE_MAX, _REGION_MAX = 300, 2_500


def regions(text: str, *, with_slashes: bool = False) -> list[tuple[int, int]]:
    """Return the stretches without a blank or quote in which enough characters of a key follow each other.

    Every expression for a key is tried on these alone: on a whole text each of them would take as long as this.
    """
    folded, run = folded_runs(text.encode("ascii", "replace"), with_slashes=with_slashes)
    found: list[tuple[int, int]] = []
    at = folded.find(run)
    while at >= 0:
        start, lowest = at, max(0, at - _REGION_BEFORE_MAX, found[-1][1] if found else 0)
        while start > lowest and text[start - 1] not in _BLANK_CHARS:
            start -= 1
        behind = _BLANKS.search(text, at + len(run), at + _REGION_MAX)
        end = behind.start() if behind is not None else min(len(text), at + _REGION_MAX)
        if _NOT_ONLY_SMALL.search(text, start, end) is not None:  # names_of_things are most of them
            found.append((start, end))
        at = folded.find(run, end)
    return found
