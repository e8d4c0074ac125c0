"""`ctx mcp` as agents meet it: the SDK's client in both eras, wrong arguments, and clients that behave badly."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest
from mcp import Client, StdioServerParameters
from tests.mcp_lines import LineClient

from ctx.infrastructure.agent.tools import MAX_TOKENS, TOOLS

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Sandbox

ERAS = {"auto": "2026-07-28", "legacy": "2025-11-25"}
CALLS: dict[str, dict[str, Any]] = {
    "ctx_search": {"query": "signed cookie"},
    "ctx_get": {"ids": ["shop/session.py#SignedCookie", "shop/cart.py"]},
    "ctx_map": {},
    "ctx_resolve": {"symbol": "Cart"},
    "ctx_refs": {"symbol": "SignedCookie"},
}
ALONE = {"CTX_DAEMON": "off"}
"""Most of what is tested here is the same with a warm host, which takes seconds to come and to go."""
QUIET = ALONE | {"PYTHONWARNINGS": ""}
"""For clients whose server is killed or left: what the interpreter says of half-closed pipes is not looked at."""
END_S = 60.0
"""A server takes 1.5 s at most; the rest is a machine that stands still. One that does not end never does."""


@pytest.fixture
def client(repository: Sandbox) -> Iterator[LineClient]:
    """A client that sees every line, after the handshake."""
    lines = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=ALONE))
    lines.handshake()
    yield lines
    assert 0 == lines.end()
    assert lines.process.stderr is not None
    assert b"" == lines.process.stderr.read()


def talk(sandbox: Sandbox, era: str, body: Callable[[Client], Awaitable[None]]) -> None:
    """Run a conversation of the SDK's client with a server of its own."""

    async def run() -> None:
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "ctx", "mcp"],
            env=sandbox.environment(ALONE),
            cwd=sandbox.segment,
        )
        async with Client(server, mode=era, read_timeout_seconds=60) as client:
            assert ERAS[era] == client.protocol_version
            await body(client)

    asyncio.run(run())


def without_times(document: dict[str, Any]) -> dict[str, Any]:
    """Return an object without what differs between two runs of one question, and what every page has."""
    return {key: value for key, value in document.items() if key not in {"took_ms", "budget", "truncated"}}


@pytest.mark.parametrize("era", ERAS)
def test_answers_are_those_of_the_command_line(repository: Sandbox, era: str) -> None:
    """Each tool's object is what `--json` prints, and its text is what the command prints."""
    command_lines = {
        "ctx_search": ("search", "signed cookie"),
        "ctx_get": ("get", "shop/session.py#SignedCookie", "shop/cart.py"),
        "ctx_map": ("map",),
        "ctx_resolve": ("resolve", "Cart"),
        "ctx_refs": ("refs", "SignedCookie"),
    }
    printed = {tool: repository.run(*line, "--json").document for tool, line in command_lines.items()}
    shown = {tool: repository.run(*line).out.rstrip("\n") for tool, line in command_lines.items()}

    async def body(client: Client) -> None:
        for tool, arguments in CALLS.items():
            found = await client.call_tool(tool, arguments)
            assert not found.is_error, found.content
            assert without_times(printed[tool]) == without_times(found.structured_content)
            assert found.content[0].text.startswith(shown[tool])

    talk(repository, era, body)


@pytest.mark.parametrize("era", ERAS)
def test_tools_are_listed_with_all_a_client_wants(repository: Sandbox, era: str) -> None:
    """Names that are portable, descriptions, schemas of arguments and answers, and that nothing is changed."""

    async def body(client: Client) -> None:
        listed = (await client.list_tools()).tools
        assert [tool.name for tool in TOOLS] == [tool.name for tool in listed]
        for tool in listed:
            assert re.fullmatch(r"[a-z_]{1,64}", tool.name)
            assert tool.description
            assert tool.annotations is not None
            assert tool.annotations.read_only_hint
            assert "object" == tool.input_schema["type"]
            assert tool.output_schema is not None
            assert "object" == tool.output_schema["type"]

    talk(repository, era, body)


