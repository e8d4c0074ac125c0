"""`ctx lsp` as a process: three editors' own capabilities, and what editors, users and disks do to it.

Real editors are in test_editors.py.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import pytest
from lsprotocol import types
from pytest_lsp import client_capabilities, make_test_lsp_client
from tests.editor_client import CAPABILITIES, SECONDS_MAX, RawEditor
from tests.process_tree import process_is_gone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.integration.conftest import Sandbox

    Connect = Callable[..., RawEditor]

MIB = 1 << 20
METHOD_NOT_FOUND, INVALID_PARAMS, INVALID_REQUEST, PARSE_ERROR = -32601, -32602, -32600, -32700
NOT_INITIALIZED, CANCELLED, CONTENT_MODIFIED = -32002, -32800, -32801

# Left of the name that is asked for stand characters that count 1, 2 and 4 in the three encodings of positions.
CHECKOUT = """from shop.cart import Cart


def checkout(cookie):
    greeting = "é 🛒"; cart = Cart(cookie)
    return greeting, cart
"""


@pytest.fixture
def connect(repository: Sandbox) -> Iterator[Connect]:
    """Start servers in the shop; the sandbox ends them and looks for what they leave."""
    started = []

    def connected(*arguments: str, sandbox: Sandbox = repository, **options: Any) -> RawEditor:
        editor = RawEditor(sandbox, *arguments, **options)
        started.append(editor)
        return editor

    yield connected
    for editor in started:
        editor.end()


@pytest.fixture
def editor(connect: Connect) -> RawEditor:
    """An editor with the shop open."""
    connected = connect()
    connected.initialize()
    return connected


# ---------------------------------------------------------------------- three editors


PRESETS = {"neovim": "utf-8", "visual-studio-code": "utf-16", "emacs": "utf-32"}
UNIT_BYTES = {"utf-8": ("utf-8", 1), "utf-16": ("utf-16-le", 2), "utf-32": ("utf-32-le", 4)}


@pytest.mark.parametrize("preset", PRESETS)
def test_day_of_an_editor(repository: Sandbox, preset: str) -> None:
    """With the capabilities each editor really sends: outline, jump, hover, symbol, lens, and an edit a shell sees."""
    repository.write({"shop/checkout.py": CHECKOUT})
    asyncio.run(_day(repository, preset, PRESETS[preset]))
    assert [] == repository.leftovers()


async def _day(shop: Sandbox, preset: str, encoding: str) -> None:
    client = make_test_lsp_client()
    await client.start_io(sys.executable, "-m", "ctx", "lsp", env=shop.environment(), cwd=str(shop.segment))
    capabilities = client_capabilities(preset)
    kinds = [types.PositionEncodingKind(encoding)]
    capabilities.general = attrs.evolve(
        capabilities.general or types.GeneralClientCapabilities(), position_encodings=kinds
    )
    folder = types.WorkspaceFolder(uri=shop.segment.as_uri(), name="shop")
    done = await client.initialize_session(
        types.InitializeParams(capabilities, process_id=os.getpid(), root_uri=folder.uri, workspace_folders=[folder])
    )
    assert encoding == done.capabilities.position_encoding

    cart = await _opened(client, shop, "shop/cart.py")
    symbols = await client.text_document_document_symbol_async(types.DocumentSymbolParams(cart)) or []
    assert "Cart" in [symbol.name for symbol in symbols]

    # Answered once the index is there, which what follows waits for only so long.
    await client.workspace_execute_command_async(types.ExecuteCommandParams("ctx.map", []))
    named = await client.workspace_symbol_async(types.WorkspaceSymbolParams("SignedCookie")) or []
    assert f"{folder.uri}/shop/session.py" in [symbol.location.uri for symbol in named]

    checkout = await _opened(client, shop, "shop/checkout.py")
    line = CHECKOUT.splitlines()[4]
    codec, unit_bytes = UNIT_BYTES[encoding]
    units = len(line[: line.index("Cart(") + 1].encode(codec)) // unit_bytes
    place = types.Position(4, units)
    definition = await client.text_document_definition_async(types.DefinitionParams(checkout, place))
    found = definition if isinstance(definition, list) else [definition]
    target = found[0]
    uri, span = (
        (target.target_uri, target.target_selection_range)
        if isinstance(target, types.LocationLink)
        else (target.uri, target.range)
    )
    assert (f"{folder.uri}/shop/cart.py", 11, 6) == (uri, span.start.line, span.start.character)
    hover = await client.text_document_hover_async(types.HoverParams(checkout, place))
    assert hover is not None
    assert "What a visitor wants to buy." in hover.contents.value
    assert "tokens: skeleton" in hover.contents.value

    lenses = await client.text_document_code_lens_async(types.CodeLensParams(cart)) or []
    lens = await client.code_lens_resolve_async(lenses[0])
    assert lens.command is not None
    assert re.fullmatch(r"\d+\+? refs? · \d+ tokens", lens.command.title), lens.command

    change = types.TextDocumentContentChangePartial(
        types.Range(types.Position(0, 0), types.Position(0, 0)), "def wrap_as_present():\n    return 1\n\n\n"
    )
    changed = types.VersionedTextDocumentIdentifier(2, cart.uri)
    client.text_document_did_change(types.DidChangeTextDocumentParams(changed, [change]))
    symbols = await client.text_document_document_symbol_async(types.DocumentSymbolParams(cart)) or []
    assert "wrap_as_present" == symbols[0].name
    await asyncio.to_thread(shop.until_shared, "shop/cart.py")
    hits = (await asyncio.to_thread(shop.json, "search", "wrap_as_present"))["hits"]
    assert ("shop/cart.py", "wrap_as_present") == (hits[0]["path"], hits[0]["qualname"])
    await client.shutdown_session()
    await client.stop()


async def _opened(client: Any, shop: Sandbox, path: str) -> types.TextDocumentIdentifier:
    uri = (shop.segment / path).as_uri()
    item = types.TextDocumentItem(uri, "python", 1, (shop.segment / path).read_text("utf-8"))
    client.text_document_did_open(types.DidOpenTextDocumentParams(item))
    return types.TextDocumentIdentifier(uri)


# ---------------------------------------------------------------------- the protocol


def test_every_state_of_the_connection_has_its_answer(connect: Connect) -> None:
    """Before initialize, twice initialize, an unknown request, after shutdown: each is refused by its own code."""
    editor = connect()
    assert NOT_INITIALIZED == editor.refused("textDocument/hover", {})["code"]
    editor.tell(
        "textDocument/didOpen", {"textDocument": {"uri": "file:///x", "languageId": "", "version": 1, "text": ""}}
    )
    editor.initialize()
    assert INVALID_REQUEST == editor.refused("initialize", {"processId": None, "capabilities": {}})["code"]
    assert METHOD_NOT_FOUND == editor.refused("textDocument/formatting", {})["code"]
    assert METHOD_NOT_FOUND == editor.refused("ctx/noSuchRequest", {})["code"]
    editor.tell("$/noSuchNotification", {})
    editor.ask("shutdown", None)
    assert INVALID_REQUEST == editor.refused("workspace/symbol", {"query": "Cart"})["code"]
    editor.tell("exit", None)
    assert 0 == editor.process.wait(SECONDS_MAX)


def test_exit_without_shutdown_is_a_failure(connect: Connect) -> None:
    """The exit code says whether the client took its leave."""
    editor = connect()
    editor.initialize()
    editor.tell("exit", None)
    assert 1 == editor.process.wait(SECONDS_MAX)


def test_what_is_no_message_is_refused_and_the_rest_goes_on(editor: RawEditor) -> None:
    """No JSON, no object, parameters of another form: an error each in one sentence, and no trace of our own calls."""
    editor.send(b"{")
    assert PARSE_ERROR == editor.answer(None)["error"]["code"]
    editor.send([1])
    assert INVALID_REQUEST == editor.answer(None)["error"]["code"]
    error = editor.refused("textDocument/hover", {"textDocument": 5})
    assert INVALID_PARAMS == error["code"]
    assert "Traceback" not in json.dumps(error)
    assert {"Cart", "add_line"} <= set(editor.outline(editor.open_file("shop/cart.py")))
    assert 0 == editor.quit()


def test_message_without_a_possible_id_holds_nobody_up(editor: RawEditor) -> None:
    """What came in the same read as it is answered, and standard error has nothing of what was received."""
    body = json.dumps({"jsonrpc": "2.0", "id": [1], "method": "ctx/status", "params": {"a": "my words"}}).encode()
    assert editor.process.stdin is not None
    editor.process.stdin.write(b"Content-Length: %d\r\n\r\n%b" % (len(body), body))  # goes out with the next one
    assert [] != editor.ask("ctx/status", {"a": "my words"})
    assert INVALID_REQUEST == editor.answer(None)["error"]["code"]
    assert 0 == editor.quit()
    assert editor.process.stderr is not None
    assert b"my words" not in editor.process.stderr.read()


def test_broken_frame_ends_the_connection(editor: RawEditor) -> None:
    """Where the next message begins cannot be known any more: one line on standard error, and the end."""
    assert editor.process.stdin is not None
    editor.process.stdin.write(b"Content-Length: many\r\n\r\n")
    editor.process.stdin.flush()
    assert 1 == editor.process.wait(SECONDS_MAX)
    assert editor.process.stderr is not None
    assert b"Content-Length must be a number" in editor.process.stderr.read()


def test_wrong_options_are_named_and_the_rest_counts(connect: Connect) -> None:
    """One message a wrong key, with the nearest that there is; what is right is in force."""
    editor = connect()
    options = {"hovr": True, "codeLens": "yes", "definition": False, "lsp": {"deadline_ms": -1}}
    can = editor.initialize(initializationOptions=options)
    for start in (
        "option 'hovr' is none of ctx's; did you mean hover?",
        'option "codeLens" must be true or false',
        'option "lsp.deadline_ms" must be a whole number',
    ):
        message = editor.hear("window/showMessage", lambda params, start=start: start in params["message"])
        assert 2 == message["type"]
    assert (None, True) == (can.get("definitionProvider"), can["hoverProvider"])
    assert METHOD_NOT_FOUND == editor.refused("textDocument/definition", editor.at("file:///x", 0, 0))["code"]
    assert {"Cart"} <= set(editor.outline(editor.open_file("shop/cart.py")))


def test_features_follow_the_settings(editor: RawEditor) -> None:
    """A feature that is switched off while the server runs answers nothing, and answers again when it is back."""
    uri = editor.open_file("shop/cart.py")
    assert editor.outline(uri)
    editor.tell("workspace/didChangeConfiguration", {"settings": {"ctx": {"documentSymbol": False}}})
    assert {} == editor.outline(uri)
    editor.tell("workspace/didChangeConfiguration", {"settings": {"ctx": {}}})
    assert editor.outline(uri)


def test_settings_that_are_not_sent_are_asked_for(editor: RawEditor) -> None:
    """A client that says no more than that its settings changed is asked what they are."""
    editor.settings = {"documentSymbol": False, "hoverr": True}
    editor.tell("workspace/didChangeConfiguration", {"settings": None})
    editor.hear("window/showMessage", lambda params: "did you mean hover?" in params["message"])
    assert {} == editor.outline(editor.open_file("shop/cart.py"))


def test_syntax_errors_are_shown_on_request(connect: Connect) -> None:
    """With the option, diagnostics come with the document, follow its changes, and go with it."""
    editor = connect()
    editor.initialize(initializationOptions={"diagnostics": True})
    uri = editor.uri("broken.py")
    editor.open(uri, "def f(:\n    pass\n")
    heard = editor.hear("textDocument/publishDiagnostics", lambda params: bool(params["diagnostics"]))
    assert (uri, 0) == (heard["uri"], heard["diagnostics"][0]["range"]["start"]["line"])
    editor.told.clear()
    editor.change(uri, 2, {"text": "def f():\n    pass\n"})
    assert [] == editor.hear("textDocument/publishDiagnostics")["diagnostics"]


def test_cancelled_requests_are_answered(editor: RawEditor) -> None:
    """A cancelled request gets its answer, if only that it was cancelled, and the next one is served."""
    uri = editor.open_file("shop/cart.py")
    with editor.in_one_go():
        numbers = [
            editor.begin("textDocument/references", editor.at(uri, 11, 8) | {"context": {"includeDeclaration": True}})
            for _ in range(20)
        ]
        for number in numbers:
            editor.tell("$/cancelRequest", {"id": number})
    editor.tell("$/cancelRequest", {"id": "never heard of"})
    codes = {editor.answer(number).get("error", {}).get("code") for number in numbers}
    assert codes <= {None, CANCELLED}
    assert CANCELLED in codes
    assert "Cart" in editor.outline(uri)


def test_every_request_is_one_event(repository: Sandbox, editor: RawEditor) -> None:
    """Whether it is cancelled before it is begun, while it is answered, afterwards or never."""
    uri = editor.open_file("shop/cart.py")
    uses = editor.at(uri, 11, 8) | {"context": {"includeDeclaration": True}}
    asked = {"textDocument/documentSymbol": {"textDocument": {"uri": uri}}, "textDocument/references": uses}
    numbers = [editor.begin(method, params) for method, params in asked.items() for _ in range(20)]
    for number in numbers:
        editor.tell("$/cancelRequest", {"id": number})
    for number in numbers:
        editor.answer(number)
    for method, params in asked.items():
        editor.ask(method, params)
    told = [event["cmd"] for event in repository.events()]
    assert (21, 21) == (told.count("ctx.lsp.documentSymbol"), told.count("ctx.refs"))


# ---------------------------------------------------------------------- documents


def test_edits_keep_their_lines(editor: RawEditor) -> None:
    """Form feeds and U+2028 end no line, CR LF and a lone CR do; pieces and whole texts may come in one change."""
    uri = editor.uri("odd.py")
    editor.open(uri, "a = 1\r\n\x0c\r\ndef one():\r    return '\u2028'\n\n\ndef two():\n    return 2\n")
    assert {"one": 2, "two": 6} == {name: line for name, line in editor.outline(uri).items() if name != "a"}
    span = {"start": {"line": 6, "character": 4}, "end": {"line": 6, "character": 7}}
    editor.change(uri, 2, {"range": span, "text": "three"})
    assert 6 == editor.outline(uri)["three"]
    start = {"line": 0, "character": 0}
    editor.change(uri, 3, {"text": "def whole(): ...\n"}, {"range": {"start": start, "end": start}, "text": "\n"})
    assert {"whole": 1} == editor.outline(uri)


def test_half_of_a_character_keeps_the_document(editor: RawEditor) -> None:
    """Half an emoji is text like any other: later changes hit their places, and every request has an answer."""
    uri = editor.uri("shop/cart.py")
    editor.open(uri, "# hi\ndef alpha(): pass\n")
    place = {"line": 0, "character": 4}
    editor.change(uri, 2, {"range": {"start": place, "end": place}, "text": "\ud83d\n"})
    name = {"start": {"line": 2, "character": 4}, "end": {"line": 2, "character": 9}}
    editor.change(uri, 3, {"range": name, "text": "beta"})
    assert {"beta": 2} == editor.outline(uri)
    assert "def beta" in editor.ask("textDocument/hover", editor.at(uri, 2, 5))["contents"]["value"]
    assert [] == editor.ask("workspace/symbol", {"query": "\ud83d"})
    assert "ctx.search/1" == editor.execute("ctx.search", "beta \ud83d")["schema"]
    assert 0 == editor.quit()


def test_change_that_cannot_be_read_ends_the_knowledge_of_a_text(editor: RawEditor) -> None:
    """The file answers then, the person is told, and the next whole text counts again."""
    uri = editor.open_file("shop/cart.py")
    editor.change(uri, 2, {"text": "def half():\n    pass\n"})
    assert {"half": 0} == editor.outline(uri)
    editor.tell("textDocument/didChange", {"textDocument": {"uri": uri}, "contentChanges": 5})
    assert "Cart" in editor.outline(uri)
    heard = editor.hear("window/logMessage", lambda params: "could not be read" in params["message"])
    assert "shop/cart.py" in heard["message"]
    editor.change(
        uri, 3, {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}, "text": "x"}
    )
    assert "Cart" in editor.outline(uri)
    editor.change(uri, 4, {"text": "def whole():\n    pass\n"})
    assert {"whole": 0} == editor.outline(uri)


@pytest.mark.parametrize(
    "uri",
    ["untitled:Untitled-1", "git:/repo/cart.py?%7B%22ref%22%3A%22%22%7D", "vscode-notebook-cell:/a.ipynb#W0sZmlsZQ"],
)
def test_documents_that_are_no_files_answer_from_their_text(editor: RawEditor, uri: str) -> None:
    """Outline, jump and hover by what the text itself says; lenses and uses elsewhere there are none."""
    editor.open(uri, "def scratch(size):\n    return size\n\n\nscratch(1)\n")
    assert {"scratch": 0} == editor.outline(uri)
    place = editor.at(uri, 4, 2)
    (found,) = editor.ask("textDocument/definition", place)
    assert (uri, 0, 4) == (found["uri"], found["range"]["start"]["line"], found["range"]["start"]["character"])
    assert "def scratch(size)" in editor.ask("textDocument/hover", place)["contents"]["value"]
    assert editor.ask("textDocument/codeLens", {"textDocument": {"uri": uri}}) is None
    assert 2 == len(editor.ask("textDocument/references", place | {"context": {"includeDeclaration": True}}))


def test_places_outside_the_text_are_moved_into_it(editor: RawEditor) -> None:
    """Whatever line and character are asked about, and changed, there is an answer."""
    uri = editor.open_file("shop/cart.py")
    for line, character in ((10**6, 0), (0, 10**6), (11, 2**31 - 1), (2**31 - 1, 2**31 - 1)):
        for method in ("textDocument/hover", "textDocument/definition"):
            editor.ask(method, editor.at(uri, line, character))
    far = {"line": 10**6, "character": 10**6}
    editor.change(uri, 2, {"range": {"start": far, "end": far}, "text": "\n\ndef at_the_end():\n    pass\n"})
    assert "at_the_end" in editor.outline(uri)


def test_file_of_another_encoding_is_read_as_the_index_reads_it(editor: RawEditor) -> None:
    """A file in Latin-1 with CR LF, not open in the editor: places in it are right to the character."""
    hear_ready(editor)
    text = "# -*- coding: latin-1 -*-\r\nx = 'é'; class_of_ä = 1\r\n"
    editor.sandbox.write({"old.py": text.encode("latin-1"), "new.py": "from old import class_of_ä\n\nclass_of_ä\n"})
    editor.tell("workspace/didChangeWatchedFiles", {"changes": [{"uri": editor.uri("old.py"), "type": 1}]})
    uri = editor.open_file("new.py")
    (found,) = editor.ask("textDocument/definition", editor.at(uri, 2, 3))
    span = found["range"]
    assert (editor.uri("old.py"), 1, 9, 19) == (
        found["uri"],
        span["start"]["line"],
        span["start"]["character"],
        span["end"]["character"],
    )
    assert {"class_of_ä", "x"} <= set(editor.outline(editor.uri("old.py")))


def test_stale_question_is_refused(editor: RawEditor) -> None:
    """A hover that waits while its document changes is dropped: its place is of another text."""
    uri = editor.open_file("shop/cart.py")
    editor.ask("textDocument/hover", editor.at(uri, 11, 8))
    numbers = []
    start = {"line": 0, "character": 0}
    with editor.in_one_go():
        for version in range(2, 30):
            numbers.append(editor.begin("textDocument/hover", editor.at(uri, 11, 8)))
            editor.change(uri, version, {"range": {"start": start, "end": start}, "text": "#"})
    codes = {editor.answer(number).get("error", {}).get("code") for number in numbers}
    assert codes <= {None, CONTENT_MODIFIED}
    assert CONTENT_MODIFIED in codes


def test_large_document_and_a_burst_of_changes(editor: RawEditor) -> None:
    """With 20 MB open, and after a thousand changes of it, other documents are answered."""
    large = editor.uri("large.py")
    editor.open(large, "value = 'ä'  # a line of some length\n" * (20 * MIB // 40))
    small = editor.open_file("shop/cart.py")
    assert "Cart" in editor.outline(small)
    for version in range(2, 1002):
        place = {"line": version * 7, "character": 8}
        editor.change(large, version, {"range": {"start": place, "end": place}, "text": "x\n"})
        editor.change(
            small,
            version,
            {"range": {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 0}}, "text": "#"},
        )
    assert "Cart" in editor.outline(small)
    assert {} == editor.outline(large)
    assert "larger than" in editor.hear("window/logMessage")["message"]
    assert 0 == editor.quit()


# ---------------------------------------------------------------------- the segment


def test_commands_answer_what_the_command_line_prints(editor: RawEditor) -> None:
    """Search, get, map and uses give the objects of `--json`, with arguments by name and by position."""
    shop = editor.sandbox
    for arguments, same in (
        (("search", "signed cookie", "-n", "3"), ("ctx.search", {"query": "signed cookie", "limit": 3})),
        (("search", "signed cookie", "-n", "3"), ("ctx.search", "signed cookie", 3)),
        (("search", "-F", "cookie"), ("ctx.search", {"query": "cookie", "literal": True})),
        (("get", "shop/cart.py", "shop/session.py"), ("ctx.get", "shop/cart.py", "shop/session.py")),
        (("get", "shop/cart.py#Cart", "-m", "raw"), ("ctx.get", {"targets": ["shop/cart.py#Cart"], "mode": "raw"})),
        (("map",), ("ctx.map",)),
        (("refs", "SignedCookie"), ("ctx.refs", "SignedCookie")),
    ):
        printed, answered = shop.run(*arguments, "--json").document, editor.execute(*same)
        for document in (printed, answered):
            document.pop("took_ms", None)
        assert printed == answered
    telemetry = editor.execute("ctx.telemetry")
    assert ("ctx.telemetry/1", 3) == (telemetry["schema"], telemetry["metrics_delta"]["ctx_search_count"])
    assert {"schema": "ctx.restart/1", "restarted": ["segment"]} == editor.execute("ctx.restart")
    assert editor.execute("ctx.search", "signed cookie")["hits"]


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("ctx.nothing", [], "is no command of ctx's; there are ctx.search"),
        ("ctx.search", [], "query is missing"),
        ("ctx.search", [{"query": 5}], "query must be a text, found 5"),
        ("ctx.search", [{"qery": "x"}], "has no argument 'qery'; it takes query, limit"),
        ("ctx.search", ["x", True], "limit must be a whole number, found True"),
        ("ctx.refs", [{"uri": "file:///x"}], "is no folder of the workspace"),
        ("ctx.refs", [{"view": "uses"}], "give selector, or uri and position"),
        ("ctx.get", [{"targets": [1]}], "targets must be a list of texts"),
        ("ctx.get", ["../../etc/passwd"], "outside the segment"),
        ("ctx.map", [{"root": "file:///nowhere"}], "is no folder of the workspace; there are: segment"),
    ],
)
def test_wrong_arguments_are_explained(editor: RawEditor, command: str, arguments: list[Any], message: str) -> None:
    """What is wrong with a command is one sentence that names it."""
    error = editor.refused("workspace/executeCommand", {"command": command, "arguments": arguments})
    assert message in error["message"]


@pytest.mark.parametrize("method", ["workspaceSymbol/resolve", "codeLens/resolve"])
@pytest.mark.parametrize("data", ["zz", 5, [], {"root": "x"}, {"uri": "file:///a"}, {"uri": "file:///a", "line": "a"}])
def test_what_is_none_of_ours_is_not_resolved(editor: RawEditor, method: str, data: Any) -> None:
    """A symbol or a lens with somebody else's data is refused in one sentence."""
    span = {"start": {"line": 0, "character": 0}, "end": {"line": 0, "character": 1}}
    symbol = {"name": "a", "kind": 5, "location": {"uri": "file:///a"}, "range": span}
    error = editor.refused(method, symbol | {"data": data})
    assert INVALID_PARAMS == error["code"]
    assert "is none of ctx's" in error["message"]


