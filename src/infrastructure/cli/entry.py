"""Where a `ctx` process starts: the thin path for what answers questions, the full command line for the rest."""

from __future__ import annotations

import io
import os
import sys

from .arguments import SEGMENT, parse, read


def main(arguments: list[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    _fill_standard_streams()
    _buffer_output()
    _learn_of_children()
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


def _buffer_output() -> None:
    """Have all of an answer written, or fail, also with PYTHONUNBUFFERED.

    Without a buffer one write is one call of the system, and nobody looks at how much of the text it took. What has to
    be seen at once is flushed in any case.
    """
    stream = sys.stdout
    if type(stream) is not io.TextIOWrapper or not isinstance(stream.buffer, io.RawIOBase):
        return  # buffered, or a caller's own
    raw = io.FileIO(stream.fileno(), "w", closefd=False)
    sys.stdout = io.TextIOWrapper(
        io.BufferedWriter(raw), stream.encoding, stream.errors, newline="\n", line_buffering=stream.isatty()
    )


def _learn_of_children() -> None:
    """Have the system keep how our processes ended: whoever ignores SIGCHLD hands that on, and then it does not."""
    import signal

    if hasattr(signal, "SIGCHLD") and signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _run(given: list[str]) -> int:  # noqa: PLR0911 - one line a command
    line = read(given)
    if line is None and given[:1] == ["mcp"]:
        found = parse(given[1:], SEGMENT, {"segment": None})
        if found is not None and not found[1]:
            from .mcp_command import run_mcp  # a client waits for the handshake, and typer alone takes 0.1 s

            return run_mcp(**found[0])
    if line is None:
        from .app import run

        return run(given)
    command, options, words = line
    match command:
        case "search":
            from .commands import run_search

            return run_search(words[0], **options)
        case "get":
            from .commands import run_get

            return run_get(words, **options)
        case "resolve":
            from .navigation import run_resolve

            return run_resolve(words[0], **options)
        case "refs":
            from .navigation import run_refs

            return run_refs(words[0], **options)
        case "hover":
            from .hover_command import run_hover

            return run_hover(words[0], **options)
        case _:
            from .map_command import run_map

            return run_map(words, **options)
