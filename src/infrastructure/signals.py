"""Ending on request: SIGTERM turned into what Ctrl-C does, so that one way of cleaning up serves both."""

from __future__ import annotations

import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@contextmanager
def terminable() -> Iterator[Callable[[], bool]]:
    """Raise KeyboardInterrupt on SIGTERM within the block; gives a function that tells whether that happened.

    Only in the main thread, where Python runs handlers.
    """
    was_terminated = False

    def end(_signal: int, _frame: object) -> None:
        nonlocal was_terminated
        was_terminated = True
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield lambda: was_terminated
    finally:
        signal.signal(signal.SIGTERM, before)