def hear_ready(editor: RawEditor, *segments: str) -> None:
    """Wait until the segments are indexed: most requests wait for that only so long, on a machine that is busy."""
    for segment in segments or ("segment",):
        editor.hear("ctx/status", lambda told, name=segment: (name, "ready") == (told["segment"], told["state"]))


def change_folders(editor: RawEditor, *, added: tuple[str, ...] = (), removed: tuple[str, ...] = ()) -> list[str]:
    """Change the folders of the workspace and return the segments that are open then."""
    event = {
        name: [{"uri": uri, "name": "a folder"} for uri in uris]
        for name, uris in (("added", added), ("removed", removed))
    }
    editor.tell("workspace/didChangeWorkspaceFolders", {"event": event})
    return [state["segment"] for state in editor.ask("ctx/status", {})]


def test_segment_is_open_as_long_as_one_of_its_folders_is(editor: RawEditor, repository: Sandbox) -> None:
    """However the folders' URIs are spelled, and whichever of them was there first."""
    whole, part = repository.segment.as_uri(), editor.uri("shop")
    assert ["segment"] == change_folders(editor, added=(part + "/",))
    assert ["segment"] == change_folders(editor, removed=(whole,))
    assert {"schema": "ctx.restart/1", "restarted": ["segment"]} == editor.execute("ctx.restart")
    assert [] == change_folders(editor, removed=(part,))
    assert ["segment"] == change_folders(editor, added=(whole + "/",))
    assert [] == change_folders(editor, removed=(whole,))


