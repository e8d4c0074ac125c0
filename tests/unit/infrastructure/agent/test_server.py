"""The protocol's side, in memory: both eras, a slow index, progress and cancellation."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Any

import anyio
import pytest
from mcp import Client

from ctx.infrastructure.agent.server import AgentServer

from .conftest import HeldSession

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

ERAS = ("auto", "legacy")


def talk(agent: Callable[[], AgentServer], era: str, body: Callable[[Client], Awaitable[None]]) -> None:
    """Run a conversation with a server in this process."""

    async def run() -> None:
        served = agent()
        try:
            async with Client(served.protocol_server(), mode=era) as client:
                await body(client)
        finally:
            served.stop(30.0)

    asyncio.run(run())


@pytest.mark.parametrize("era", ERAS)
def test_a_conversation(shop: Path, era: str) -> None:
    """Tools are listed, called, and refuse what makes no sense; resources are listed and read."""

    async def body(client: Client) -> None:
        assert 6 == len((await client.list_tools()).tools)
        found = await client.call_tool("ctx_search", {"query": "cart"})
        assert found.structured_content["hits"]
        wrong = await client.call_tool("ctx_search", {"query": 1})
        assert wrong.is_error
        assert wrong.structured_content is None
        assert "ctx://skeleton/shop/cart.py" in [str(one.uri) for one in (await client.list_resources()).resources]
        read = await client.read_resource("ctx://skeleton/shop/cart.py")
        assert "class Cart" in read.contents[0].text
        assert "cart" in (await client.read_resource("ctx://map")).contents[0].text
        assert "ready" in (await client.read_resource("ctx://status")).contents[0].text

    talk(lambda: AgentServer(str(shop), patience_s=60.0), era, body)


@pytest.mark.parametrize("era", ERAS)
def test_home_directory_is_worked_on_where_it_is_named(shop: Path, era: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some clients start their servers there: nothing is made in it, and every answer says what to do."""
    monkeypatch.setenv("HOME", str(shop))
    monkeypatch.delenv("CTX_SEGMENT", raising=False)
    monkeypatch.chdir(shop)

    async def refused(client: Client) -> None:
        for tool, arguments in (("ctx_status", {}), ("ctx_search", {"query": "cart"})):
            answer = await client.call_tool(tool, arguments)
            assert answer.is_error
            assert "is no project; start the server in one, name one with --segment" in answer.content[0].text

    async def answered(client: Client) -> None:
        assert not (await client.call_tool("ctx_search", {"query": "cart"})).is_error

    talk(AgentServer, era, refused)
    assert not (shop / "_ctx").exists()
    monkeypatch.setenv("CTX_SEGMENT", str(shop))
    talk(AgentServer, era, answered)


@pytest.mark.parametrize("era", ERAS)
def test_slow_index_does_not_hold_up_a_conversation(shop: Path, era: str) -> None:
    """Lists come at once, a call after its patience, with what is missing; progress is told."""
    session = HeldSession(str(shop))

    async def body(client: Client) -> None:
        told: list[tuple[float, float | None, str | None]] = []

        async def on_progress(done: float, total: float | None, message: str | None) -> None:
            told.append((done, total, message))

        assert 6 == len((await client.list_tools()).tools)
        state = await client.call_tool("ctx_status", {})
        assert "indexing" == state.structured_content["state"]
        assert await asyncio.to_thread(session.is_held.wait, 60.0)
        found = await client.call_tool("ctx_search", {"query": "cart"}, progress_callback=on_progress)
        assert not found.structured_content["complete"]
        assert (3.0, 10.0, "indexing") in told
        assert ["ctx://map", "ctx://status"] == [str(one.uri) for one in (await client.list_resources()).resources]
        session.may_go_on.set()
        while not found.structured_content["complete"]:
            found = await client.call_tool("ctx_search", {"query": "cart"})
        assert found.structured_content["hits"]

    talk(lambda: AgentServer(str(shop), make_session=lambda _segment: session, patience_s=0.3), era, body)


@pytest.mark.parametrize("era", ERAS)
def test_cancelled_call_leaves_the_conversation(shop: Path, era: str) -> None:
    """Who stops waiting tells the server, and may ask on."""
    session = HeldSession(str(shop))

    async def body(client: Client) -> None:
        with anyio.move_on_after(0.2) as scope:
            await client.call_tool("ctx_search", {"query": "cart"})
        assert scope.cancelled_caught
        session.may_go_on.set()
        found = await client.call_tool("ctx_search", {"query": "price"})
        assert "price" == found.structured_content["query"]

    talk(lambda: AgentServer(str(shop), make_session=lambda _segment: session), era, body)


def test_lone_surrogates_can_be_sent(shop: Path) -> None:
    """A file's text that is no UTF-8 reaches the client escaped."""
    (shop / "shop/odd.py").write_bytes(b'name = "gr\xff\xfe"\nother = "\\ud800"\n')

    async def body(client: Client) -> None:
        found: Any = await client.call_tool("ctx_get", {"id": "shop/odd.py", "mode": "raw"})
        assert not found.is_error
        assert "name = " in found.structured_content["items"][0]["text"]

    talk(lambda: AgentServer(str(shop), patience_s=60.0), "auto", body)


def test_a_skeleton_that_is_cut_says_what_reads_on(shop: Path) -> None:
    """A resource has no pages, and who reads a part may not take it for the whole."""
    (shop / "many.py").write_text("".join(f"def f{n}(argument, other): ...\n" for n in range(2000)))

    async def body(client: Client) -> None:
        read: Any = (await client.read_resource("ctx://skeleton/many.py")).contents[0]
        told = re.search(
            r"\nnote: there is more; ctx_get with the same path, mode skeleton and cursor (\S+) reads on\n$", read.text
        )
        assert told is not None
        shown = re.findall(r"def (f\d+)", read.text)
        following: Any = await client.call_tool("ctx_get", {"id": "many.py", "mode": "skeleton", "cursor": told[1]})
        more = re.findall(r"def (f\d+)", following.structured_content["items"][0]["text"])
        assert [f"f{n}" for n in range(len(shown) + len(more))] == shown + more
        whole: Any = (await client.read_resource("ctx://skeleton/shop/cart.py")).contents[0]
        assert "note:" not in whole.text

    talk(lambda: AgentServer(str(shop), patience_s=60.0), "auto", body)
