"""`ctx resolve` beside a language server that behaves in every way: whose answer it gives, its grade, and what is left.

What the client makes of each behaviour is told by test_lsp_client.py; here is what a command makes of that.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import pytest
from tests import language_server_scenarios as act
from tests.language_server_scenarios import DEFINITION, DID_OPEN, Scenario, ScriptedServer, asked_in_vain

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.conftest import Run, Sandbox

STORE = "shop/cart.py:22:21"
"""Where the cart calls `store` of a signed cookie, which shop/session.py defines."""
LONG_MS, SHORT_MS = 60_000, 2_000
DEFINED = "shop/session.py"

_ANSWERED = {
    "a Location": {DEFINITION: [[act.resolve("location")]]},
    "Locations": {DEFINITION: [[act.resolve("locations")]]},
    "LocationLinks": {DEFINITION: [[act.resolve("links")]]},
    "late": {DEFINITION: [[act.pause(100), act.resolve()]]},
    "late at initialize": {"initialize": [[act.pause(100), act.initialize_answer()]]},
    "null while indexing": {DEFINITION: [[act.answer(None)], [act.answer([])], [act.resolve()]]},
    "content modified": {DEFINITION: [[act.error(act.CONTENT_MODIFIED)], [act.resolve()]]},
    "asks first": {
        "initialize": [
            [act.ask("workspace/configuration", {"items": [{}, {"section": "x"}]}), act.initialize_answer()],
        ],
        DEFINITION: [[act.register(DEFINITION), act.ask("window/workDoneProgress/create", {}), act.resolve()]],
    },
    "byte by byte": {
        "initialize": [[act.initialize_answer(chunk=1)]],
        DEFINITION: [[act.resolve(chunk=1)]],
    },
    "garbage": {"spawn": [[act.raw(b"ready.\n\0\xff"), act.send([]), act.send("{"), act.send({}, length="x")]]},
    "flood of complaints": {"spawn": [[act.flood(300_000), act.flood()]]},
    "children": {"spawn": [[act.fork(), act.fork(session=True, daemon=True, holds_pipes=True)]]},
    "ignores every end": {"spawn": [[act.ignore_sigterm()]], "shutdown": [[]], "exit": [[]], "eof": [[]]},
    "dies after its answer": {DEFINITION: [[act.resolve(), act.dies()]]},
}


@pytest.mark.parametrize("turns", _ANSWERED.values(), ids=_ANSWERED)
def test_right_answer_is_the_servers(repository: Sandbox, tmp_path: Path, turns: Any) -> None:
    """However it comes, it is final and says who gave it; the command leaves nothing."""
    found, left = _resolved(repository, tmp_path, Scenario(turns), LONG_MS)
    assert [("SignedCookie.store", DEFINED)] == [(one["qualname"], one["path"]) for one in found["found"]]
    assert ("lsp:ty", True, "answered") == (found["resolved_by"], found["complete"], found["server"]["status"])
    assert [] == left


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32"])
def test_columns_behind_wide_characters_are_found(repository: Sandbox, tmp_path: Path, encoding: str) -> None:
    """Emoji and combining characters before the place, a letter beyond the BMP before the definition."""
    line = "'👩‍🚀 e\u0301'; cart()\r\n"
    repository.write(
        {
            "wide/use.py": "from wide.made import cart\n" + line,
            "wide/made.py": "class 𠀀:\r\n    '👩‍🚀'\r\n\r\n\r\ndef cart(): ...\r\n",
        }
    )
    place = f"wide/use.py:2:{line.index('cart') + 1}"
    found, left = _resolved(repository, tmp_path, Scenario(encodings=[encoding]), LONG_MS, place)
    assert [("cart", "wide/made.py")] == [(one["qualname"], one["path"]) for one in found["found"]]
    assert ("lsp:ty", "answered") == (found["resolved_by"], found["server"]["status"])
    assert [] == left


_ENDED = {
    "dies at spawn": ({"spawn": [[act.exits(3)]]}, "crashed"),
    "dies on request": ({DEFINITION: [[act.dies()]]}, "crashed"),
    "dies in a message": ({DEFINITION: [[act.resolve(cut=50), act.exits(0)]]}, "crashed"),
    "claims a terabyte": ({DEFINITION: [[act.send({}, length=10**12)]]}, "crashed"),
    "refuses to initialize": ({"initialize": [[act.error(-32002)]]}, "crashed"),
    "closes its output": ({"spawn": [[act.close_output(), act.hang()]]}, "crashed"),
    "answers with an error": ({DEFINITION: [[act.error(act.INTERNAL_ERROR)]]}, "error"),
}
_SILENT = {
    "hangs at initialize": ({"initialize": [[act.hang()]]}, "not_ready"),
    "hangs at the question": ({DEFINITION: [[act.hang()]]}, "timeout"),
    "answers half": ({DEFINITION: [[act.resolve(length=9999)]]}, "timeout"),
    "answers another": ({DEFINITION: [[act.resolve(extra={"id": 10**9})]]}, "timeout"),
    "is deaf": ({"initialize": [[act.turn_deaf("never")]]}, "not_ready"),
}


@pytest.mark.parametrize(
    ("turns", "status", "deadline_ms"),
    [
        *(pytest.param(*row, LONG_MS, id=name) for name, row in _ENDED.items()),
        *(pytest.param(*row, SHORT_MS, id=name) for name, row in _SILENT.items()),
    ],
)
def test_answer_without_the_server_is_our_own(
    repository: Sandbox, tmp_path: Path, turns: Any, status: str, deadline_ms: int
) -> None:
    """It is the one that was there without a server, with its own grade; the reason is told, and counted once."""
    alone = repository.json("resolve", STORE)
    left: list[int] = []
    starts = 0

    def ask(within_ms: int) -> dict[str, Any]:
        nonlocal starts
        with ScriptedServer(tmp_path / str(within_ms), Scenario(turns)) as server:
            answer = _answer(_run_beside(repository, server, within_ms, STORE))
            left.extend(server.left())
            # One that ended before it was asked is started by the question once more.
            starts = len(server.events("spawn")) if status == "crashed" else 1
        return answer

    found = asked_in_vain(ask, first_ms=deadline_ms) if status == "timeout" else ask(deadline_ms)
    for key in ("found", "total", "resolved_by", "complete", "reason"):
        assert alone[key] == found[key], key
    assert ("tree_sitter", status) == (found["resolved_by"], found["server"]["status"])
    assert [DEFINED] == [one["path"] for one in found["found"]]
    assert [] == left
    figures = repository.telemetry_file("last_run.json")["lsp"]
    assert starts in {1, 2}
    assert (starts, 1) == (figures["lsp_spawn_count"], figures["lsp_fallback_count"])
    assert 1.0 == figures["lsp_fallback_rate"]
    assert int(status == "timeout") == figures["lsp_timeout_count"]


@pytest.mark.parametrize("nothing", [None, []])
def test_server_that_knows_nothing_takes_no_answer_away(repository: Sandbox, tmp_path: Path, nothing: Any) -> None:
    """A ready server's null leaves our candidates, no longer called complete, with who does not know them."""
    alone = repository.json("resolve", STORE)
    turns = {DID_OPEN: [[act.diagnostics()]], DEFINITION: [[act.answer(nothing)]]}
    run, left = _run(repository, tmp_path, Scenario(turns), LONG_MS, STORE)
    found = run.document
    assert (0, f"'{STORE}': ty knows no definition of it") == (run.exit_code, run.complaint)
    assert ("answered", "tree_sitter") == (found["server"]["status"], found["resolved_by"])
    assert alone["found"] == found["found"]
    assert not found["complete"]
    assert "ty knows no definition of it" in found["reason"]
    assert [] == left


