"""Frames and requests over a socket whose other side answers as it likes."""

from __future__ import annotations

import fcntl
import resource
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.infrastructure.host import backend_link
from ctx.infrastructure.host.backend_link import LENGTH, BackendLink, LinkBrokenError, framed, frames_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@given(st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.text(max_size=20)), max_size=5), st.integers(1, 7))
def test_frames_arrive_however_they_are_cut(contents: list[dict[str, Any]], size: int) -> None:
    """Any cut of the stream gives the same frames, in order."""
    numbered = [{**content, "id": number} for number, content in enumerate(contents)]
    stream = b"".join(framed(content) for content in numbered)
    buffer, found = bytearray(), []
    for at in range(0, len(stream), size):
        buffer += stream[at : at + size]
        found += frames_in(buffer)
    assert numbered == found
    assert not buffer


@pytest.mark.parametrize("data", [LENGTH.pack(2**31) + b"x", LENGTH.pack(3) + b"{x}", LENGTH.pack(2) + b"[]"])
def test_what_is_no_frame_breaks_the_link(data: bytes) -> None:
    """Absurd lengths, no JSON and no number raise."""
    with pytest.raises(LinkBrokenError):
        frames_in(bytearray(data))


def _answering(path: str, answer: Callable[[list[dict[str, Any]]], bytes]) -> threading.Thread:
    """Serve one connection at `path`: what two requests get is what `answer` makes of them, then the end."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()

    def serve() -> None:
        with listener:
            connection, _address = listener.accept()
            with connection:
                buffer, requests = bytearray(), []
                while len(requests) < 2:
                    buffer += connection.recv(1 << 16)
                    requests += frames_in(buffer)
                connection.sendall(answer(requests))

    thread = threading.Thread(target=serve)
    thread.start()
    return thread


def test_answers_find_their_requests(tmp_path: Path) -> None:
    """Answers in another order than the requests are told apart by their numbers."""
    path = str(tmp_path / "s")
    thread = _answering(path, lambda asked: b"".join(framed({"id": one["id"], "saw": one["n"]}) for one in asked[::-1]))
    link = BackendLink(path)
    first, second = (link.send("ask", {"n": n}, wait_s=60) for n in (10, 20))
    assert [10, 20] == [link.answer(number, wait_s=60)["saw"] for number in (first, second)]
    link.close()
    thread.join()


def test_a_process_with_many_open_files_hears_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Descriptors beyond 1023 are as good as others."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 1100:
        pytest.skip("this system lets nobody have so many open")
    path = str(tmp_path / "s")
    connect = backend_link._connected

    def connected_high(path: str, wait_s: float) -> socket.socket:
        with connect(path, wait_s) as connection:
            return socket.socket(fileno=fcntl.fcntl(connection, fcntl.F_DUPFD_CLOEXEC, 1024))

    monkeypatch.setattr(backend_link, "_connected", connected_high)
    link = BackendLink(path)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1100), hard))
    try:
        thread = _answering(path, lambda asked: b"".join(framed({"id": one["id"]}) for one in asked))
        numbers = [link.send("ask", {}, wait_s=60) for _ in range(2)]
        thread.join()
        assert [True, True] == [link.is_there(number) for number in numbers]
    finally:
        link.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_half_an_answer_is_not_the_beginning_of_the_next(tmp_path: Path) -> None:
    """A backend that was killed while it wrote leaves nothing that would spoil what the one after it says."""
    path = str(tmp_path / "s")
    killed = _answering(path, lambda asked: framed({"id": asked[0]["id"], "saw": "x" * 99})[:50])
    link = BackendLink(path)
    numbers = [link.send("ask", {}, wait_s=60) for _ in range(2)]
    with pytest.raises(LinkBrokenError):
        link.answer(numbers[0], wait_s=60)
    killed.join()
    (tmp_path / "s").unlink()
    thread = _answering(path, lambda asked: b"".join(framed({"id": one["id"], "saw": one["n"]}) for one in asked))
    numbers = [link.send("ask", {"n": n}, wait_s=60) for n in (10, 20)]
    assert [10, 20] == [link.answer(number, wait_s=60)["saw"] for number in numbers]
    link.close()
    thread.join()


def test_an_end_without_answer_is_told(tmp_path: Path) -> None:
    """A backend that ends, one that is absent: both raise at once."""
    path = str(tmp_path / "s")
    thread = _answering(path, lambda _asked: b"")
    link = BackendLink(path)
    numbers = [link.send("ask", {}, wait_s=60) for _ in range(2)]
    for number in numbers:
        with pytest.raises(LinkBrokenError):
            link.answer(number, wait_s=60)
    thread.join()
    with pytest.raises(LinkBrokenError):
        BackendLink(str(tmp_path / "absent")).call("status", {}, wait_s=60)