def test_question_about_a_folder_that_is_closed_is_answered(editor: RawEditor, repository: Sandbox) -> None:
    """What waits for a segment gets its end when the folder is closed, or opened anew, and is not waited for."""
    asked = [editor.begin("workspace/executeCommand", {"command": "ctx.map"}) for _ in range(20)]
    again = editor.begin("workspace/executeCommand", {"command": "ctx.restart"})
    asked += [editor.begin("workspace/symbol", {"query": "Cart"}) for _ in range(20)]
    assert [] == change_folders(editor, removed=(repository.segment.as_uri(),))
    assert ["segment"] == editor.answer(again)["result"]["restarted"]
    answers = [editor.answer(number) for number in asked]
    assert {CANCELLED} >= {answer["error"]["code"] for answer in answers if "error" in answer}


def test_message_of_any_length_is_told_by_its_ends(editor: RawEditor) -> None:
    """A folder's path may be as long as it likes; what becomes of it stands at the end."""
    change_folders(editor, added=("file:///" + "x" * 5000,))
    message = editor.hear("window/logMessage", lambda params: "xxx" in params["message"])["message"]
    assert 1_100 > len(message)
    assert message.endswith("its documents are answered from their text alone")


def test_two_folders_are_two_segments(connect: Connect, repository: Sandbox) -> None:
    """Symbols of both, each with its own index and telemetry; one that is closed is not asked any more."""
    other = repository.root / "other"
    repository.write({"tool.py": "def hammer():\n    return 1\n"}, below=other)
    editor = connect()
    editor.initialize(repository.segment, other)
    hear_ready(editor, "segment", "other")
    both = {
        symbol["location"]["uri"]
        for query in ("Cart", "hammer")
        for symbol in editor.ask("workspace/symbol", {"query": query})
    }
    assert {editor.uri("shop/cart.py"), (other / "tool.py").as_uri()} <= both
    states = editor.ask("ctx/status", {})
    assert ["segment", "other"] == [state["segment"] for state in states]
    folder = {"uri": other.as_uri(), "name": "other"}
    editor.tell("workspace/didChangeWorkspaceFolders", {"event": {"added": [], "removed": [folder]}})
    assert [] == editor.ask("workspace/symbol", {"query": "hammer"})
    editor.told.clear()
    editor.tell("workspace/didChangeWorkspaceFolders", {"event": {"added": [folder], "removed": []}})
    hear_ready(editor, "other")
    assert ["hammer"] == [symbol["name"] for symbol in editor.ask("workspace/symbol", {"query": "hammer"})]
    assert 0 == editor.quit()
    for segment in (repository.segment, other):
        commands = [event["cmd"] for event in repository.events(segment)]
        assert {"command.start", "command.end", "ctx.lsp.symbol"} <= set(commands)


