"""Frames between the command and its workers."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING

from ctx.infrastructure.parse_worker import HELLO, read_frame, write_frame

if TYPE_CHECKING:
    from pathlib import Path


def test_frames_come_back_in_order_until_the_stream_ends() -> None:
    """An end in the middle of a frame is an end, too."""
    stream = io.BytesIO()
    values = [HELLO, [b"a.py", b"b\xff.py"], ("x", 1, None, ())]
    for value in values:
        write_frame(stream, value)
    whole = stream.getvalue()
    for cut in (0, 3, 9):
        short = io.BytesIO(whole[: len(whole) - cut])
        assert values[: 2 if cut else 3] == [read_frame(short) for _ in range(2 if cut else 3)]
        assert read_frame(short) is None


def test_a_worker_says_hello_and_ends_with_its_input(tmp_path: Path) -> None:
    """The end of standard input is the order to stop: a killed parent leaves no worker."""
    command = [sys.executable, "-P", "-m", "ctx.infrastructure.parse_worker", str(tmp_path), "cl100k_base", "1000", "0"]
    ended = subprocess.run(command, input=b"", capture_output=True, timeout=30)
    assert (0, b"") == (ended.returncode, ended.stderr)
    assert HELLO == read_frame(io.BytesIO(ended.stdout))
