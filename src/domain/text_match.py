"""Text patterns: what a literal or a regular expression may say, and what an engine is asked for it.

Owns the supported syntax, which is the common part of RE2's and of ripgrep's, and the values of a text search. Every
pattern is taken apart here and put together again in two spellings, so no difference between engines can show:
`exact` decides what matches, `wide` may match more and is for finding the files worth reading.

A pattern matches within one line. Classes (`\\d`, `\\w`, `\\s`, `\\b`, `[:alpha:]`) are those of ASCII.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple, NoReturn

from .errors import UsageError

PATTERN_CHARS_MAX = 4_000
NESTING_MAX = 50
REPEAT_MAX = 1_000
"""RE2's own limit; it also bounds what nested repeats multiply up to."""
MATCH_CHARS_MAX = 160
"""As much of a line is handed on with a match."""

_ANY = "."
_NEWLINE = 0x0A
_CODE_POINT_MAX = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)
_CONTROL_ESCAPES = {"a": 0x07, "f": 0x0C, "t": 0x09, "r": 0x0D, "v": 0x0B}
_WHITESPACE = ((0x09, 0x09), (0x0B, 0x0D), (0x20, 0x20))
_PERL_RANGES = {
    "d": ((0x30, 0x39),),
    "w": ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)),
    "s": _WHITESPACE,
}
_POSIX_RANGES = {
    "alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "digit": _PERL_RANGES["d"],
    "lower": ((0x61, 0x7A),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": _WHITESPACE,
    "upper": ((0x41, 0x5A),),
    "word": _PERL_RANGES["w"],
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}
_CATEGORIES = frozenset(
    "C Cc Cf Co Cs L Ll Lm Lo Lt Lu M Mc Me Mn N Nd Nl No P Pc Pd Pe Pf Pi Po Ps S Sc Sk Sm So Z Zl Zp Zs".split()
)
_SPECIAL = {".": (_ANY, _ANY), "^": ("^", "^"), "$": ("$", r"(?:\r?$)")}
"""ripgrep sees the CR of a CRLF, the exact engine does not."""
_COUNT = re.compile(r"\{([0-9]{1,9})(?:(,)([0-9]{1,9})?)?\}")
_PROPERTY = re.compile(r"\{(\^?)([A-Za-z]+)\}|([A-Z])")
_HEX = re.compile(r"x([0-9A-Fa-f]{2})|x\{([0-9A-Fa-f]{1,8})\}|u([0-9A-Fa-f]{4})")
_POSIX = re.compile(r"\[:(\^?)([a-z]*):\]")
_NAMED_GROUP = re.compile(r"\?P?<([A-Za-z_][A-Za-z0-9_]*)>")
_IDENTIFIER = re.compile(r"[^\W\d]\w*")


@dataclass(frozen=True, slots=True)
class TextPattern:
    """A pattern in its three spellings: as typed, for RE2 (`exact`), and for ripgrep (`wide`: never matches less)."""

    source: str
    is_regex: bool
    exact: str
    wide: str


class TextFile(NamedTuple):
    """An indexed file to look through; `encoding` is the codec it was indexed with."""

    os_path: bytes
    path: str
    encoding: str


class LineMatch(NamedTuple):
    """The first match in a line.

    `line` and `column` are 1-based, the column in characters. `text` is the line, or what stands around the match in a
    long one, with … where it was cut; `text[start:end]` is the match, as far as it is in there.
    """

    line: int
    column: int
    text: str
    start: int
    end: int


def literal_pattern(text: str, *, ignore_case: bool = False) -> TextPattern:
    """Return the pattern that matches the text itself.

    Raises: UsageError for a text that is empty, too long or of several lines.
    """
    _check_length(text, "--literal")
    if "\n" in text:
        raise UsageError("--literal: the text holds a line break; a match lies in one line, give one of the lines")
    flag = "(?i)" if ignore_case else ""
    exact = "".join(_spelled(ord(c)) for c in text)
    wide = "".join(_wide_char(ord(c), ignore_case=ignore_case) for c in text)
    return TextPattern(text, False, flag + exact, flag + wide)


def regex_pattern(text: str, *, ignore_case: bool = False) -> TextPattern:
    r"""Return the pattern that a regular expression means.

    Supported: literals, `.`, classes, `\d \w \s \b` and their opposites, `\p{L}` (general categories), `[:alpha:]`,
    groups, `|`, `* + ? {n,m}` and their lazy forms, `^ $` at the ends of lines, `(?i)` in front.

    Raises: UsageError that names the column and what to do, for anything else.
    """
    _check_length(text, "--regex")
    return _Parser(text, ignore_case=ignore_case).pattern()


def cut_around(line: str, start: int, end: int, chars_max: int = MATCH_CHARS_MAX) -> tuple[str, int, int]:
    """Return a line without the blanks at its end, cut to a width around a match, and where the match is in that."""
    line = line.rstrip()
    start, end = min(start, len(line)), min(end, len(line))
    if len(line) <= chars_max:
        return line, start, end
    room = max(0, chars_max - (end - start))
    first = max(0, min(start - room // 2, len(line) - chars_max))
    last = min(len(line), first + chars_max)
    head, tail = "…" if first else "", "…" if last < len(line) else ""
    shown = head + line[first + len(head) : last - len(tail)] + tail
    return shown, start - first, max(start - first, min(end - first, len(shown)))


def names_matched(match: LineMatch) -> tuple[frozenset[str], frozenset[str]]:
    """Return the identifiers within the match, and those that it touches, whole."""
    text, start, end = match.text, match.start, match.end
    while start and (text[start - 1].isalnum() or text[start - 1] == "_"):
        start -= 1
    while end < len(text) and (text[end].isalnum() or text[end] == "_"):
        end += 1
    touched = frozenset(_IDENTIFIER.findall(text[start:end]))
    return frozenset(_IDENTIFIER.findall(match.text[match.start : match.end])) & touched, touched


def _check_length(text: str, option: str) -> None:
    if not text:
        raise UsageError(f"{option}: the pattern is empty and would match every line; give what to look for")
    if len(text) > PATTERN_CHARS_MAX:
        raise UsageError(f"{option}: the pattern is {len(text)} characters long, at most {PATTERN_CHARS_MAX} are taken")


def _spelled(code: int) -> str:
    """Return a character as both engines read it: letters and digits bare, the rest by its number."""
    c = chr(code)
    return c if c.isascii() and c.isalnum() else f"\\x{{{code:X}}}"


def _wide_char(code: int, *, ignore_case: bool) -> str:
    # Engines fold with the Unicode tables they were built with; beyond ASCII those differ from version to version.
    return _ANY if ignore_case and code > 0x7F else _spelled(code)


class _Parser:
    """Recursive descent over one pattern; every method returns the (exact, wide) spellings of what it read."""

    def __init__(self, text: str, *, ignore_case: bool) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._ignore_case = ignore_case

    def pattern(self) -> TextPattern:
        if self._text.startswith("(?i)"):
            self._at = 4
            self._ignore_case = True
        exact, wide = self._alternatives()
        if self._at < len(self._text):
            self._fail("this ) closes nothing", r"write \) for the character")
        flags = "(?mi)" if self._ignore_case else "(?m)"
        return TextPattern(self._text, True, flags + exact, flags + wide)

    def _fail(self, what: str, do: str, at: int | None = None) -> NoReturn:
        column = (self._at if at is None else at) + 1
        raise UsageError(f"--regex: column {column}: {what}; {do}")

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _alternatives(self) -> tuple[str, str]:
        branches = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            branches.append(self._sequence())
        if len(branches) == 1:
            return branches[0]
        return _group("|".join(exact for exact, _ in branches)), _group("|".join(wide for _, wide in branches))

    def _sequence(self) -> tuple[str, str]:
        parts: list[tuple[str, str]] = []
        while (c := self._peek()) and c not in "|)":
            parts.append(self._repeated())
        if not parts:
            return "(?:)", "(?:)"
        return "".join(exact for exact, _ in parts), "".join(wide for _, wide in parts)

    def _repeated(self) -> tuple[str, str]:
        exact, wide = self._atom()
        mark = self._quantifier()
        if not mark:
            return exact, wide
        again_at = self._at
        if self._quantifier():
            self._fail("a repeat of a repeat", "put the first one into a group: (?:…)", at=again_at)
        return _group(exact) + mark, _group(wide) + mark

    def _quantifier(self) -> str:
        """Read `*`, `+`, `?` or `{n,m}` and its lazy mark; "" when there is none (a lone { is a character)."""
        mark = self._peek()
        if mark and mark in "*+?":
            self._at += 1
        elif (count := _COUNT.match(self._text, self._at)) is not None:
            low = int(count[1])
            high = int(count[3]) if count[3] else low
            if max(low, high) > REPEAT_MAX:
                self._fail(f"a repeat of more than {REPEAT_MAX}", "give a smaller number, or none")
            if high < low:
                self._fail("the first number of the repeat is the larger one", "exchange the two")
            self._at = count.end()
            mark = count[0]
        else:
            return ""
        if self._peek() == "?":
            self._at += 1
            mark += "?"
        return mark

    def _atom(self) -> tuple[str, str]:
        c = self._peek()
        if c == "(":
            return self._parenthesis()
        if c == "[":
            return self._class()
        if c == "\\":
            return self._escape()
        if c in "*+?":
            self._fail(f"nothing before {c} that it could repeat", f"write \\{c} for the character")
        if c == "\n":
            self._fail("a line break", "a match lies in one line, look for one of the lines")
        self._at += 1
        return _SPECIAL.get(c) or self._char(ord(c))

    def _char(self, code: int) -> tuple[str, str]:
        return _spelled(code), _wide_char(code, ignore_case=self._ignore_case)

    def _parenthesis(self) -> tuple[str, str]:
        opened_at = self._at
        self._at += 1
        if self._text.startswith("?", self._at):
            named = _NAMED_GROUP.match(self._text, self._at)
            if named is not None:
                self._at = named.end()
            elif self._text.startswith("?:", self._at):
                self._at += 2
            elif self._text.startswith(("?=", "?!", "?<=", "?<!"), self._at):
                self._fail(
                    "looking ahead or behind is not supported", "search for more and read the lines", at=opened_at
                )
            else:
                self._fail("an unknown kind of group", "known are (…), (?:…), (?P<name>…) and (?i) in front", opened_at)
        self._depth += 1
        if self._depth > NESTING_MAX:
            self._fail(f"more than {NESTING_MAX} groups in each other", "write it flatter", at=opened_at)
        exact, wide = self._alternatives()
        if self._peek() != ")":
            self._fail("this ( is not closed", r"add ), or write \( for the character", at=opened_at)
        self._at += 1
        self._depth -= 1
        return _group(exact), _group(wide)

    def _escape(self) -> tuple[str, str]:
        escaped_at = self._at
        name = self._text[self._at + 1 : self._at + 2]
        if name in ("b", "B"):
            self._at += 2
            return (r"\b", r"(?-u:\b)") if name == "b" else (r"\B", "(?:)")
        if name in ("A", "z", "Z"):
            self._fail(f"\\{name} is not supported", "^ and $ are the ends of a line", at=escaped_at)
        found = self._escaped()
        if isinstance(found, int):
            return self._char(found)
        ranges, exact = found
        return f"[{exact}]", _ANY if ranges is None else _class_of(ranges)

    def _escaped(self) -> int | tuple[tuple[tuple[int, int], ...] | None, str]:
        """Read an escape: a character's code, or of a set its ranges (None: not told) and spelling."""
        escaped_at = self._at
        self._at += 1
        name = self._peek()
        self._at += 1
        if not name:
            self._fail("a \\ at the end", r"write \\ for the character", at=escaped_at)
        if name.lower() in _PERL_RANGES:
            ranges = _PERL_RANGES[name.lower()]
            if name.islower():
                return ranges, _ranges_spelled(ranges)
            # Of the opposites only \W holds letters (K, the Kelvin sign) that would fold into what it leaves out.
            return None, r"\W" if name == "W" else _ranges_spelled(_complement(ranges))
        if name in ("p", "P"):
            return None, self._property(escaped_at)
        if name in ("x", "u"):
            return self._hexadecimal(escaped_at)
        if name in ("n", "\n"):
            self._fail("a line break", "a match lies in one line, look for one of the lines", at=escaped_at)
        if name in _CONTROL_ESCAPES:
            return _CONTROL_ESCAPES[name]
        if name.isdigit():
            self._fail("references to groups are not supported", "search for more and read the lines", at=escaped_at)
        if name.isalnum() or name in "<>":
            self._fail(f"\\{name} means nothing here", "leave the \\ out for the character", at=escaped_at)
        return ord(name)

    def _property(self, escaped_at: int) -> str:
        found = _PROPERTY.match(self._text, self._at)
        name = (found[2] or found[3]) if found is not None else ""
        if found is None or name not in _CATEGORIES:
            self._fail(
                "not a general category of Unicode", r"one is e.g. \p{L}, \p{Lu}, \p{Nd} or \p{P}", at=escaped_at
            )
        self._at = found.end()
        is_negated = (self._text[escaped_at + 1] == "P") != bool(found[1])
        return f"\\{'P' if is_negated else 'p'}{{{name}}}"

    def _hexadecimal(self, escaped_at: int) -> int:
        found = _HEX.match(self._text, escaped_at + 1)
        if found is None:
            self._fail("not a character's number", r"it is \xHH, \x{H…} or \uHHHH", at=escaped_at)
        self._at = found.end()
        code = int(found[1] or found[2] or found[3], 16)
        if code > _CODE_POINT_MAX or code in _SURROGATES:
            self._fail("no character has this number", r"they end at \x{10FFFF}", at=escaped_at)
        if code == _NEWLINE:
            self._fail("a line break", "a match lies in one line, look for one of the lines", at=escaped_at)
        return code

    def _class(self) -> tuple[str, str]:
        opened_at = self._at
        self._at += 1
        is_negated = self._peek() == "^"
        self._at += is_negated
        ranges: list[tuple[int, int]] = []
        opaque: list[str] = []
        first_at = self._at
        while (c := self._peek()) != "]" or self._at == first_at:
            if not c:
                self._fail("this [ is not closed", r"add ], or write \[ for the character", at=opened_at)
            item_at = self._at
            low = self._class_item(ranges, opaque)
            if low is None:
                continue
            high = low
            if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in ("", "]"):
                self._at += 1
                end = self._class_item([], [])
                if end is None or end < low:
                    self._fail("not a range of characters", r"write \- for the character", at=item_at)
                high = end
            ranges.append((low, high))
        self._at += 1
        inside = _ranges_spelled(ranges if is_negated else _without_newline(ranges)) + "".join(opaque)
        if is_negated:
            return f"[^{inside}\\x{{A}}]", _ANY
        if not inside:
            self._fail("this class has no character", "give one", at=opened_at)
        is_beyond_ascii = any(high > 0x7F for _, high in ranges)
        if opaque or (self._ignore_case and is_beyond_ascii):
            return f"[{inside}]", _ANY
        return f"[{inside}]", f"[{inside}]"

    def _class_item(self, ranges: list[tuple[int, int]], opaque: list[str]) -> int | None:
        """Read one member: return a character's code, or None after adding a whole set to `ranges` or `opaque`."""
        c = self._peek()
        if c == "[" and (posix := _POSIX.match(self._text, self._at)) is not None:
            named = _POSIX_RANGES.get(posix[2])
            if named is None:
                self._fail("an unknown class", f"known are {', '.join(_POSIX_RANGES)}")
            self._at = posix.end()
            if posix[1]:
                opaque.append(f"[:^{posix[2]}:]")
            else:
                ranges.extend(named)
            return None
        if c == "\\":
            if self._text.startswith(("\\b", "\\B"), self._at):
                self._fail("a word's end is no character", "take it out of the [ ]")
            found = self._escaped()
            if isinstance(found, int):
                return found
            if found[0] is None:
                opaque.append(found[1])
            else:
                ranges.extend(found[0])
            return None
        if c == "\n":
            self._fail("a line break", "a match lies in one line, look for one of the lines")
        self._at += 1
        return ord(c)


def _group(spelled: str) -> str:
    return f"(?:{spelled})"


def _class_of(ranges: tuple[tuple[int, int], ...]) -> str:
    return f"[{_ranges_spelled(ranges)}]"


def _ranges_spelled(ranges: list[tuple[int, int]] | tuple[tuple[int, int], ...]) -> str:
    return "".join(_spelled(low) if low == high else f"{_spelled(low)}-{_spelled(high)}" for low, high in ranges)


def _complement(ranges: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    """Return everything outside sorted ranges but the line feed."""
    outside, at = [], 0
    for low, high in ranges:
        if at < low:
            outside.append((at, low - 1))
        at = high + 1
    outside.append((at, _CODE_POINT_MAX))
    return _without_newline(outside)


def _without_newline(ranges: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept = []
    for low, high in ranges:
        if low <= _NEWLINE <= high:
            kept += [part for part in ((low, _NEWLINE - 1), (_NEWLINE + 1, high)) if part[0] <= part[1]]
        else:
            kept.append((low, high))
    return kept