def test_telemetry_has_every_request(editor: RawEditor) -> None:
    """A line a request with its time, its face and its state, and no path of this machine in any."""
    uri = editor.open_file("shop/cart.py")
    editor.hear("ctx/status", lambda status: status["state"] == "ready")
    editor.outline(uri)
    for method in ("textDocument/hover", "textDocument/definition"):
        editor.ask(method, editor.at(uri, 11, 8))
    editor.ask("textDocument/references", editor.at(uri, 11, 8) | {"context": {"includeDeclaration": False}})
    editor.execute("ctx.search", "cart")
    assert 0 == editor.quit()
    told = editor.sandbox.events()
    # Its host's end is told when it has left, sooner or later.
    events = {event["cmd"]: event for event in told if event["args"].get("face") != "daemon"}
    for command in ("ctx.lsp.documentSymbol", "ctx.hover", "ctx.resolve", "ctx.refs", "ctx.search"):
        event = events[command]
        assert ("lsp", "ready", "ok") == (event["face"], event["state"], event["result"]["status"]), event
        assert event["duration_ns"] > 0
    assert {"command": "lsp", "face": "lsp"} == events["command.end"]["args"]
    assert str(editor.sandbox.root) not in json.dumps(editor.sandbox.events())


def test_status_and_progress_are_told(editor: RawEditor) -> None:
    """The editor hears that the segment is ready, how many files it has, and what was handed on."""
    ready = editor.hear("ctx/status", lambda status: status["state"] == "ready")
    assert ("ctx.status/1", "segment", 6) == (ready["schema"], ready["segment"], ready["files"])
    answer = editor.execute("ctx.get", "shop/cart.py")
    told = editor.hear("ctx/status", lambda status: status["tokens"] > 0)
    assert answer["total_tokens"] == told["tokens"]