@pytest.mark.parametrize("era", ERAS)
def test_resources(repository: Sandbox, era: str) -> None:
    """The map, the state and skeletons can be read; the list names the files that matter."""

    async def body(client: Client) -> None:
        await client.call_tool("ctx_status", {})
        await client.call_tool("ctx_search", {"query": "cart"})
        listed = [str(resource.uri) for resource in (await client.list_resources()).resources]
        assert ["ctx://map", "ctx://status"] == listed[:2]
        assert "ctx://skeleton/shop/cart.py" in listed
        templates = (await client.list_resource_templates()).resource_templates
        assert ["ctx://skeleton/{path}"] == [template.uri_template for template in templates]
        for uri in ("ctx://skeleton/shop/cart.py", "ctx://skeleton/shop%2Fcart.py"):
            read = (await client.read_resource(uri)).contents[0]
            assert "class Cart" in read.text
        with pytest.raises(Exception, match=r"no such file.*nearest files: shop/cart\.py"):
            await client.read_resource("ctx://skeleton/shop/carts.py")
        with pytest.raises(Exception, match="outside the segment"):
            await client.read_resource("ctx://skeleton/..%2F..%2Fetc%2Fpasswd")
        with pytest.raises(Exception, match="there is no resource"):
            await client.read_resource("ctx://nothing")

    talk(repository, era, body)


def test_pages_are_the_whole_answer(client: LineClient, repository: Sandbox) -> None:
    """Rows follow each other over pages without a gap or a repetition, and no page costs more than it may."""
    repository.write({f"shop/part{n:02}.py": f"def cart_part_{n}():\n    '''Part of a cart.'''\n" for n in range(40)})
    whole = client.call("ctx_search", {"query": "cart part", "limit": 40})["structuredContent"]
    pages, cursor = [], None
    while True:
        question = {"query": "cart part", "limit": 7, "max_tokens": 1500}
        page = client.call("ctx_search", question | ({"cursor": cursor} if cursor else {}))["structuredContent"]
        pages += [hit["id"] for hit in page["hits"]]
        cursor = page.get("next_cursor")
        if cursor is None:
            break
    assert [hit["id"] for hit in whole["hits"]] == pages[:40]
    assert len(pages) == len(set(pages))


def test_text_is_read_page_by_page(client: LineClient, repository: Sandbox) -> None:
    """The pages of a file are its lines, each once, whatever stands beside it."""
    lines = [f"value_{n} = {n}  # line {n} of a file that does not fit" for n in range(600)]
    repository.write({"shop/long.py": "\n".join(lines) + "\n"})
    got: list[str] = []
    cursor = None
    while True:
        question: dict[str, Any] = {"ids": ["shop/session.py", "shop/long.py", "shop/cart.py"], "mode": "raw"}
        question |= {"max_tokens": 2000} | ({"cursor": cursor} if cursor else {})
        page = client.call("ctx_get", question)["structuredContent"]
        got += [item["text"] for item in page["items"]]
        cursor = page.get("next_cursor")
        assert page["truncated"] == (cursor is not None)
        if cursor is None:
            break
    sources = [(repository.segment / "shop" / name).read_text() for name in ("session.py", "long.py", "cart.py")]
    assert "".join(sources) == "".join(got)


def test_cursor_outlives_a_change_of_the_index(client: LineClient, repository: Sandbox) -> None:
    """The page is given, and the answer says that rows may have moved."""
    question = {"query": "cart", "limit": 1}
    first = client.call("ctx_search", question)["structuredContent"]
    repository.write({"shop/new.py": "def cart_of_tomorrow(): ...\n"})
    second = client.call("ctx_search", question | {"cursor": first["next_cursor"]})
    assert 1 == len(second["structuredContent"]["hits"])
    assert second["structuredContent"]["moved"].startswith("the index changed since the page before")
    assert "note: the index changed since the page before" in second["content"][0]["text"]