def test_server_that_points_elsewhere_is_believed(repository: Sandbox, tmp_path: Path) -> None:
    """A ready server's word is final, also when it is another than ours, and outside the segment."""
    (tmp_path / "library.py").write_text("def store(): ...\n")
    span = {"start": {"line": 0, "character": 4}, "end": {"line": 0, "character": 9}}
    turns = {DEFINITION: [[act.answer({"uri": (tmp_path / "library.py").as_uri(), "range": span})]]}
    run, left = _run(repository, tmp_path, Scenario(turns), LONG_MS, STORE)
    found = run.document
    assert (1, "library.py:1") == (run.exit_code, run.complaint.rpartition(" ")[2])
    assert ("lsp:ty", True, []) == (found["resolved_by"], found["complete"], found["found"])
    assert "store is defined outside the segment: library.py:1" == found["reason"]
    assert [] == left


@pytest.mark.parametrize("command", ["/no/such/server --stdio", "", "'"])
def test_command_line_that_is_none_is_no_server(repository: Sandbox, command: str) -> None:
    """What is configured and not there is no reason to fail, nor to start another."""
    alone = repository.json("resolve", STORE)
    found = repository.json("resolve", STORE, env=_settings(command, LONG_MS))
    assert (alone["found"], "tree_sitter") == (found["found"], found["resolved_by"])
    assert 0 == repository.telemetry_file("last_run.json")["lsp"]["lsp_spawn_count"]


def _settings(command: str, deadline_ms: int) -> dict[str, str]:
    """Return the settings by which a command asks a server of this command line, under the name of a known one."""
    return {
        "CTX_LSP_ENABLED": "1",
        "CTX_LSP_COMMANDS": f"ty={command}",
        "CTX_LSP_COLD": "ty",
        "CTX_LSP_DEADLINE_MS": str(deadline_ms),
    }


def _run(
    repository: Sandbox, tmp_path: Path, scenario: Scenario, deadline_ms: int, place: str
) -> tuple[Run, list[int]]:
    """Return what a command does beside a server, and the processes it leaves."""
    with ScriptedServer(tmp_path / "server", scenario) as server:
        return _run_beside(repository, server, deadline_ms, place), server.left()


def _run_beside(repository: Sandbox, server: ScriptedServer, deadline_ms: int, place: str) -> Run:
    return repository.run("resolve", place, "--json", env=_settings(shlex.join(server.command), deadline_ms))


def _resolved(
    repository: Sandbox, tmp_path: Path, scenario: Scenario, deadline_ms: int, place: str = STORE
) -> tuple[dict[str, Any], list[int]]:
    """Return the answer of a command that has nothing to complain of, and the processes it leaves."""
    run, left = _run(repository, tmp_path, scenario, deadline_ms, place)
    return _answer(run), left


def _answer(run: Run) -> dict[str, Any]:
    assert (0, "") == (run.exit_code, run.err), run
    return run.document
