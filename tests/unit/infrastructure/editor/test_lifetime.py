"""Tests of ctx.infrastructure.editor.lifetime."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure.editor import lifetime

if TYPE_CHECKING:
    from collections.abc import Callable


async def _end_of(make: Callable[[asyncio.AbstractEventLoop, Callable[[], None]], subprocess.Popen[bytes]]) -> None:
    ended = asyncio.Event()
    process = make(asyncio.get_running_loop(), ended.set)
    process.kill()
    process.wait()
    await asyncio.wait_for(ended.wait(), 60)


@pytest.mark.parametrize("has_pidfd", [True, False])
def test_end_of_a_process_is_told(monkeypatch: pytest.MonkeyPatch, *, has_pidfd: bool) -> None:
    """With the kernel's word for it, and where that is not to be had by looking now and then."""
    if not has_pidfd:
        monkeypatch.delattr(os, "pidfd_open")
        monkeypatch.setattr(lifetime, "LOOK_EVERY_S", 0.01)

    def start(loop: asyncio.AbstractEventLoop, on_end: Callable[[], None]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
        lifetime.watch_process(process.pid, loop, on_end)
        return process

    asyncio.run(_end_of(start))


def test_number_of_no_process_is_never_told() -> None:
    """What is not there now was never ours to miss."""

    async def watch() -> bool:
        ended = asyncio.Event()
        loop = asyncio.get_running_loop()
        for pid in (0, -1, 2**31 - 1):
            lifetime.watch_process(pid, loop, ended.set)
        await asyncio.sleep(0)
        return ended.is_set()

    assert not asyncio.run(watch())
