"""Where a `ctx` process starts: the thin path for what answers questions, the full command line for the rest."""

from __future__ import annotations

import os
import sys
from typing import Any

from .arguments import THIN, parse


def main(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    _fill_standard_streams()
    return _run(sys.argv[1:] if arguments is None else arguments)


def _fill_standard_streams() -> None:
    """Open what the caller closed (`>&-`): the next file opened would get its number, and everything printed there."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            null = os.open(os.devnull, os.O_RDWR)
            if null != number:
                os.dup2(null, number)
                os.close(null)
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))


def _run(given: list[str]) -> int:
    command, rest = (given[0], given[1:]) if given else ("", [])
    options, words = _read(command, rest)
    match command:
        case "search" if len(words) == 1:
            from .commands import run_search

            return run_search(words[0], **options)
        case "get" if words or options.get("ids"):
            from .commands import run_get

            return run_get(words, **options)
        case "resolve" if len(words) == 1:
            from .navigation import run_resolve

            return run_resolve(words[0], **options)
        case "refs" if len(words) == 1:
            from .navigation import run_refs

            return run_refs(words[0], **options)
        case "map" if options:
            from .map_command import run_map

            return run_map(words, **options)
    from .app import run

    return run(given)


def _read(command: str, rest: list[str]) -> tuple[dict[str, Any], list[str]]:
    """Return options and words of a command that the thin parser can read; nothing for any other."""
    tables = THIN.get(command)
    read = parse(rest, *tables) if tables is not None else None
    return read if read is not None else ({}, [])