def test_changes_are_in_the_next_answer(client: LineClient, repository: Sandbox) -> None:
    """What is written between two calls is found by the second."""
    assert [] == client.call("ctx_resolve", {"symbol": "brand_new_name"})["structuredContent"]["found"]
    repository.write({"shop/new.py": "def brand_new_name(): ...\n"})
    found = client.call("ctx_resolve", {"symbol": "brand_new_name"})["structuredContent"]["found"]
    assert ["shop/new.py"] == [candidate["path"] for candidate in found]


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("ctx_serch", {}, "there is no tool 'ctx_serch'; there is ctx_search, "),
        ("ctx_search", {}, "ctx_search needs query"),
        ("ctx_search", {"query": 7}, "query must be a string, found 7"),
        ("ctx_search", {"query": {"a": 1}}, "query must be a string, found an object"),
        ("ctx_search", {"query": ["cart"]}, "query must be a string, found a list of 1"),
        ("ctx_search", {"query": "q" * 5_000_000}, "query is 5000000 characters long, at most 4000 are taken"),
        ("ctx_search", {"query": "   "}, "query"),
        ("ctx_search", {"query": "cart", "limt": 3}, "ctx_search has no argument 'limt'; did you mean limit?"),
        ("ctx_search", {"query": "cart", "limit": 0}, "limit must be a whole number from 1 to 100, found 0"),
        ("ctx_search", {"query": "cart", "limit": True}, "limit must be a whole number from 1 to 100, found true"),
        ("ctx_search", {"query": "cart", "limit": 10**400}, "limit must be a whole number"),
        ("ctx_search", {"query": "cart", "max_tokens": 10}, "max_tokens must be a whole number from 500 to 100000"),
        ("ctx_search", {"query": "cart", "mode": "regexp"}, "found 'regexp'; did you mean regex?"),
        ("ctx_search", {"query": "car(t", "mode": "regex"}, "query: column 4"),
        ("ctx_search", {"query": "cart", "kind": "functoin"}, "kind"),
        ("ctx_search", {"query": "cart", "kind": "é" * 3900}, f"found '{'é' * 60}'"),
        ("ctx_search", {"query": "cart", "lang": "é" * 3900}, f"found '{'é' * 60}'"),
        ("ctx_get", {"id": "é😀" * 1900}, " … "),
        ("ctx_get", {"ids": ["shop/cart.py", "nope" * 900]}, "no such file in the segment"),
        ("ctx_map", {"paths": ["zz" * 1900]}, ""),
        ("ctx_search", {"query": "cart", "focus": "shop"}, "focus must be a list of strings, found 'shop'"),
        ("ctx_search", {"query": "cart", "focus": ["../x"]}, "outside the segment"),
        ("ctx_search", {"query": "cart", "cursor": "abc"}, "cursor is none that ctx gave"),
        ("ctx_search", {"query": "cart", "cursor": "1-0-0-0123456789ab"}, "cursor belongs to another question"),
        ("ctx_get", {}, "ctx_get needs id (or ids)"),
        ("ctx_get", {"ids": ["x"] * 51}, "ids holds 51 strings, at most 50 are taken"),
        ("ctx_get", {"id": "../../etc/passwd"}, "../../etc/passwd: outside the segment"),
        ("ctx_get", {"id": "/etc/passwd"}, "/etc/passwd: outside the segment"),
        ("ctx_get", {"id": "link.py"}, "link.py: outside the segment"),
        ("ctx_get", {"id": "shop/cart.py\0"}, "NUL"),
        ("ctx_get", {"id": ".env"}, "a secrets file"),
        (
            "ctx_get",
            {"id": "shop/carts.py"},
            "no such file in the segment; look for it with ctx_search; nearest files: ",
        ),
        ("ctx_get", {"id": "cart.py:3"}, "nearest files: shop/cart.py"),
        ("ctx_get", {"id": "shop"}, "a folder; give a file, or look inside with ctx_search QUERY, path shop/"),
        ("ctx_get", {"id": "shop/cart.py#Crat"}, "no Crat in it; the nearest there: shop/cart.py#Cart"),
        (
            "ctx_get",
            {"id": "shop/cart.py#Cart@00000000"},
            "this id changed; it is now shop/cart.py#Cart@",
        ),
        ("ctx_get", {"id": "shop/cart.py", "mode": "row"}, "mode must be one of skeleton, excerpt, raw, found 'row'"),
        ("ctx_get", {"id": "shop/cart.py:9999"}, "give a line or a range inside it"),
        ("ctx_map", {"paths": ["nowhere"]}, "nowhere"),
        ("ctx_resolve", {"symbol": ""}, ""),
        ("ctx_resolve", {"symbol": "shop/cart.py:1:9999"}, "shop/cart.py"),
        ("ctx_refs", {"symbol": "Cart", "view": "caller"}, "found 'caller'; did you mean callers?"),
        ("ctx_status", {"verbose": True}, "ctx_status has no argument 'verbose'; It takes none"),
    ],
)
def test_wrong_arguments_are_explained(
    client: LineClient, repository: Sandbox, tool: str, arguments: dict[str, Any], said: str
) -> None:
    """One line says what is wrong and what is near; nothing outside is read, and the server goes on."""
    repository.write({".env": "PASSWORD=hunter2\n"})
    (repository.segment / "link.py").symlink_to("/etc/passwd")
    text = client.complaint(tool, arguments)
    assert said in text
    assert "root:" not in text
    assert str(repository.root) not in text
    assert 1000 > len(text)
    assert not client.call("ctx_search", {"query": "cart"}).get("isError")