@pytest.mark.parametrize("happens", ["deleted", "renamed"])
def test_folder_that_goes_away_while_it_is_open(editor: RawEditor, happens: str) -> None:
    """What is open answers from its text, what needs the folder says that it is gone, and the server lives."""
    hear_ready(editor)
    uri = editor.open_file("shop/cart.py")
    assert editor.outline(uri)
    editor.ask("textDocument/hover", editor.at(uri, 11, 8))
    segment = editor.sandbox.segment
    if happens == "deleted":
        editor.sandbox.remove_segment()
    else:
        segment.rename(segment.with_name("elsewhere"))
    assert "Cart" in editor.outline(uri)
    editor.tell("workspace/didChangeWatchedFiles", {"changes": [{"uri": uri, "type": 3}]})
    assert "class Cart" in editor.ask("textDocument/hover", editor.at(uri, 11, 8))["contents"]["value"]
    error = editor.refused("workspace/executeCommand", {"command": "ctx.search", "arguments": ["cart"]})
    assert "segment's directory cannot be opened" in error["message"]
    assert not segment.exists()
    assert 0 == editor.quit()


def test_status_tells_of_the_host_without_a_document(editor: RawEditor) -> None:
    """One that serves is told of as soon as it does, and so is its end."""
    editor.hear("ctx/status", lambda status: status["host"])
    editor.told.clear()
    editor.sandbox.ok("daemon", "stop")
    editor.hear("ctx/status", lambda status: not status["host"])
    assert [False] == [status["host"] for status in editor.ask("ctx/status", {})]


