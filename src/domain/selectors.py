"""How a symbol is named: one grammar for every spelling a person or a program types.

    selector = "sym://" language "/" module [ "/" name ]      sym://python/django.db.models.query/QuerySet.filter
             | path "#" name [ "@" hash [ "~" twin ] ]        src/cart.py#Cart.add_line, an id of `ctx search`
             | path ":" line [ ":" column ]                   src/cart.py:12:8
             | name                                           Cart, Cart.add_line, shop.cart.Cart, a::b::c, A\\B
    name     = part { ("." | "::" | "->" | "\\") part }

Lines and columns count from 1, columns in characters. In `sym://` the last `/` stands before the name, so module paths
may hold slashes; with one part only it is a module. What exists is not known here: `src/cart.py#Cart` and `Cart#add`
(as documentation of Ruby and Java writes a method) have the same form and differ by what the segment holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeAlias

from .chunk_ids import parse_id
from .errors import UsageError

SCHEME = "sym://"
SELECTOR_CHARS_MAX = 2000
LANGUAGE_ALIASES = {
    "py": "python",
    "js": "javascript",
    "jsx": "javascript",
    "ts": "typescript",
    "golang": "go",
    "rs": "rust",
    "c++": "cpp",
    "c#": "csharp",
    "cs": "csharp",
    "rb": "ruby",
    "sh": "bash",
}
"""Other spellings of a language; the first column is accepted, the second is what ctx calls it."""

_SHOWN_CHARS_MAX = 24
_LANGUAGE = re.compile(r"[A-Za-z][\w+#-]*")
_POSITION = re.compile(r"(?P<path>.*?[^:]):(?P<line>[0-9]+)(?::(?P<column>[0-9]+))?", re.DOTALL)
_NUMBER_MAX = 10**9
_SEPARATOR = re.compile(r"::|->|\.|\\")
_PART = re.compile(r"operator *[^\w\s.]+|[~@#!]*[\w$]+(?:-[\w$]+)*[?!=]?|[<>=!+*/%&|^\[\]~-]+")
"""One part of a name: an identifier, with what Ruby, C++ and JavaScript put around theirs, or an operator."""
_PART_BEFORE = re.compile(r"[^./]\.\Z")
_MODULE_PART = re.compile(r"[\w$@~+-]+")
_MODULE_SEPARATOR = re.compile(r"::|[./\\]")


@dataclass(frozen=True, slots=True)
class ModuleName:
    """A name inside a module, or (without parts) the module itself: `sym://python/a.b/C.d`."""

    language: str
    module: str
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{SCHEME}{self.language}/{self.module}" + (f"/{'.'.join(self.parts)}" if self.parts else "")


@dataclass(frozen=True, slots=True)
class FileName:
    """A name inside a file: `src/a.py#C.d`."""

    path: str
    parts: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.path}#{'.'.join(self.parts)}"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file; `column` 0 stands for the whole line."""

    path: str
    line: int
    column: int = 0

    def __str__(self) -> str:
        return f"{self.path}:{self.line}" + (f":{self.column}" if self.column else "")