def test_arguments_that_are_no_object_are_a_protocol_error(client: LineClient) -> None:
    """What the protocol itself forbids is refused by its own error, and the next call is answered."""
    for params in ({"name": "ctx_search", "arguments": [1]}, {"arguments": {}}, {"name": 5}):
        assert "error" in client.answer_to(client.start("tools/call", params))
    assert "error" in client.answer_to(client.start("nonsense/method"))
    assert not client.call("ctx_status").get("isError")


@pytest.mark.parametrize(
    ("line", "number", "code"),
    [
        (b"this is no JSON", None, -32700),
        (b"\xff\xfe", None, -32700),
        (b"[" * 100_000, None, -32700),
        (b"{}", None, -32600),
        (b"[]", None, -32600),
        (b"7", None, -32600),
        (b'{"jsonrpc":"2.0","id":77,"method":"tools/list","params":[]}', 77, -32600),
        (b'{"jsonrpc":"2.0","id":"a","method":"tools/list","params":{"x":"\\ud800"}}', "a", -32600),
        (b'{"jsonrpc":"1.0","id":78,"method":"tools/list"}', 78, -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}', None, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"tools/list"}', None, -32600),
    ],
)
def test_line_that_is_no_message_is_answered(client: LineClient, line: bytes, number: Any, code: int) -> None:
    """With its id where it has one, so that nobody waits; the next call is answered."""
    client.write(b"\n" + line + b"\n")
    answer = client.message()
    assert (number, code) == (answer["id"], answer["error"]["code"])
    assert not client.call("ctx_status").get("isError")


def test_zero_hits_are_an_answer(client: LineClient) -> None:
    """It says why, and names what is near."""
    found = client.call("ctx_search", {"query": "SignedCooky", "mode": "literal"})
    assert not found.get("isError")
    assert [] == found["structuredContent"]["hits"]
    assert "SignedCookie" in found["structuredContent"]["nearest"]
    assert "nearest names: SignedCookie" in found["content"][0]["text"]


def test_handshake_does_not_wait_for_the_index(repository: Sandbox) -> None:
    """While another process holds the index, hands are shaken and tools listed; a call says what is missing."""
    import fcntl

    (repository.segment / "_ctx").mkdir()
    with open(repository.segment / "_ctx/index.db.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        client = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=QUIET))
        assert "ctx" == client.handshake()["serverInfo"]["name"]
        assert [tool.name for tool in TOOLS] == [tool["name"] for tool in client.ask("tools/list")["tools"]]
        number = client.start("tools/call", {"name": "ctx_search", "arguments": {"query": "cart"}})
        fcntl.flock(lock, fcntl.LOCK_UN)
        answer = client.answer_to(number)
    assert answer["result"]["structuredContent"]["hits"]
    assert 0 == client.end()


def test_end_of_input_ends_everything(repository: Sandbox) -> None:
    """Right after the handshake, in the middle of a call and of a build: exit code 0, a closed record, no process."""
    repository.write({f"many/m{n}.py": f"def f{n}(): ...\n" * 50 for n in range(800)})
    for ask in (
        None,
        ("tools/call", {"name": "ctx_refs", "arguments": {"symbol": "Cart"}}),
        ("tools/call", {"name": "ctx_map", "arguments": {}}),
    ):
        client = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=QUIET))
        client.handshake()
        if ask is not None:
            client.start(*ask)
        client.end_input()
        assert 0 == client.process.wait(END_S)
        assert [] == repository.leftovers()
    begun = [event["run_id"] for event in repository.events() if event["cmd"] == "command.start"]
    ended = [event["run_id"] for event in repository.events() if event["cmd"] == "command.end"]
    assert sorted(begun) == sorted(ended)