def test_folder_that_is_replaced_has_the_texts_again(editor: RawEditor) -> None:
    """Moved away it is a fallback; what is copied to its place gets a host, and a shell there sees what is unsaved."""
    sandbox = editor.sandbox
    uri = editor.open_file("shop/cart.py")
    editor.hear("ctx/status", lambda status: status["host"])
    editor.change(uri, 2, {"text": "def striped_zebra():\n    pass\n"})
    assert "striped_zebra" in editor.outline(uri)
    sandbox.ok("search", "--literal", "striped_zebra")
    host = sandbox.host_status()
    editor.told.clear()
    away = sandbox.segment.rename(sandbox.segment.with_name("away"))
    gone = editor.hear("ctx/status", lambda status: status["state"] == "fallback" and not status["host"])
    assert "segment's directory cannot be opened" in gone["detail"]
    editor.told.clear()
    # What it writes at its end must not change under the copy.
    assert process_is_gone(host["front_pid"])
    shutil.copytree(away, sandbox.segment)
    editor.hear("ctx/status", lambda status: status["state"] == "ready" and status["host"])
    sandbox.ok("search", "--literal", "striped_zebra")
    editor.change(uri, 3, {"text": "def spotted_zebra():\n    pass\n"})
    assert "def spotted_zebra" in editor.ask("textDocument/hover", editor.at(uri, 0, 6))["contents"]["value"]
    sandbox.ok("search", "--literal", "spotted_zebra")
    assert 0 == editor.quit()
    shutil.rmtree(away)


