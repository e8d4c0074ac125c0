"""What every face writes is valid by the table and by the published schema, also when strict; damage to it is found."""

from __future__ import annotations

import json
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from tests.editor_client import RawEditor
from tests.language_server_scenarios import DEFINITION, Scenario, ScriptedServer, asked_in_vain, hang
from tests.mcp_lines import LineClient

from ctx.domain.telemetry.events import EVENTS

if TYPE_CHECKING:
    from tests.integration.conftest import Sandbox

PUBLISHED = Path(__file__).parents[2] / "docs/telemetry.schema.json"
FULL = {"CTX_TELEMETRY": "full", "CTX_DAEMON": "off"}
STORE = "shop/cart.py:22:21"
LONG_MS = 60_000


def _commands(sandbox: Sandbox) -> None:
    """Run every command, well and badly."""
    for arguments in (
        ("index",),
        ("search", "signed cookie", "--focus", "shop/cart.py"),
        ("search", "cookie", "--literal"),
        ("search", "zzqqxx"),
        ("search", "x", "--budget", "-1"),
        ("get", "shop/cart.py", "shop/session.py#SignedCookie"),
        ("get", "no/such/file.py"),
        ("map",),
        ("resolve", "Cart"),
        ("refs", "SignedCookie", "--callers"),
        ("hover", "Cart.add_line"),
        ("build",),
        ("sync",),
        ("validate",),
        ("stats",),
        ("doctor",),
        ("eval", "--commits", "1"),
    ):
        sandbox.run(*arguments, env=FULL)


def _language_servers(sandbox: Sandbox, folder: Path) -> None:
    """Ask a server that answers, one that hangs, and one that is not there."""

    def asking(command: str, deadline_ms: int) -> dict[str, str]:
        known = {"CTX_LSP_ENABLED": "1", "CTX_LSP_COMMANDS": f"ty={command}", "CTX_LSP_COLD": "ty"}
        return FULL | known | {"CTX_LSP_DEADLINE_MS": str(deadline_ms)}

    def ask(scenario: Scenario, deadline_ms: int) -> dict[str, Any]:
        with ScriptedServer(folder / str(deadline_ms), scenario) as server:
            answer = sandbox.json("resolve", STORE, env=asking(shlex.join(server.command), deadline_ms))
            assert [] == server.left()
            return answer

    assert "answered" == ask(Scenario(), LONG_MS)["server"]["status"]
    deaf = Scenario({DEFINITION: [[hang()]]})
    assert "timeout" == asked_in_vain(lambda deadline_ms: ask(deaf, deadline_ms))["server"]["status"]
    sandbox.run("resolve", STORE, env=asking("/no/such/server", LONG_MS))


def _host(sandbox: Sandbox) -> None:
    on = {"CTX_TELEMETRY": "full"}
    assert 0 == sandbox.run("daemon", "start", env=on).exit_code
    for arguments in (("search", "cookie"), ("get", "shop/cart.py"), ("resolve", "Cart")):
        sandbox.ok(*arguments, env=on)
    sandbox.ok("daemon", "stop", env=on)


def _agent(sandbox: Sandbox) -> None:
    client = LineClient(sandbox.start("mcp", stdin=subprocess.PIPE, env=FULL))
    client.handshake()
    client.call("ctx_search", {"query": "signed cookie"})
    client.call("ctx_get", {"ids": ["shop/cart.py"]})
    client.call("ctx_refs", {"symbol": "SignedCookie"})
    client.complaint("ctx_get", {"ids": ["no/such/file.py"]})
    assert 0 == client.end()


def _editor(sandbox: Sandbox) -> None:
    editor = RawEditor(sandbox, env=FULL)
    editor.initialize()
    uri = editor.open_file("shop/cart.py")
    editor.outline(uri)
    editor.ask("textDocument/hover", editor.at(uri, 13, 7))
    editor.ask("textDocument/definition", editor.at(uri, 21, 22))
    editor.ask("textDocument/references", {**editor.at(uri, 12, 7), "context": {"includeDeclaration": True}})
    editor.ask("workspace/symbol", {"query": "Cart"})
    editor.execute("ctx.search", "cookie", 3)
    assert 0 == editor.quit()


def test_a_session_of_every_face_is_valid(repository: Sandbox, tmp_path: Path) -> None:
    """Commands, language servers, a host, an agent and an editor: nothing is wrong or odd, nor what it adds up to."""
    _commands(repository)
    _language_servers(repository, tmp_path)
    _host(repository)
    _agent(repository)
    _editor(repository)

    found = repository.run("telemetry", "validate", "--strict", "--json").document
    assert ([], []) == (found["wrong"]["first"], found["odd"]["first"])
    events = repository.events()
    assert found["events"] == len(events)
    library = Draft202012Validator(json.loads(PUBLISHED.read_text("utf-8")))
    assert [] == [error.message for event in events for error in library.iter_errors(event)]
    # The session is one in which nearly everything happens: a table row that nobody writes any more would show here.
    assert {"lsp.diagnostics"} >= set(EVENTS) - {event["cmd"] for event in events}
    assert {"cli", "lsp", "mcp", "daemon"} == {
        event["args"]["face"] for event in events if event["cmd"] == "command.start"
    }
    folder = repository.segment / "_ctx/telemetry"
    for name, part in (("metrics.json", "metrics"), ("last_run.json", "last_run")):
        library.evolve(schema=library.schema["$defs"][part]).validate(json.loads((folder / name).read_text("utf-8")))


def test_damage_to_real_files_is_named(repository: Sandbox) -> None:
    """A value changed by hand, and half a line at the end: what is wrong, where, and what is only odd."""
    repository.ok("search", "cookie")
    events = repository.segment / "_ctx/telemetry/events.jsonl"
    lines = events.read_bytes().splitlines(keepends=True)
    lines[1] = lines[1].replace(b'"timing_ms":', b'"timing_ms":-', 1)
    events.write_bytes(b"".join(lines) + b'{"ts":"2025')

    run = repository.run("telemetry", "validate")

    assert 1 == run.exit_code
    (wrong, verdict, hint) = run.out.splitlines()
    assert wrong.startswith('wrong events.jsonl line 2: "timing_ms" must be an integer >= 0, found -')
    assert verdict.endswith("in 3 files: not valid; 1 wrong, 1 odd")
    assert "--strict" in hint


def test_looking_leaves_no_trace(repository: Sandbox) -> None:
    """Without telemetry there is nothing to check, and none comes of it."""
    run = repository.run("telemetry", "validate")
    assert (1, "") == (run.exit_code, run.out)
    assert "run a ctx command there first" in run.complaint
    assert not (repository.segment / "_ctx").exists()


def test_the_schema_is_the_published_one(repository: Sandbox) -> None:
    """What the command prints is in docs/."""
    assert PUBLISHED.read_text("utf-8") == repository.ok("telemetry", "schema").out