def test_client_that_stops_reading(repository: Sandbox) -> None:
    """Its answers wait for it; when it reads on it gets them all, and when it closes its input the server is gone."""
    client = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=QUIET))
    client.handshake()
    numbers = [
        client.start("tools/call", {"name": "ctx_get", "arguments": {"id": "shop/session.py", "mode": "raw"}})
        for _ in range(100)
    ]
    answers = {number: client.answer_to(number) for number in numbers[:1]}
    assert answers
    client.end_input()  # with 200 kB of answers unread
    assert 0 == client.process.wait(END_S)
    assert [] == repository.leftovers()


@pytest.mark.parametrize("line", [b'{"jsonrpc":"2.0","id":%d,"method":"tools/list"}\n', b"no message %d\n"])
def test_client_that_asks_without_reading(repository: Sandbox, line: bytes) -> None:
    """It is not read from any more before memory is full of its answers, and its end is the server's all the same."""
    client = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=QUIET))
    client.handshake()
    assert client.process.stdin is not None
    fd = client.process.stdin.fileno()
    os.set_blocking(fd, False)
    written = 0
    while select.select([], [fd], [], 2.0)[1]:
        written += os.write(fd, b"".join(line % (number + 10) for number in range(50)))
        assert 1_000_000 > written
    client.end_input()
    assert 0 == client.process.wait(END_S)
    assert [] == repository.leftovers()


def test_client_that_reads_late_misses_nothing(client: LineClient) -> None:
    """More answers than a pipe holds are written before one is read."""
    numbers = [
        client.start("tools/call", {"name": "ctx_get", "arguments": {"id": "shop/session.py", "mode": "raw"}})
        for _ in range(300)
    ]
    answered = set()
    while len(answered) < len(numbers):
        answered.add(client.message()["id"])
    assert set(numbers) == answered


def test_client_that_is_killed(repository: Sandbox) -> None:
    """Closed pipes on both sides are an end like any other."""
    client = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=QUIET))
    client.handshake()
    client.start("tools/call", {"name": "ctx_map", "arguments": {}})
    assert client.process.stdout is not None
    client.process.stdout.close()
    client.process.stdout = None
    client.end_input()
    assert 0 == client.process.wait(END_S)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_the_server(repository: Sandbox, number: signal.Signals) -> None:
    """As the end of the input does: a closed record, nothing left."""
    client = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=QUIET))
    client.handshake()
    client.call("ctx_status")
    os.kill(client.process.pid, number)
    assert 0 == client.process.wait(END_S)
    assert "command.end" == [event["cmd"] for event in repository.events()][-1]


def test_cancelled_call_is_not_answered(client: LineClient) -> None:
    """The client hears nothing more of it, and the next call is answered."""
    number = client.start("tools/call", {"name": "ctx_map", "arguments": {}})
    client.send({"method": "notifications/cancelled", "params": {"requestId": number}})
    client.call("ctx_search", {"query": "cart"})
    late = [message for message in client.notified if message.get("id") == number]
    assert [] == [message for message in late if "result" in message and message["result"].get("isError")]


def test_progress_is_told_to_who_asks(repository: Sandbox) -> None:
    """Growing numbers with a message, under the client's token; nobody else hears any."""
    import fcntl

    repository.write({f"many/m{n}.py": f"def f{n}(): ...\n" * 20 for n in range(600)})
    (repository.segment / "_ctx").mkdir()
    asked = {"name": "ctx_search", "arguments": {"query": "cart"}, "_meta": {"progressToken": "mine"}}
    with open(repository.segment / "_ctx/index.db.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # nothing is indexed before it is asked for
        client = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=ALONE))
        client.handshake()
        number = client.start("tools/call", asked)
        fcntl.flock(lock, fcntl.LOCK_UN)
    assert "error" not in client.answer_to(number)
    told = [message["params"] for message in client.notified if message["method"] == "notifications/progress"]
    assert {"mine"} == {one["progressToken"] for one in told}
    done = [one["progress"] for one in told]
    assert sorted(set(done)) == done
    client.notified.clear()
    client.call("ctx_search", {"query": "cart"})
    assert [] == client.notified
    assert 0 == client.end()