def test_text_that_grows_too_large_gives_way_to_the_saved_file(editor: RawEditor) -> None:
    """A shell finds what is saved, and not what was typed before the text grew."""
    uri = editor.open_file("shop/cart.py")
    editor.hear("ctx/status", lambda status: status["host"])
    for text, exit_code in (("def striped_zebra(): ...\n", 0), ("def striped_zebra(): ...\n" * 100_000, 1)):
        editor.change(uri, exit_code + 2, {"text": text})
        editor.ask("workspace/symbol", {"query": "Cart"})
        assert exit_code == editor.sandbox.run("search", "--literal", "striped_zebra").exit_code
    editor.sandbox.ok("search", "--literal", "class Cart", "--path", "shop/cart.py")
    editor.hear("window/logMessage", lambda log: "as it was saved answers in its place" in log["message"])
    assert 0 == editor.quit()


# ---------------------------------------------------------------------- ends


def _under_way(editor: RawEditor) -> None:
    """Have something be changed, asked and not answered yet."""
    uri = editor.open_file("shop/cart.py")
    editor.change(uri, 2, {"text": "def half():\n    pass\n"})
    editor.begin("textDocument/references", editor.at(uri, 0, 5) | {"context": {"includeDeclaration": True}})
    editor.begin("workspace/executeCommand", {"command": "ctx.map", "arguments": []})


