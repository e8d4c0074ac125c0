"""Neovim and Emacs with eglot, as a person uses them, with the configurations that ctx ships.

Without an editor its tests are skipped and say so; with CTX_REQUIRE_EDITORS=1, as CI has it, they fail.
"""

from __future__ import annotations

import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
from tests.editor_drivers import EDITORS, REPOSITORY, Editor, Emacs, Neovim

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.integration.conftest import Sandbox

    Start = Callable[..., Editor]

BASEDPYRIGHT = shutil.which("basedpyright-langserver", path=os.path.dirname(sys.executable))
# Left of the name that is asked for stand characters that count 1, 2 and 4 in the three encodings of positions.
CHECKOUT = '''"""Paying."""

from shop.cart import Cart


def checkout(cookie):
    """Pay for what is in the cart."""
    greeting = "é 🛒"; cart = Cart(cookie)
    return greeting, cart.lines
'''
# For what is the same without a host: waiting for its end takes longer than the test.
ALONE = {"CTX_DAEMON": "off"}
UNSAVED = (
    'def wrap_as_present(article: str) -> str:\n    """Wrap it in paper with stars on it."""\n    return f"*{article}*"'
)


@functools.cache
def _missing(editor: type[Editor]) -> str:
    return editor.missing()


def _need(editor: type[Editor]) -> None:
    """Skip the test, or fail it where editors are required, when this one is missing."""
    if why := _missing(editor):
        give_up = pytest.fail if os.environ.get("CTX_REQUIRE_EDITORS") == "1" else pytest.skip
        give_up(f"{why}; scripts/install_editors.sh installs it")


@pytest.fixture(params=EDITORS, ids=lambda editor: editor.program)
def editor_type(request: pytest.FixtureRequest) -> type[Editor]:
    """Each editor that is installed."""
    found: type[Editor] = request.param
    _need(found)
    return found


@pytest.fixture
def shop(repository: Sandbox) -> Sandbox:
    """The small shop with a checkout."""
    repository.write({"shop/checkout.py": CHECKOUT})
    return repository


@pytest.fixture
def start(shop: Sandbox, editor_type: type[Editor]) -> Iterator[Start]:
    """Start an editor in the shop; whatever happens, it is ended, and the sandbox looks for what it left."""
    with contextlib.ExitStack() as stack:

        def started(**options: Any) -> Editor:
            editor = editor_type(shop, **options)
            stack.callback(editor.end)
            return editor

        yield started


def test_outline_and_definition_and_hover(start: Start, shop: Sandbox) -> None:
    """The outline of a real file, a jump from behind characters each encoding counts its own way, and the hover."""
    editor = start()
    editor.open("shop/cart.py")
    names = [(_last_word(name), line) for name, line in editor.step("outline")]
    assert [("Cart", 12), ("__init__", 15), ("add_line", 19), ("shipping_costs", 24)] == [
        pair for pair in names if pair[0] not in {"FREE_SHIPPING_FROM", "Cart.lines"}
    ]

    editor.open("shop/checkout.py")
    editor.step("go", "Cart(cookie)")
    landed = editor.step("definition")
    assert (str(shop.segment / "shop/cart.py"), 12, "class Cart:") == (landed["file"], landed["line"], landed["text"])

    editor.open("shop/checkout.py")
    editor.step("go", "Cart(cookie)")
    shown = editor.step("hover")
    assert "class Cart" in shown
    assert "What a visitor wants to buy." in shown


def test_symbols_of_the_whole_repository(start: Start) -> None:
    """A symbol of a file that was never opened is found, with its place."""
    editor = start(environment=ALONE)
    editor.open("shop/checkout.py")
    found = [(path, line) for name, path, line in editor.step("symbols", "SignedCookie") if "SignedCookie" in name]
    assert ("shop/session.py", 7) in found


def test_code_lenses(start: Start) -> None:
    """Above the class of the cart stands how often it is used and what it costs."""
    editor = start(environment=ALONE)
    editor.open("shop/cart.py")
    titles = " ".join(title for line, title in editor.step("lenses") if line == 12)
    assert re.search(r"\d+\+? (uses?|refs?|references?)", titles), titles  # a plus when there was no time for all
    assert re.search(r"\d+ ?t", titles), titles


def test_commands_of_the_configuration(start: Start) -> None:
    """Search, get, map, telemetry and restart answer in the editor's own lists and windows."""
    editor = start(environment=ALONE)
    editor.open("shop/checkout.py")
    path, line, text = editor.step("search", "signed cookie")[0]
    assert ("shop/session.py", 7) == (path, line)
    assert "SignedCookie" in text

    editor.step("go", "def checkout")
    assert editor.step("get", "shop/cart.py#Cart.add_line").startswith("== shop/cart.py:19-22 excerpt ")
    assert "class Cart" in editor.step("map")
    assert "ctx_search_count: 1" in editor.step("telemetry")
    assert "started anew" in editor.step("restart")
    assert re.match(r"ctx READY", editor.step("status", "READY"))


