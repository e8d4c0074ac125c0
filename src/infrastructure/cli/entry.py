"""Where a `ctx` process starts: the thin path for `search` and `get`, the full command line for the rest."""

from __future__ import annotations

import os
import sys

from .arguments import GET, GET_DEFAULTS, SEARCH, SEARCH_DEFAULTS, parse


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
    if command == "search":
        read = parse(rest, SEARCH, SEARCH_DEFAULTS)
        if read is not None and len(read[1]) == 1:
            from .commands import run_search

            return run_search(read[1][0], **read[0])
    elif command == "get":
        read = parse(rest, GET, GET_DEFAULTS)
        if read is not None and (read[1] or read[0]["ids"]):
            from .commands import run_get

            return run_get(read[1], **read[0])
    from .app import run

    return run(given)