def test_end_of_input_ends_everything_at_once(editor: RawEditor) -> None:
    """The editor is gone in the middle of a call: so is the server, and its end is on the disk."""
    _under_way(editor)
    assert editor.process.stdin is not None
    editor.process.stdin.close()
    assert 1 == editor.process.wait(SECONDS_MAX)
    assert [] == editor.sandbox.leftovers()
    told = [event for event in editor.sandbox.events() if event["args"].get("face") == "lsp"]  # its host tells, too
    if any(event["cmd"] == "command.start" for event in told):
        assert [1] == [event["result"]["exit_code"] for event in told if event["cmd"] == "command.end"]


def test_killed_client_process_ends_the_server(connect: Connect) -> None:
    """A client whose process dies while its pipes stay open in another one is missed all the same."""
    client = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    editor = connect()
    editor.initialize(processId=client.pid)
    _under_way(editor)
    client.kill()
    client.communicate()
    assert 1 == editor.process.wait(SECONDS_MAX)
    assert [] == editor.sandbox.leftovers()


def test_client_that_is_no_process_here_is_not_missed(connect: Connect) -> None:
    """A number from another machine or container says nothing."""
    editor = connect()
    editor.initialize(processId=2**22 - 3)
    assert editor.outline(editor.open_file("shop/cart.py"))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_ends_everything(editor: RawEditor, number: signal.Signals) -> None:
    """Whoever ends the server by a signal finds nothing left."""
    _under_way(editor)
    editor.process.send_signal(number)
    assert 1 == editor.process.wait(SECONDS_MAX)
    assert [] == editor.sandbox.leftovers()


def test_client_that_stops_reading_costs_a_bounded_amount(connect: Connect, repository: Sandbox) -> None:
    """Asked for a gigabyte that nobody fetches, the server reads no further; what is fetched then is whole."""
    editor = connect(reads=False)
    repository.write({"wide.py": "".join(f"def f{n}(): ...\n" for n in range(3000))})
    sender = threading.Thread(target=_ask_for_much, args=(editor,), daemon=True)
    sender.start()
    deadline = time.monotonic() + 20
    sent = -1
    while time.monotonic() < deadline and (sent != editor._number or sent < 50):
        sent = editor._number
        sender.join(1.0)
    assert sender.is_alive()
    status = Path(f"/proc/{editor.process.pid}/status").read_text()
    resident_kib = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))
    assert resident_kib < 400 * 1024, resident_kib
    assert editor.process.stdout is not None
    head = editor.process.stdout.readline()
    assert head.startswith(b"Content-Length: ")
    editor.process.kill()
    sender.join()


def _ask_for_much(editor: RawEditor) -> None:
    params = {"processId": None, "rootUri": editor.sandbox.segment.as_uri(), "capabilities": CAPABILITIES}
    editor.begin("initialize", params)
    editor.tell("initialized", {})
    document = {"textDocument": {"uri": editor.uri("wide.py")}}
    with contextlib.suppress(OSError):
        while True:
            editor.begin("textDocument/documentSymbol", document)


def test_print_and_children_cannot_reach_the_wire(connect: Connect) -> None:
    """What a library prints, and what a child writes to standard output, lands on standard error."""
    code = (
        "import os, sys, subprocess\n"
        "from ctx.infrastructure.editor.stdio import take_standard_streams\n"
        "incoming, outgoing = take_standard_streams()\n"
        "print('stray', flush=True)\n"
        "subprocess.run(['sh', '-c', 'echo child; cat'])\n"
        "os.write(outgoing, b'wire:' + os.read(incoming, 100))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], input=b"from the editor", capture_output=True, check=True)
    assert (b"wire:from the editor", b"stray\nchild\n") == (done.stdout, done.stderr)


def test_command_line_of_the_server(repository: Sandbox) -> None:
    """`--stdio` is what clients add; another level is one line and exit code 2; an empty input is an end."""
    assert (1, "") == (repository.run("lsp", "--stdio").exit_code, repository.run("lsp", "--stdio").err)
    wrong = repository.run("lsp", "--log-level", "loud")
    assert 2 == wrong.exit_code
    assert "--log-level must be one of off, error, warning, info, debug, found 'loud'" == wrong.complaint