def test_roots_say_what_to_work_on(repository: Sandbox) -> None:
    """The client's root counts, not where it was started; with several, tools have an argument that says which."""
    other = repository.root / "other"
    repository.write({".git/HEAD": "", "tool.py": "def sharpen(): ...\n"}, below=other)

    def handshake(*paths: Path) -> LineClient:
        client = LineClient(repository.start("mcp", stdin=subprocess.PIPE, cwd=repository.home, env=ALONE))
        client.handshake({"roots": {"listChanged": True}})
        request = client.message()
        assert "roots/list" == request["method"]
        client.send({"id": request["id"], "result": {"roots": [{"uri": f"file://{path}"} for path in paths]}})
        return client

    client = handshake(repository.segment)
    assert "segment" == client.call("ctx_status")["structuredContent"]["segment"]
    assert 0 == client.end()

    client = handshake(other, repository.segment)
    assert "other" == client.call("ctx_status")["structuredContent"]["segment"]
    schemas = [tool["inputSchema"]["properties"] for tool in client.ask("tools/list")["tools"]]
    assert [["other", "segment"]] * len(TOOLS) == [schema["root"]["enum"] for schema in schemas]
    found = client.call("ctx_resolve", {"symbol": "Cart", "root": "segment"})["structuredContent"]["found"]
    assert "shop/cart.py" == found[0]["path"]
    assert "root must be one of other, segment, found 'else'" in client.complaint("ctx_status", {"root": "else"})
    assert 0 == client.end()


def test_given_segment_counts_more_than_roots(repository: Sandbox) -> None:
    """`--segment` is the user's word; the client is not asked."""
    process = repository.start(
        "mcp", "--segment", str(repository.segment), stdin=subprocess.PIPE, cwd=repository.home, env=ALONE
    )
    client = LineClient(process)
    client.handshake({"roots": {}})
    assert "segment" == client.call("ctx_status")["structuredContent"]["segment"]
    assert [] == client.notified
    assert 0 == client.end()


def test_wrong_segment_is_said_before_a_client_waits(repository: Sandbox) -> None:
    """One line and the exit code of wrong use."""
    run = repository.run("mcp", "--segment", "nowhere")
    assert (2, "") == (run.exit_code, run.out)
    assert "nowhere: does not exist" in run.complaint


def test_record_of_calls(client: LineClient, repository: Sandbox) -> None:
    """Each call is an event of its command with the face; what was asked is redacted as the command line's is."""
    client.call("ctx_search", {"query": f"cart {repository.home}/notes"})
    client.call("ctx_get", {"id": "shop/cart.py", "mode": "raw"})
    client.complaint("ctx_get", {"id": f"{repository.root}/elsewhere.py"})
    events = repository.events()
    own = [event for event in events if event["cmd"].startswith("ctx.")]
    assert ["ctx.search", "ctx.get", "ctx.get"] == [event["cmd"] for event in own]
    assert {"mcp"} == {event["face"] for event in own}
    assert 1 == len({event["run_id"] for event in events})
    assert (repository.segment / "shop/cart.py").stat().st_size == own[1]["bytes_read"]
    assert "OutsideSegmentError" == own[2]["result"]["status"]
    said = json.dumps(events)
    assert str(repository.root) not in said
    assert ["command.start", "mcp"] == [events[0]["cmd"], events[0]["args"]["face"]]


def test_stray_print_is_no_message(repository: Sandbox) -> None:
    """What is printed in the server's process goes to standard error, between no two messages."""
    program = (
        "import sys, threading\n"
        "import ctx.infrastructure.agent.answers as answers\n"
        "own = answers.answer\n"
        "def loud(*args):\n"
        "    print('stray', flush=True)\n"
        "    return own(*args)\n"
        "answers.answer = loud\n"
        "from ctx.__main__ import main\n"
        "sys.argv = ['ctx', 'mcp']\n"
        "sys.exit(main())\n"
    )
    client = LineClient(repository.start(program=["-c", program], stdin=subprocess.PIPE, env=QUIET))
    client.handshake()
    assert client.call("ctx_search", {"query": "cart"})["structuredContent"]["hits"]
    assert 0 == client.end()
    assert client.process.stderr is not None
    assert b"stray\n" == client.process.stderr.read()