def test_get_is_of_what_the_cursor_is_in(shop: Sandbox) -> None:
    """Without a target Neovim's command shows the function around the cursor."""
    _need(Neovim)
    editor = Neovim(shop, environment=ALONE)
    try:
        editor.open("shop/cart.py")
        editor.step("go", "Decimal(0)")
        assert editor.step("get", "").startswith("== shop/cart.py:24-26 excerpt ")
        assert "the cursor is in no file; go to one, or name what to get" in editor.step("get_in_scratch_window")
    finally:
        editor.close()


def test_emacs_says_what_is_wrong_in_one_sentence(shop: Sandbox) -> None:
    """The server's own words, and nothing of the protocol's around them."""
    _need(Emacs)
    editor = Emacs(shop, environment=ALONE)
    try:
        editor.open("shop/cart.py")
        assert "ctx: nope.py: no such file in the segment; look for it with ctx search" == editor.step(
            "get-in-vain", "nope.py"
        )
    finally:
        editor.close()


def test_what_is_not_saved_is_what_a_shell_finds(start: Start, shop: Sandbox) -> None:
    """A function that exists in the editor alone is found, and shown, by commands in another process."""
    editor = start()
    editor.open("shop/cart.py")
    assert editor.step("append", "\n\n" + UNSAVED) is True
    names = [_last_word(name) for name, _line in editor.step("outline")]
    assert "wrap_as_present" in names

    shop.until_shared("shop/cart.py")
    hits = shop.json("search", "wrap_as_present")["hits"]
    assert ("shop/cart.py", "wrap_as_present") == (hits[0]["path"], hits[0]["qualname"])
    (item,) = shop.json("get", hits[0]["id"], "--mode", "raw")["items"]
    assert UNSAVED == item["text"].rstrip("\n")
    assert b"wrap_as_present" not in (shop.segment / "shop/cart.py").read_bytes()

    assert 0 == editor.close()
    assert [] == shop.leftovers()  # the server, and so its text, may outlive the editor for a moment
    assert [] == [hit for hit in shop.run("search", "wrap_as_present", "--json").document["hits"] if hit["score"] > 1]
    assert b"wrap_as_present" not in (shop.segment / "shop/cart.py").read_bytes()


def test_saved_text_stays_found(start: Start, shop: Sandbox) -> None:
    """After the save the file itself has the function, and commands go on finding it when the editor is gone."""
    editor = start()
    editor.open("shop/cart.py")
    editor.step("append", "\n\n" + UNSAVED)
    assert not editor.step("save")
    assert 0 == editor.close()
    assert "wrap_as_present" == shop.json("search", "wrap_as_present")["hits"][0]["qualname"]


def test_switched_off_features_are_not_offered(start: Start) -> None:
    """What another server is to answer is not offered."""
    editor = start(environment=ALONE, features={"hover": False, "definition": False, "documentSymbol": True})
    offered = set(editor.open("shop/cart.py")["offered"])
    assert {"documentSymbolProvider"} == offered & {"hoverProvider", "definitionProvider", "documentSymbolProvider"}


def test_closed_editor_leaves_no_process(start: Start, shop: Sandbox) -> None:
    """Quitting ends the server and what it started."""
    editor = start()
    editor.open("shop/cart.py")
    editor.step("outline")
    running = [_command(pid) for pid in shop.processes()]
    assert [line for line in running if " lsp" in line], running
    editor.close()
    assert [] == shop.leftovers()


def test_killed_editor_leaves_no_process(start: Start, shop: Sandbox) -> None:
    """An editor that dies without a word takes the server along, with an edit and a question under way."""
    editor = start()
    editor.open("shop/cart.py")
    editor.step("append", "\n\n" + UNSAVED)
    editor.step("outline")
    editor.kill()
    assert [] == shop.leftovers()
    assert [] == [hit for hit in shop.run("search", "wrap_as_present", "--json").document["hits"] if hit["score"] > 1]


def test_two_editors_on_one_folder(start: Start, shop: Sandbox) -> None:
    """Each sees its own buffer, a shell sees the edits of both, and one that ends leaves the other's."""
    other_folder = shop.runtime / "second"
    other_folder.mkdir(mode=0o700)
    first = start()
    first.open("shop/cart.py")
    second = start(socket_folder=other_folder)
    second.open("shop/session.py")
    first.step("append", "\n\n" + UNSAVED)
    second.step("append", "\n\ndef melt_chocolate(grams: int) -> int:\n    return grams")
    for editor in (first, second):
        editor.step("outline")
    for path in ("shop/cart.py", "shop/session.py"):
        shop.until_shared(path)
    assert "wrap_as_present" == shop.json("search", "wrap_as_present")["hits"][0]["qualname"]
    assert "melt_chocolate" == shop.json("search", "melt_chocolate")["hits"][0]["qualname"]
    second.close()
    assert "wrap_as_present" == shop.json("search", "wrap_as_present")["hits"][0]["qualname"]
    first.close()


