"""The thin parser for `search` and `get`: standard library only, because typer alone takes ~0.1 s to import.

It reads well-formed command lines of known options and gives up on everything else (help, mistakes, completion),
which then goes to the full command line in `app`. One table here feeds both.
"""

from __future__ import annotations

from typing import Any

COMMON: dict[str, tuple[str, type]] = {
    "--segment": ("segment", str),
    "-s": ("segment", str),
    "--json": ("as_json", bool),
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
}
"""An option of type `list` may be given several times; its values are joined by commas, as they may be written."""

GET: dict[str, tuple[str, type]] = COMMON | {
    "--ids": ("ids", str),
    "--mode": ("mode", str),
    "-m": ("mode", str),
    "--budget": ("budget", int),
    "-b": ("budget", int),
    "--budget-token-est": ("budget", int),
    "--latest": ("latest", bool),
}

SEARCH_DEFAULTS: dict[str, Any] = {
    "segment": "",
    "as_json": False,
    "limit": None,
    "kind": "",
    "lang": "",
    "path": "",
    "budget": None,
    "regex": False,
    "literal": False,
    "ignore_case": False,
}
GET_DEFAULTS: dict[str, Any] = {
    "segment": "",
    "as_json": False,
    "ids": "",
    "mode": "",
    "budget": None,
    "latest": False,
}


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
        if kind is int:
            number = _whole_number(value)
            if number is None:
                return None
            options[name] = number
        elif kind is list and options[name]:
            options[name] += f",{value}"
        else:
            options[name] = value
    return options, words


def _whole_number(text: str) -> int | None:
    if not text.isascii():
        return None  # int() reads digits of any script, the full command line does not
    try:
        return int(text)
    except ValueError:
        return None
