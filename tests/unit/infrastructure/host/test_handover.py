"""What a client hands over arrives as it was, and what is no hand-over is told from one."""

from __future__ import annotations

import os
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.infrastructure.host import handover
from ctx.infrastructure.host.handover import (
    HANDOVER_BYTES_MAX,
    HEAD_BYTES,
    Handover,
    decoded,
    head_of,
    length_in,
    packed_descriptors,
    peer_of,
    unpacked_descriptors,
)

TEXTS = st.binary(max_size=40).map(lambda data: data.replace(b"\0", b""))


@given(
    installation=TEXTS,
    segment=TEXTS,
    umask=st.integers(0, 0o777),
    is_open=st.tuples(st.booleans(), st.booleans(), st.booleans()),
    argv=st.lists(TEXTS, min_size=1, max_size=5),
    environment=st.lists(TEXTS, max_size=5),
)
def test_a_handover_arrives_as_it_was(
    *,
    installation: bytes,
    segment: bytes,
    umask: int,
    is_open: tuple[bool, bool, bool],
    argv: list[bytes],
    environment: list[bytes],
) -> None:
    """Any bytes without NUL survive, empty arguments and those that are no UTF-8 among them."""
    streams = (("utf-8", "strict"), ("ascii", ""), ("utf-8", "backslashreplace"))
    given_one = Handover(
        installation=installation,
        segment=segment,
        umask=umask,
        is_open=is_open,
        streams=streams,
        argv=argv,
        environment=environment,
    )
    encoded = given_one.encoded()
    assert len(encoded) == HEAD_BYTES + length_in(encoded[:HEAD_BYTES])
    found = decoded(encoded[HEAD_BYTES:])
    for name in Handover.__slots__:
        assert getattr(given_one, name) == getattr(found, name), name


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: xy",
        b"ctx-host 9999 0000000010",
        b"ctx-host 0001 0000000000",
        b"ctx-host 0001 00000000x0",
        head_of(HANDOVER_BYTES_MAX + 1),
        head_of(10)[:-1],
    ],
)
def test_what_is_no_head_is_refused(head: bytes) -> None:
    """Other protocols, other programs and absurd lengths raise."""
    with pytest.raises(ValueError, match=r"hand-over|invalid literal"):
        length_in(head)


@given(st.binary(max_size=200))
def test_what_is_no_handover_is_refused(body: bytes) -> None:
    """Arbitrary bytes give a hand-over or a ValueError, nothing else."""
    try:
        found = decoded(body)
    except ValueError:
        return
    assert found.argv


def test_too_much_is_refused_by_the_client() -> None:
    """More than the limit is never sent; the command then runs where it is."""
    big = Handover(
        installation=b"",
        segment=b"",
        umask=0,
        is_open=(True, True, True),
        streams=(("a", "b"),) * 3,
        argv=[b"x" * HANDOVER_BYTES_MAX],
        environment=[],
    )
    with pytest.raises(ValueError, match="at most"):
        big.encoded()


def test_descriptors_and_peer() -> None:
    """Descriptors are packed as the system packs them, and a peer is told by process and user."""
    assert [3, 70_000] == unpacked_descriptors(packed_descriptors([3, 70_000]))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        assert (os.getpid(), os.geteuid()) == peer_of(ours)


def test_the_installation_tells_releases_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another release is another installation; the same one is the same."""
    before = handover.installation()
    assert before == handover.installation()
    monkeypatch.setattr(handover, "__version__", "0.0.0")
    assert before != handover.installation()
    assert b"\0" not in before
