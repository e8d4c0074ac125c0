"""A face as a process of its own: one `HostSession` that does what lines on standard input say, one answer each."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from ctx.domain.errors import CtxError
from ctx.infrastructure.host.session import HostSession


def main(segment: str, face: str) -> int:
    """Serve until the end of standard input, or until it says `close`."""
    session = HostSession(segment, face=face)
    session.open()
    answer({"pid": os.getpid(), "state": session.status()["state"]})
    for line in sys.stdin:
        verb, *arguments = json.loads(line)
        try:
            answer(do(session, verb, arguments))
        except CtxError as error:
            answer({"error": str(error)})
        if verb == "close":
            return 0
    session.close()
    return 0


def do(session: HostSession, verb: str, arguments: list[Any]) -> dict[str, Any]:
    """Do one thing and return what came of it."""
    if verb == "set":
        session.set_unsaved(*arguments)
    elif verb == "status":
        return session.status()
    elif verb == "find":
        services = session.services
        services.refresh()
        found = [row.row.name for row in services.store.definitions_named(arguments[0], 5)]
        return {"found": found, "unsaved": list(services.unsaved_paths)}
    elif verb == "close":
        session.close()
    return {}


def answer(content: dict[str, Any]) -> None:
    """Write one line."""
    sys.stdout.write(json.dumps(content) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
