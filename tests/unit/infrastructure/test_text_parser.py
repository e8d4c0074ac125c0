"""Parsing what is typed in a process that stays, and what its loss costs."""

from __future__ import annotations

import os
import resource
import select
import signal
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure import text_parser
from ctx.infrastructure.config import load_config
from ctx.infrastructure.text_parser import ParserLostError, TextParser

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def parser(tmp_path: Path) -> Iterator[TextParser]:
    """A parser of an empty segment."""
    made = TextParser(str(tmp_path), load_config(str(tmp_path), os.environ))
    yield made
    made.close()


def test_records_are_of_the_texts(parser: TextParser) -> None:
    """One process makes them one after the other; the file is not looked at."""
    first = parser.record_of(b"a.py", b"def one(): ...\n", -1)
    process = parser._process
    second = parser.record_of(b"sub/b.py", b"def two(): ...\n" * 5_000, -2)
    assert process is parser._process
    assert [("a.py", "one", 15, -1), ("sub/b.py", "two", 75_000, -2)] == [
        (record.path, record.definitions[0].name, record.size_bytes, record.mtime_ns) for record in (first, second)
    ]


def test_a_lost_process_costs_one_text(parser: TextParser) -> None:
    """The next text gets another one."""
    parser.record_of(b"a.py", b"x = 1\n", -1)
    assert parser._process is not None
    lost = parser._process.pid
    os.kill(lost, signal.SIGKILL)
    with pytest.raises(ParserLostError):
        parser.record_of(b"a.py", b"x = 2\n", -2)
    assert "ok" == parser.record_of(b"a.py", b"x = 3\n", -3).status
    assert lost != parser._process.pid


@pytest.mark.parametrize("size_bytes", [6, 1_000_000], ids=["text of a line", "text that no pipe holds"])
def test_one_that_hangs_is_ended(parser: TextParser, monkeypatch: pytest.MonkeyPatch, size_bytes: int) -> None:
    """After its limit, also when it does not take the text."""
    parser.record_of(b"a.py", b"x = 1\n", -1)
    assert parser._process is not None
    os.kill(parser._process.pid, signal.SIGSTOP)
    monkeypatch.setattr(parser, "_limit_s", 0.05)
    with pytest.raises(ParserLostError):
        parser.record_of(b"a.py", b"x = 2\n" + b"#" * (size_bytes - 6), -2)
    assert parser._process is None


def test_an_answer_that_is_there_counts_for_who_is_late(parser: TextParser, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that was stopped while the parser answered has let all of the time pass by itself."""
    parser.record_of(b"a.py", b"x = 1\n", -1)
    process = parser._process
    assert process is not None
    times = iter([0.0, 1.0])

    class Late:
        def monotonic(self) -> float:
            now_s = next(times, 3600.0)
            if now_s == 3600.0:
                assert select.select([process.from_child], [], [], 60)[0]
            return now_s

    monkeypatch.setattr(text_parser, "time", Late())
    assert "ok" == parser.record_of(b"a.py", b"x = 2\n", -2).status
    assert process is parser._process


def test_a_process_with_many_open_files_can_have_texts_parsed(tmp_path: Path) -> None:
    """Descriptors beyond 1023 are as good as others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 1100
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip("this system lets nobody have so many open")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    held = [os.open(os.devnull, os.O_RDONLY)]
    parser = TextParser(str(tmp_path), load_config(str(tmp_path), os.environ))
    try:
        while held[-1] < 1024:
            held.append(os.dup(held[0]))
        assert "ok" == parser.record_of(b"a.py", b"x = 1\n", -1).status
    finally:
        for fd in held:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        parser.close()