def test_many_calls_at_once(client: LineClient) -> None:
    """Each gets its own answer."""
    names = ["Cart", "SignedCookie", "load_cookie", "add_line", "sign"] * 12
    numbers = {
        client.start("tools/call", {"name": "ctx_resolve", "arguments": {"symbol": name}}): name for name in names
    }
    seen = {}
    while len(seen) < len(numbers):
        message = client.message()
        seen[message["id"]] = message["result"]["structuredContent"]["query"]
    assert numbers == seen


def test_answers_never_cost_more_than_they_may(client: LineClient, repository: Sandbox) -> None:
    """Neither the object nor the text, whichever the client shows."""
    from ctx.infrastructure.tokenizer import BpeTokenCounter

    body = "".join(f'    """Doc {n} \\" quoted."""\n    x{n} = "{n}\\t\\n"\n' for n in range(400))
    repository.write({"shop/wide.py": "class Wide:\n" + body, "shop/uses.py": "import shop.cart\n" + "Cart()\n" * 400})
    count = BpeTokenCounter().count
    for tool, arguments in CALLS.items():
        for max_tokens in (500, 1000, 3000):
            given = arguments | {"max_tokens": max_tokens}
            if tool == "ctx_get":
                given["ids"] = ["shop/wide.py", "shop/cart.py"]
                given["mode"] = "raw"
            found = client.call(tool, given)
            document = json.dumps(found["structuredContent"], ensure_ascii=False, separators=(",", ":"))
            assert max_tokens >= count(document), (tool, max_tokens)
            assert max_tokens >= count(found["content"][0]["text"]), (tool, max_tokens)
    assert 8000 == MAX_TOKENS


def test_without_the_package_it_says_what_to_install(repository: Sandbox) -> None:
    """One line, exit code 3; the other commands do not need it."""
    program = (
        "import sys\n"
        "import importlib.util as util\n"
        "own = util.find_spec\n"
        "util.find_spec = lambda name, *rest: None if name == 'mcp' else own(name, *rest)\n"
        "from ctx.__main__ import main\n"
        "sys.argv = ['ctx', 'mcp']\n"
        "sys.exit(main())\n"
    )
    run = repository.run(program=["-c", program])
    assert (3, "") == (run.exit_code, run.out)
    assert "ctx mcp needs the package mcp: pip install 'ctx-code[mcp]'" == run.complaint


def test_deleted_segment_is_said(repository: Sandbox) -> None:
    """A call says so in one line, and the server lives until its input ends."""
    client = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=QUIET))
    client.handshake()
    client.call("ctx_status")
    repository.remove_segment()
    assert "the segment's directory cannot be opened" in client.complaint("ctx_search", {"query": "cart"})
    assert 0 == client.end()
    repository.segment.mkdir()


def test_two_servers_on_one_segment(repository: Sandbox) -> None:
    """Both build at once, both answer."""
    clients = [LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=ALONE)) for _ in range(2)]
    found: list[list[dict[str, Any]]] = []

    def ask(client: LineClient) -> None:
        client.handshake()
        found.append(client.call("ctx_resolve", {"symbol": "Cart"})["structuredContent"]["found"])

    threads = [threading.Thread(target=ask, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert 2 == len(found)
    assert found[0] == found[1]
    assert [0, 0] == [client.end() for client in clients]


def test_warm_host_is_shared_and_left(repository: Sandbox) -> None:
    """Two servers work through one host, the answers are the same, and it goes when the last of them does."""
    clients = [LineClient(repository.start("mcp", stdin=subprocess.PIPE)) for _ in range(2)]
    alone = LineClient(repository.start("mcp", stdin=subprocess.PIPE, env=ALONE))
    for client in (*clients, alone):
        client.handshake()
    state: dict[str, Any] = {}
    while state.get("faces", []).count("mcp") < 2:
        for client in clients:
            state = client.call("ctx_status")["structuredContent"]
    assert state["host"]
    asked = {"symbol": "SignedCookie.sign"}
    found = [client.call("ctx_refs", asked)["structuredContent"]["references"] for client in (*clients, alone)]
    assert found[0]
    assert [found[0]] * 3 == found
    assert [0, 0, 0] == [client.end() for client in (*clients, alone)]
    assert [] == repository.leftovers()
