"""What ends the server besides its client's word: the client's process is gone, or a signal asks for it."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

LOOK_EVERY_S = 1.0


def watch_process(pid: int, loop: asyncio.AbstractEventLoop, on_end: Callable[[], None]) -> None:
    """Call `on_end` in the loop when a process ends; never for one that is not there now.

    A client in a container or on another machine gives a number that means nothing here.
    """
    if not _is_there(pid):
        return
    if hasattr(os, "pidfd_open"):
        with contextlib.suppress(OSError):
            fd = os.pidfd_open(pid)

            def ended() -> None:
                loop.remove_reader(fd)
                os.close(fd)
                on_end()

            loop.add_reader(fd, ended)
            return

    def look() -> None:
        if _is_there(pid):
            loop.call_later(LOOK_EVERY_S, look)
        else:
            on_end()

    loop.call_later(LOOK_EVERY_S, look)


def watch_signals(loop: asyncio.AbstractEventLoop, on_end: Callable[[], None]) -> None:
    """Call `on_end` in the loop on SIGTERM, SIGINT and SIGHUP."""
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, on_end)


def _is_there(pid: int) -> bool:
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass  # it is somebody else's, and there
    return True
