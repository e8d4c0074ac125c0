"""`ctx mcp` and `ctx mcp install`: the agent's server, and the clients that are to start it."""

from __future__ import annotations

import gc
import os
import shutil
import sys
from importlib.util import find_spec
from typing import TYPE_CHECKING

from ...domain.errors import CtxError
from ..services import say
from .runner import EXIT_CANNOT, EXIT_OK, fail

if TYPE_CHECKING:
    from ..agent.clients import Scope

MISSING = "ctx mcp needs the package mcp: pip install 'ctx-code[mcp]'"


def run_mcp(*, segment: str | None = None) -> int:
    """`ctx mcp`: serve one client over standard input and output until its input ends."""
    if find_spec("mcp") is None:
        say(MISSING)
        return EXIT_CANNOT
    gc.disable()  # what is imported now is never dropped, and there is much of it
    try:
        from ..agent.server import AgentServer
        from ..agent.stdio import serve
    except ImportError as error:
        say(f"{MISSING} (found one that lacks {error.name})")
        return EXIT_CANNOT
    gc.freeze()
    gc.enable()
    if sys.stdin.isatty():
        say("waiting for a client on standard input (Ctrl-D ends); `ctx mcp install --client NAME` sets one up")
    try:
        AgentServer(segment)  # what is wrong with --segment is said before a client waits
        code = serve(lambda: AgentServer(segment))
    except CtxError as error:
        return fail("mcp", error, as_json=False)
    sys.stderr.flush()
    # A thread that still waits for a disk or a pipe would keep the process, and there is nothing left to write.
    os._exit(code)


def run_install(
    client: str, *, scope: Scope = "project", name: str = "ctx", is_written: bool = False, segment: str | None = None
) -> int:
    """`ctx mcp install`: print, or write, what a client's configuration needs to start `ctx mcp`."""
    from ..agent.clients import plan, write
    from ..segment import find_segment

    try:
        installation = plan(
            client,
            scope=scope,
            name=name,
            project=find_segment(segment),
            command=_command(scope),
            environment=os.environ,
        )
        if not is_written:
            sys.stdout.write(installation.entry)
            sys.stdout.flush()
            is_there = f"this is already in {installation.path}"
            say(is_there if installation.is_there else f"this goes into {installation.path}; --write puts it there")
            return EXIT_OK
        if installation.is_there:
            say(f"{installation.path}: {name} is there already")
            return EXIT_OK
        write(installation)
        say(f"{installation.path}: {name} added; restart {installation.client.title}, or reload its servers")
    except CtxError as error:
        return fail("mcp", error, as_json=False)
    return EXIT_OK


def _command(scope: Scope) -> str:
    """Return how a client starts ctx: in a project's file, which others share, by name; else by its place.

    A client that was started from a desktop does not have a shell's PATH.
    """
    if scope == "project":
        return "ctx"
    own = os.path.abspath(sys.argv[0])
    if os.path.basename(own) == "ctx" and os.access(own, os.X_OK):
        return own
    return shutil.which("ctx") or "ctx"
