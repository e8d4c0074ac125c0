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
    "--kind": ("kind", str),
    "--lang": ("lang", str),
    "--path": ("path", str),
    "--budget": ("budget", int),
    "-b": ("budget", int),
    "--budget-token-est": ("budget", int),
}

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
            if not value.isascii():
                return None  # int() reads digits of any script, the full command line does not
            try:
                options[name] = int(value)
            except ValueError:
                return None
        else:
            options[name] = value
    return options, words