@dataclass(frozen=True, slots=True)
class DottedName:
    """A name that may begin with its module or with what encloses it, or stand alone."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        return ".".join(self.parts)


Selector: TypeAlias = ModuleName | FileName | Position | DottedName


def format_selector(selector: Selector) -> str:
    """Return the spelling that `parse_selector` reads back as the same selector."""
    return str(selector)


def parse_selector(text: str) -> Selector:
    """Read a selector.

    Raises: UsageError with the column, what was expected there and what was found.
    """
    if len(text) > SELECTOR_CHARS_MAX:
        raise UsageError(
            f"selector is {len(text)} characters long, at most {SELECTOR_CHARS_MAX} are taken; give a name, "
            "PATH:LINE:COLUMN or sym://<language>/<module>/<name>"
        )
    for at, character in enumerate(text):
        if character < " " or character == "\x7f":
            raise _expected(text, at, "a printable character")
    if text.startswith(SCHEME):
        return _module_name(text)
    start = len(text) - len(text.lstrip())
    end = len(text.rstrip())
    if start >= end:
        raise _expected(text, 0, "a name, PATH#name, PATH:LINE:COLUMN or sym://<language>/<module>/<name>")
    position = _POSITION.fullmatch(text, start, end)
    if position is not None:
        return _position(text, position)
    mark = text.rfind("#", start, end)
    # `#` also begins the private names of JavaScript (`a.js#Box.#size`); only a path may be a dot, or end in one.
    while mark > start and (text[mark - 1] == "#" or _PART_BEFORE.search(text, start, mark)):
        mark = text.rfind("#", start, mark)
    if mark > start:
        return _file_name(text, start, mark, end)
    if "/" in text[start:end] and _PART.fullmatch(text, start, end) is None:
        raise _expected(text, end, f"'#' and a name, or ':' and a line, after the path {_shown(text[start:end])}")
    return DottedName(_parts(text, start, end, "a name"))


def _module_name(text: str) -> ModuleName:
    at = len(SCHEME)
    language = _LANGUAGE.match(text, at)
    if language is None:
        raise _expected(text, at, f"a language after {SCHEME!r}")
    at = language.end()
    if not text.startswith("/", at):
        raise _expected(text, at, f"'/' and a module path after {text[:at]!r}")
    at += 1
    last = text.rfind("/", at)
    module_end = last if last >= at else len(text)
    begun = f"a module path after {text[:at]!r}"
    if module_end == at:
        raise _expected(text, at, begun)
    where = at
    while True:
        part = _MODULE_PART.match(text, where, module_end)
        if part is None:
            raise _expected(text, where, begun if where == at else "a part of the module path")
        where = part.end()
        if where == module_end:
            break
        separator = _MODULE_SEPARATOR.match(text, where, module_end)
        if separator is None:
            raise _expected(text, where, "'.', '/' or '::' between parts of the module path")
        where = separator.end()
    name = language.group().lower()
    parts = _parts(text, last + 1, len(text), f"a name after {text[: last + 1]!r}") if last >= at else ()
    return ModuleName(LANGUAGE_ALIASES.get(name, name), text[at:module_end], parts)


def _file_name(text: str, start: int, mark: int, end: int) -> FileName:
    wanted = parse_id(text[start:end])
    if wanted is not None:
        mark, end = start + len(wanted.path), start + len(wanted.path) + 1 + len(wanted.qualname)
    return FileName(text[start:mark], _parts(text, mark + 1, end, "a name after '#'"))


def _position(text: str, match: re.Match[str]) -> Position:
    numbers = []
    for group in ("line", "column"):
        digits = match[group]
        if digits is None:
            continue
        if len(digits) > len(str(_NUMBER_MAX)) or not 1 <= int(digits) <= _NUMBER_MAX:
            raise _expected(text, match.start(group), f"a {group} from 1 on")
        numbers.append(int(digits))
    return Position(match["path"], *numbers)


def _parts(text: str, start: int, end: int, what: str) -> tuple[str, ...]:
    """Read a name of one or more parts; a call's empty parentheses at its end say nothing."""
    if text.endswith("()", start, end):
        end -= 2
    parts = []
    at = start
    while True:
        part = _PART.match(text, at, end)
        if part is None:
            raise _expected(text, at, what if at == start else "a name after the separator")
        parts.append(part.group())
        at = part.end()
        if at == end:
            return tuple(parts)
        separator = _SEPARATOR.match(text, at, end)
        if separator is None:
            raise _expected(text, at, "'.' or the end of the name")
        at = separator.end()


def _expected(text: str, at: int, what: str) -> UsageError:
    found = _shown(text[at : at + 1]) if at < len(text) else "the end"
    return UsageError(f"selector column {at + 1}: expected {what}, found {found}")


def _shown(text: str) -> str:
    return ascii(text) if len(text) <= _SHOWN_CHARS_MAX else ascii(text[: _SHOWN_CHARS_MAX - 1] + "…")