def test_telemetry_of_an_editors_life(start: Start, shop: Sandbox) -> None:
    """A life is one run with the face "lsp": its requests are events with their times, its end is on the disk."""
    editor = start(environment=ALONE)
    editor.open("shop/cart.py")
    editor.step("outline")
    editor.step("search", "signed cookie")
    editor.close()
    assert [] == shop.leftovers()
    starts = [event for event in shop.events() if event["cmd"] == "command.start"]
    lives = {event["run_id"] for event in starts if event["args"].get("face") == "lsp"}
    assert 1 == len(lives)
    of_life = [event for event in shop.events() if event["run_id"] in lives]
    found = {event["cmd"]: event for event in of_life}
    assert {"command.start", "command.end", "ctx.search", "ctx.lsp.documentSymbol"} <= set(found), sorted(found)
    assert "lsp" == found["ctx.search"]["face"]
    assert found["ctx.lsp.documentSymbol"]["duration_ns"] > 0


def test_missing_program_is_said_once(shop: Sandbox) -> None:
    """Neovim says that ctx was not found and how to get it, once for however many files."""
    _need(Neovim)
    editor = Neovim(shop, command=["ctx-that-is-not-there", "lsp"])
    try:
        for path in ("shop/cart.py", "shop/session.py"):
            editor.step("open", str(shop.segment / path))
        (note,) = editor.step("notes")
        assert note.startswith("ctx: ctx-that-is-not-there was not found; install it")
    finally:
        editor.close()


@pytest.mark.skipif(not BASEDPYRIGHT, reason="basedpyright is not installed beside ctx: the extra lsp brings it")
def test_status_follows_the_language_server_of_the_host(shop: Sandbox) -> None:
    """While the host's server warms up the status says so, then READY with its name, without anybody asking again."""
    _need(Neovim)
    editor = Neovim(shop, environment={"CTX_LSP_ENABLED": "1", "CTX_LSP_WARM": "basedpyright"})
    try:
        editor.step("open", str(shop.segment / "shop/checkout.py"))
        editor.step("connected")
        editor.step("go", "Cart(cookie)")
        editor.step("definition")
        assert editor.step("status", "READY basedpyright").startswith("ctx READY basedpyright")
    finally:
        editor.close()


def test_doctor_asks_the_server(shop: Sandbox) -> None:
    """`ctx doctor --editor` has the answer of the very server that an editor would start."""
    server = shop.run("doctor", "--editor", "--json").document["editor"]["server"]
    assert (True, "") == (server["answered"], server["problem"])
    assert server["version"].startswith("ctx ")


def test_helix_starts_the_server_of_its_configuration(shop: Sandbox) -> None:
    """`hx --health` finds the server that the snippet names, where Helix is installed."""
    if shutil.which("hx") is None:
        pytest.skip("hx is not installed; Debian 12 has no Helix")
    folder = shop.home / "config" / "helix"
    folder.mkdir(parents=True)
    snippet = _editors() / "helix" / "languages.toml"
    (folder / "languages.toml").write_text(
        snippet.read_text().replace('command = "ctx"\nargs = ["lsp"]', _helix_command()), encoding="utf-8"
    )
    done = subprocess.run(["hx", "--health", "python"], env=shop.environment(), capture_output=True, text=True)
    assert "ctx" in done.stdout, done


def test_helix_snippet_is_a_valid_configuration() -> None:
    """The snippet is TOML, starts `ctx lsp`, and sets only options that the server knows."""
    from ctx.infrastructure.editor.options import options_of

    snippet = tomllib.loads((_editors() / "helix" / "languages.toml").read_text(encoding="utf-8"))
    server = snippet["language-server"]["ctx"]
    assert ("ctx", ["lsp"]) == (server["command"], server["args"])
    assert [] == options_of(server["config"])[1]
    assert {"ctx"} == {name for row in snippet["language"] for name in row["language-servers"]}


def _helix_command() -> str:
    return f"command = {json.dumps(sys.executable)}\nargs = ['-m', 'ctx', 'lsp']"


def _editors() -> Path:
    return REPOSITORY / "editors"


def _last_word(name: str) -> str:
    """Return a symbol's name from how an editor lists it: `[Function] f`, `C.f`."""
    return re.split(r"[ .]", name.split("(", maxsplit=1)[0].strip())[-1]


def _command(pid: int) -> str:
    with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
        return file.read().replace("\0", " ")
    return ""
