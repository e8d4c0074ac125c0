"""Frames between the command and its workers."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from ctx.infrastructure.file_system import MAX_FILE_BYTES
from ctx.infrastructure.parse_worker import (
    HELLO,
    MEMORY_EXIT_CODE,
    memory_limit_bytes,
    read_frame,
    write_frame,
)

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


def test_a_stream_that_takes_a_part_gets_the_rest() -> None:
    """One without a buffer may, when a signal comes."""

    class Narrow(io.BytesIO):
        def write(self, data: Any) -> int:
            return super().write(data[:3])

    stream = Narrow()
    write_frame(stream, [b"a.py" * 100])
    stream.seek(0)
    assert [b"a.py" * 100] == read_frame(stream)


def test_a_worker_says_hello_and_ends_with_its_input(tmp_path: Path) -> None:
    """The end of standard input is the order to stop: a killed parent leaves no worker."""
    command = [sys.executable, "-P", "-m", "ctx.infrastructure.parse_worker", str(tmp_path), "cl100k_base", "1000", "0"]
    ended = subprocess.run(command, input=b"", capture_output=True, timeout=30)
    assert (0, b"") == (ended.returncode, ended.stderr)
    assert HELLO == read_frame(io.BytesIO(ended.stdout))


def test_memory_is_in_proportion_to_the_files_that_are_read() -> None:
    """And never less than what the default size of a file may take."""
    assert 768 * 2**20 == memory_limit_bytes(MAX_FILE_BYTES) == memory_limit_bytes(1)
    assert 4 * memory_limit_bytes(MAX_FILE_BYTES) == memory_limit_bytes(4 * MAX_FILE_BYTES)


def _limited(*statements: str) -> subprocess.CompletedProcess[str]:
    program = ["from ctx.infrastructure.parse_worker import *", *statements]
    return subprocess.run([sys.executable, "-c", "\n".join(program)], capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not limit what is mapped")
def test_memory_beyond_the_limit_is_refused() -> None:
    """A second limit does not lift the first."""
    ended = _limited("limit_memory(200 * 2**20)", "limit_memory(2**40)", "x = b'x' * 300 * 2**20")
    assert 1 == ended.returncode
    assert "MemoryError" in ended.stderr


def test_a_worker_that_is_refused_memory_ends_with_a_code_of_its_own() -> None:
    """The parent tells it from a crash."""
    ended = _limited(
        "import io, sys",
        "class Greedy:",
        "    def index(self, path): raise MemoryError",
        "paths = io.BytesIO()",
        "write_frame(paths, [b'a.py'])",
        "paths.seek(0)",
        "serve(Greedy(), paths, io.BytesIO())",
    )
    assert (MEMORY_EXIT_CODE, "") == (ended.returncode, ended.stderr)
