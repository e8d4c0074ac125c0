"""The thin parser for the commands that answer questions: typer alone takes ~0.1 s to import.

It imports nothing, not even `typing` (10 ms): a start whose command goes to the warm host reads it, too. It reads
well-formed command lines of known options and gives up on everything else (help, mistakes, completion), which then
goes to the full command line in `app`. One table here feeds both.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

SEGMENT: dict[str, tuple[str, type]] = {
    "--segment": ("segment", str),
    "-s": ("segment", str),
}
COMMON: dict[str, tuple[str, type]] = SEGMENT | {
    "--json": ("as_json", bool),
    "--no-redact": ("no_redact", bool),
}

SEARCH: dict[str, tuple[str, type]] = COMMON | {
    "--limit": ("limit", int),
    "-n": ("limit", int),
    "--kind": ("kind", list),
    "--lang": ("lang", list),
    "--path": ("path", list),
    "--budget": ("budget", int),
    "-b": ("budget", int),
    "--budget-token-est": ("budget", int),
    "--regex": ("regex", bool),
    "-e": ("regex", bool),
    "--literal": ("literal", bool),
    "-F": ("literal", bool),
    "--ignore-case": ("ignore_case", bool),
    "-i": ("ignore_case", bool),
    "--focus": ("focus", tuple),
}
"""An option of type `list` may be given several times; its values are joined by commas, as they may be written. One
of type `tuple` may be repeated, too; its values stay apart, because a path may have a comma in it."""

GET: dict[str, tuple[str, type]] = COMMON | {
    "--ids": ("ids", str),
    "--mode": ("mode", str),
    "-m": ("mode", str),
    "--budget": ("budget", int),
    "-b": ("budget", int),
    "--budget-token-est": ("budget", int),
    "--latest": ("latest", bool),
}

HOVER: dict[str, tuple[str, type]] = COMMON | {
    "--no-lsp": ("no_lsp", bool),
}

RESOLVE: dict[str, tuple[str, type]] = HOVER | {
    "--limit": ("limit", int),
    "-n": ("limit", int),
}

REFS: dict[str, tuple[str, type]] = RESOLVE | {
    "--callers": ("callers", bool),
    "--callees": ("callees", bool),
    "--budget": ("budget", int),
    "-b": ("budget", int),
    "--budget-token-est": ("budget", int),
    "--deadline": ("deadline_s", float),
}

MAP: dict[str, tuple[str, type]] = COMMON | {
    "--budget": ("budget", int),
    "-b": ("budget", int),
    "--budget-token-est": ("budget", int),
    "--focus": ("focus", tuple),
}

SEARCH_DEFAULTS: dict[str, Any] = {
    "segment": None,
    "as_json": False,
    "no_redact": False,
    "limit": None,
    "kind": None,
    "lang": None,
    "path": None,
    "budget": None,
    "regex": False,
    "literal": False,
    "ignore_case": False,
    "focus": (),
}
GET_DEFAULTS: dict[str, Any] = {
    "segment": None,
    "as_json": False,
    "no_redact": False,
    "ids": "",
    "mode": "",
    "budget": None,
    "latest": False,
}
HOVER_DEFAULTS: dict[str, Any] = {"segment": None, "as_json": False, "no_redact": False, "no_lsp": False}
RESOLVE_DEFAULTS: dict[str, Any] = {
    "segment": None,
    "as_json": False,
    "no_redact": False,
    "limit": None,
    "no_lsp": False,
}
REFS_DEFAULTS: dict[str, Any] = {
    "segment": None,
    "as_json": False,
    "no_redact": False,
    "limit": None,
    "callers": False,
    "callees": False,
    "budget": None,
    "deadline_s": None,
    "no_lsp": False,
}
MAP_DEFAULTS: dict[str, Any] = {"segment": None, "as_json": False, "no_redact": False, "budget": None, "focus": ()}

THIN: dict[str, tuple[dict[str, tuple[str, type]], dict[str, Any]]] = {
    "search": (SEARCH, SEARCH_DEFAULTS),
    "get": (GET, GET_DEFAULTS),
    "resolve": (RESOLVE, RESOLVE_DEFAULTS),
    "refs": (REFS, REFS_DEFAULTS),
    "hover": (HOVER, HOVER_DEFAULTS),
    "map": (MAP, MAP_DEFAULTS),
}
"""What may start without typer: each command's options and their defaults."""


def read(given: list[str]) -> tuple[str, dict[str, Any], list[str]] | None:
    """Return command, options and words of a whole command line that needs nothing but this; None for any other."""
    command, rest = (given[0], given[1:]) if given else ("", [])
    tables = THIN.get(command)
    found = parse(rest, *tables) if tables is not None else None
    if found is None:
        return None
    options, words = found
    is_whole = words or options["ids"] if command == "get" else command == "map" or len(words) == 1
    return (command, options, words) if is_whole else None


def parse(arguments: list[str], table: dict[str, tuple[str, type]], defaults: dict[str, Any]) -> Any:
    """Return (options, positional words), or None when the full command line has to decide."""
    options = dict(defaults)
    words: list[str] = []
    at = 0
    while at < len(arguments):
        word = arguments[at]
        at += 1
        if word == "--":
            words += arguments[at:]
            break
        if not word.startswith("-") or word == "-":
            words.append(word)
            continue
        flag, has_value, value = word.partition("=") if word.startswith("--") else (word, "", "")
        row = table.get(flag)
        if row is None:
            return None
        name, kind = row
        if kind is bool:
            if has_value:
                return None
            options[name] = True
            continue
        if not has_value:
            if at >= len(arguments):
                return None
            value = arguments[at]
            at += 1
        options[name] = _value(value, kind, options[name])
        if options[name] is None:
            return None
    return options, words


def _value(text: str, kind: type, before: Any) -> Any:
    """Return the value of an option, after the ones it had before; None for a text that is none."""
    if kind is tuple:
        return (*before, text)
    if kind is list and before:
        return f"{before},{text}"
    return _number(text, kind) if kind in (int, float) else text


def _number(text: str, kind: type) -> Any:
    """Return a number of that kind, None for a text that is none to the full command line."""
    if not text.isascii():
        return None  # int() reads digits of any script, the full command line does not
    try:
        return kind(text)
    except ValueError:
        return None
