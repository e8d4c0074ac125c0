"""Tests of ctx.infrastructure.editor.stdio; what happens to the real descriptors is in the integration tests."""

from __future__ import annotations

import asyncio
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.infrastructure.editor.stdio import HEAD_BYTES_MAX, UNREAD_BYTES_MAX, BrokenFrameError, Frames, Reader, Writer


@given(st.lists(st.binary(max_size=40), max_size=6), st.integers(1, 30))
def test_frames_come_out_however_they_are_cut(bodies: list[bytes], size: int) -> None:
    """Any bodies, handed over in pieces of any size, are the same bodies."""
    raw = b"".join(b"Content-Length: %d\r\n\r\n%b" % (len(body), body) for body in bodies)
    frames = Frames()
    found = [body for at in range(0, len(raw), size) for body in frames.feed(raw[at : at + size])]
    assert bodies == found


def test_heads_may_hold_more_and_be_spelled_otherwise() -> None:
    """Another header, another case, bare line feeds and a head without a length do not disturb."""
    raw = b"Content-Type: x\r\ncontent-length: 2\r\n\r\n{}X-Other: 1\r\n\r\nContent-Length:3\n\n[1]"
    assert [b"{}", b"[1]"] == list(Frames().feed(raw))


def test_heads_of_both_line_ends_come_side_by_side() -> None:
    """The end of a head is the first that there is, whatever the next one ends in."""
    assert [b"{}", b"[1]"] == list(Frames().feed(b"Content-Length: 2\n\n{}Content-Length: 3\r\n\r\n[1]"))


def test_what_has_no_length_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever wonders why nothing is answered finds it on standard error, without the bytes themselves."""
    assert [] == list(Frames().feed(b"my words\r\n\r\n"))
    assert ["8 bytes without a Content-Length are skipped"] == caplog.messages


@pytest.mark.parametrize("length", [b"-1", b"many", b"99999999999", b"1e3", b""])
def test_impossible_length_is_an_error(length: bytes) -> None:
    """Nobody knows where the next frame begins."""
    with pytest.raises(BrokenFrameError, match="Content-Length must be a number"):
        list(Frames().feed(b"Content-Length: %b\r\n\r\n" % length))


def test_head_without_end_is_an_error() -> None:
    """What is no protocol at all is not collected without end."""
    with pytest.raises(BrokenFrameError, match="no frame begins"):
        list(Frames().feed(b"x" * (HEAD_BYTES_MAX + 1)))


def test_reader_hands_over_piece_by_piece_and_waits_when_told() -> None:
    """While it is paused nothing more is taken; what was sent meanwhile comes after."""

    async def read() -> list[bytes]:
        loop = asyncio.get_running_loop()
        came: asyncio.Queue[bytes] = asyncio.Queue()
        incoming, outgoing = os.pipe()

        def take(data: bytes) -> None:
            reader.pause()
            came.put_nowait(data)

        reader = Reader(incoming, loop, take)
        reader.start()
        os.write(outgoing, b"one")
        found = [await came.get()]
        os.write(outgoing, b"two")
        reader.resume()
        found.append(await came.get())
        os.close(outgoing)
        reader.resume()
        found.append(await came.get())
        os.close(incoming)
        return found

    assert [b"one", b"two", b""] == asyncio.run(read())


def test_writer_tells_when_enough_was_read() -> None:
    """Who waits for the client to fetch what was written is called once less than half is left."""

    async def write() -> tuple[int, int]:
        loop = asyncio.get_running_loop()
        incoming, outgoing = os.pipe()
        writer = Writer(outgoing, loop, lambda: None)
        writer.start()
        body = b"x" * (UNREAD_BYTES_MAX + 1)
        writer.write(body)
        unread = writer.unread_bytes
        called = asyncio.Event()
        writer.when_read(called.set)
        got = await asyncio.to_thread(_read, incoming, len(body))
        await called.wait()
        writer.close(wait_s=60)
        os.close(incoming)
        os.close(outgoing)
        return unread, got

    unread, got = asyncio.run(write())
    assert unread > UNREAD_BYTES_MAX
    assert got >= UNREAD_BYTES_MAX + 1


def _read(fd: int, wanted: int) -> int:
    got = 0
    while got < wanted:
        got += len(os.read(fd, 1 << 20))
    return got


def test_writer_tells_that_nobody_reads_any_more() -> None:
    """A closed pipe is the client's end, said once, and nothing is kept for it."""

    async def write() -> int:
        loop = asyncio.get_running_loop()
        incoming, outgoing = os.pipe()
        os.close(incoming)
        lost = asyncio.Event()
        writer = Writer(outgoing, loop, lost.set)
        writer.start()
        writer.write(b"{}")
        await lost.wait()
        writer.write(b"{}")
        writer.close(wait_s=60)
        os.close(outgoing)
        return writer.unread_bytes

    assert 0 == asyncio.run(write())
