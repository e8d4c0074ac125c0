"""`ctx resolve`, `ctx refs` and `ctx hover` from their options to what is printed, noted and returned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.fakes import ScriptedReplies, ServersOnly

from ctx.domain.language_server import ServerPlace, ServerReply
from ctx.infrastructure import services
from ctx.infrastructure.cli.hover_command import run_hover
from ctx.infrastructure.cli.navigation import run_refs, run_resolve

if TYPE_CHECKING:
    from pathlib import Path

RESOLVED: tuple[tuple[str, dict[str, Any], int, str, str], ...] = (
    ("price", {}, 0, "shop/cart.py:6:5  function price — def price(cart) (exact)", ""),
    ("Cart", {"limit": 1}, 0, "shop/cart.py:1:7  class Cart — class Cart (exact)", "1 more candidates (--limit)"),
    ("zzzz", {}, 1, "", "'zzzz' is not resolved: nothing in the segment is named zzzz"),
    (
        "prise",
        {},
        0,
        "shop/cart.py:6:5  function price — def price(cart) (fuzzy)",
        "'prise': nothing is named prise; these names look alike",
    ),
    ("q" * 100, {}, 1, "", f"'{'q' * 79}\\u2026' is not resolved: nothing in the segment is named {'q' * 100}"),
    ("Cart", {"limit": 0}, 2, "", "--limit must be from 1 to 1000, found 0"),
)


@pytest.mark.parametrize("case", RESOLVED, ids=lambda case: f"{case[0][:9]} {case[1]}")
def test_resolve_in_text(
    shop: Path, capsys: pytest.CaptureFixture[str], case: tuple[str, dict[str, Any], int, str, str]
) -> None:
    """A line a candidate; what is left out, guessed or missing is a note."""
    selector, options, exit_code, out, err = case
    assert exit_code == run_resolve(selector, segment=str(shop), **options)
    assert (_lines(out), _lines(err, "ctx: ")) == tuple(capsys.readouterr())


USES: tuple[tuple[str, dict[str, Any], int, str, str], ...] = (
    (
        "shop.cart.price",
        {"limit": 2},
        0,
        """shop/cart.py:6:5  definition: def price(cart):
shop/jobs.py:1:29  import: from shop.cart import Cart, price""",
        """4 uses; 2 files looked at
2 more are left out (--limit, --budget)""",
    ),
    (
        "shop.cart.price",
        {"callers": True},
        0,
        "shop/jobs.py:4  work L7, 8: price(thing)",
        "1 caller; 2 files looked at",
    ),
    (
        "shop.cart.Cart.add",
        {},
        0,
        """shop/cart.py:2:9  definition in Cart: def add(self, n):
shop/jobs.py:6:12  call in work: Cart().add(2)
shop/jobs.py:5:11  call? in work: thing.add(1)""",
        "3 uses, 1 uncertain (?); 2 files looked at",
    ),
    (
        "work",
        {"callees": True},
        0,
        """add L5?
  shop/cart.py:2:9  method Cart.add — def add(self, n) (name)
Cart L6
  shop/cart.py:1:7  class Cart — class Cart (import)
add L6
  shop/cart.py:2:9  method Cart.add — def add(self, n) (member)
price L7 (2 calls)
  shop/cart.py:6:5  function price — def price(cart) (import)
run L9  not known""",
        "",
    ),
    ("shop.cart.price", {"callees": True}, 0, "len L7  not in the segment", ""),
    ("zzzz", {}, 1, "", "'zzzz' is not resolved: nothing in the segment is named zzzz"),
    ("Cart.add", {"callees": True}, 1, "", "'Cart.add': it calls nothing"),
    ("work", {"callers": True, "callees": True}, 2, "", "--callers and --callees are two questions; ask one at a time"),
)


@pytest.mark.parametrize("case", USES, ids=lambda case: f"{case[0]} {case[1]}")
def test_refs_in_text(
    shop: Path, capsys: pytest.CaptureFixture[str], case: tuple[str, dict[str, Any], int, str, str]
) -> None:
    """A line a use, caller or callee; a question mark where the name fits and no more is known."""
    selector, options, exit_code, out, err = case
    assert exit_code == run_refs(selector, segment=str(shop), **options)
    assert (_lines(out), _lines(err, "ctx: ")) == tuple(capsys.readouterr())


def _lines(text: str, start: str = "") -> str:
    return "".join(f"{start}{line}\n" for line in text.splitlines())


def test_several_meanings_are_said(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The uses are those of every class of that name."""
    assert 0 == run_refs("Cart", segment=str(shop))
    assert "ctx: 'Cart' means 2 definitions; `ctx resolve` lists them\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("view", "key"), [({}, "references"), ({"callers": True}, "callers"), ({"callees": True}, "callees")]
)
def test_the_object_of_refs_has_the_list_of_its_view(
    shop: Path, capfdbinary: pytest.CaptureFixture[bytes], view: dict[str, bool], key: str
) -> None:
    """One list, under its own name, whose rows say where and what."""
    assert 0 == run_refs("work" if key == "callees" else "shop.cart.price", segment=str(shop), as_json=True, **view)
    document = json.loads(capfdbinary.readouterr().out)
    assert ("ctx.refs/1", {"references": "uses"}.get(key, key)) == (document["schema"], document["view"])
    assert [key] == [name for name in ("references", "callers", "callees") if name in document]
    assert {"references": "path", "callers": "lines", "callees": "found"}[key] in document[key][0]


def test_the_object_of_resolve_has_its_candidates(shop: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """With the id that `ctx get` takes, and the count before the limit."""
    assert 0 == run_resolve("Cart", segment=str(shop), as_json=True, limit=1)
    document = json.loads(capfdbinary.readouterr().out)
    assert ("ctx.resolve/1", 2, True, True) == tuple(
        document[key] for key in ("schema", "total", "ambiguous", "complete")
    )
    assert ["shop/cart.py#Cart@"] == [row["id"][:-8] for row in document["found"]]


ADD = ServerPlace("shop/cart.py", 2, 9, is_inside=True)
STUB = ServerPlace("/env/typeshed/stdlib/thing.pyi", 12, 5, is_inside=False)


@pytest.fixture
def served(shop: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, ServerReply]:
    """Return the replies, by method, of the servers that the commands are going to ask; to be filled by the test."""
    replies: dict[str, ServerReply] = {}
    monkeypatch.setenv("CTX_LSP_ENABLED", "1")
    monkeypatch.setattr(services, "default_host", lambda _segment: ServersOnly(ScriptedReplies(**replies)))
    return replies


def answered(*places: ServerPlace, hover: str = "") -> ServerReply:
    return ServerReply("ty", "answered", places, hover, was_sent=True, elapsed_ns=12_345_678)


def test_a_servers_answer_is_marked_as_one(
    shop: Path, served: dict[str, ServerReply], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Who answered, how whole that is, and what the server said of itself."""
    served["definition"] = answered(ADD)
    assert 0 == run_resolve("shop/jobs.py:5:11", segment=str(shop), as_json=True)
    document = json.loads(capfdbinary.readouterr().out)
    assert ("lsp:ty", True, "server", "Cart.add") == (
        *(document["resolved_by"], document["complete"]),
        *(document["found"][0]["reason"], document["found"][0]["qualname"]),
    )
    assert {
        "name": "ty",
        "status": "answered",
        "detail": "",
        "elapsed_ms": 12.346,
        "cached": False,
    } == document["server"]
    assert 0 == run_resolve("shop/jobs.py:5:11", segment=str(shop), as_json=True, no_lsp=True)
    document = json.loads(capfdbinary.readouterr().out)
    assert ("tree_sitter", None) == (document["resolved_by"], document["server"])


def test_a_place_outside_is_shown(
    shop: Path, served: dict[str, ServerReply], capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no candidate: exit code 1 as for every name that is not the segment's."""
    served["definition"] = answered(STUB)
    assert 1 == run_resolve("shop/jobs.py:5:11", segment=str(shop))
    assert (
        "/env/typeshed/stdlib/thing.pyi:12:5  (outside the segment)\n",
        "ctx: 'shop/jobs.py:5:11' is not resolved: add is defined outside the segment: thing.pyi:12\n",
    ) == tuple(capsys.readouterr())
    assert 1 == run_resolve("shop/jobs.py:5:11", segment=str(shop), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert [{"path": STUB.path, "line": 12, "column": 5}] == document["outside"]


def test_nobody_is_told_to_install_a_server(
    shop: Path, served: dict[str, ServerReply], capsys: pytest.CaptureFixture[str]
) -> None:
    """Without one, text is what it was; the object says why nobody was asked."""
    assert not served
    assert 0 == run_resolve("shop/jobs.py:7:5", segment=str(shop))
    assert ("shop/cart.py:6:5  function price — def price(cart) (import)\n", "") == tuple(capsys.readouterr())
    assert 0 == run_resolve("shop/jobs.py:7:5", segment=str(shop), as_json=True)
    assert "no_server" == json.loads(capsys.readouterr().out)["server"]["status"]


def test_uses_of_a_server_are_marked_as_such(
    shop: Path, served: dict[str, ServerReply], capsys: pytest.CaptureFixture[str]
) -> None:
    """No question mark is left."""
    places = (ServerPlace("shop/cart.py", 2, 9, is_inside=True), ServerPlace("shop/jobs.py", 5, 11, is_inside=True))
    served["references"] = answered(*places)
    assert 0 == run_refs("shop.cart.Cart.add", segment=str(shop))
    assert (
        "shop/cart.py:2:9  definition in Cart: def add(self, n):\nshop/jobs.py:5:11  call in work: thing.add(1)\n",
        "ctx: 2 uses; 2 files looked at\n",
    ) == tuple(capsys.readouterr())
    assert 0 == run_refs("shop.cart.Cart.add", segment=str(shop), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert ("lsp:ty", True, "answered") == (
        *(document["resolved_by"], document["complete"], document["server"]["status"]),
    )
    assert 0 == run_refs("shop.cart.Cart.add", segment=str(shop), as_json=True, no_lsp=True)
    assert json.loads(capsys.readouterr().out)["server"] is None


@pytest.mark.parametrize(
    ("selector", "options", "expected"),
    [
        ("shop/jobs.py:7:5", {}, ["shop/jobs.py"]),
        ("shop/jobs.py:7", {"callers": True}, ["shop/jobs.py"]),
        ("shop/cart.py#price", {}, ["shop/cart.py"]),
        ("shop/cart.py#price", {"callees": True}, []),
        ("shop.cart.price", {}, []),
        ("shop/jobs.py:7:5", {"no_lsp": True}, []),
        ("a b", {}, []),
    ],
)
def test_a_server_warms_up_beside_the_look_for_changes(
    shop: Path, monkeypatch: pytest.MonkeyPatch, selector: str, options: dict[str, Any], expected: list[str]
) -> None:
    """Where the selector says which file it is going to be about."""
    prepared: list[str] = []
    monkeypatch.setattr(services.Services, "prepare_server", lambda _services, path: prepared.append(path))
    run_refs(selector, segment=str(shop), **options)
    assert expected == prepared


@pytest.mark.parametrize(("selector", "expected"), [("shop/jobs.py:7:5", ["shop/jobs.py"]), ("shop/cart.py#price", [])])
def test_only_places_are_prepared_for_where_names_are_not_asked(
    shop: Path, monkeypatch: pytest.MonkeyPatch, selector: str, expected: list[str]
) -> None:
    """`ctx resolve` and `ctx hover` answer names from the index."""
    prepared: list[str] = []
    monkeypatch.setattr(services.Services, "prepare_server", lambda _services, path: prepared.append(path))
    run_resolve(selector, segment=str(shop))
    run_hover(selector, segment=str(shop))
    assert expected * 2 == prepared


HOVERED: tuple[tuple[str, int, str, str], ...] = (
    (
        "shop.cart.price",
        0,
        """shop/cart.py:6:5  function price — def price(cart) (exact)
  1 caller; skeleton 10t, excerpt 9t, raw 9t, file 23t""",
        "",
    ),
    (
        "Cart",
        0,
        """shop/cart.py:1:7  class Cart — class Cart (exact)
  1 caller; skeleton 23t, excerpt 14t, raw 14t, file 23t""",
        "1 more candidates (`ctx resolve` lists them)",
    ),
    (
        "shop/jobs.py:7:5",
        0,
        """shop/cart.py:6:5  function price — def price(cart) (import)
  (function) def price(cart) -> int
  1 caller; skeleton 10t, excerpt 9t, raw 9t, file 23t""",
        "",
    ),
    ("zzzz", 1, "", "'zzzz' is not resolved: nothing in the segment is named zzzz"),
    ("a b", 2, "", "selector column 2: expected '.' or the end of the name, found ' '"),
)


@pytest.mark.parametrize("case", HOVERED, ids=lambda case: case[0])
def test_hover_in_text(
    shop: Path, served: dict[str, ServerReply], capsys: pytest.CaptureFixture[str], case: tuple[str, int, str, str]
) -> None:
    """The candidate, what is said of it, and what more of it costs."""
    served["hover"] = answered(hover="```python\n(function) def price(cart) -> int\n```\n\nmore")
    served["definition"] = answered(ServerPlace("shop/cart.py", 6, 5, is_inside=True))
    selector, exit_code, out, err = case
    assert exit_code == run_hover(selector, segment=str(shop))
    assert (_lines(out), _lines(err, "ctx: ")) == tuple(capsys.readouterr())


def test_the_object_of_hover(
    shop: Path,
    served: dict[str, ServerReply],
    capfdbinary: pytest.CaptureFixture[bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One candidate, graded like the others; a server's text alone is something, too."""
    monkeypatch.setattr("ctx.application.hover.CALLERS_DEADLINE_S", 60.0)  # however busy the machine
    served["hover"] = answered(hover="int")
    served["definition"] = answered(STUB)
    assert 0 == run_hover("shop/jobs.py:5:11", segment=str(shop), as_json=True)
    document = json.loads(capfdbinary.readouterr().out)
    assert ("ctx.hover/1", None, "int", "lsp:ty", "answered") == (
        *(document["schema"], document["found"], document["text"], document["resolved_by"]),
        document["server"]["status"],
    )
    assert dict.fromkeys(("skeleton", "excerpt", "raw", "file")) == document["tokens"]
    assert 0 == run_hover("Cart", segment=str(shop), as_json=True, no_lsp=True)
    document = json.loads(capfdbinary.readouterr().out)
    assert (2, True, None, 1) == (*(document["total"], document["ambiguous"], document["server"], document["callers"]),)


def test_an_answer_of_two_texts_says_so(
    shop: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody typed from its beginning to its end."""
    monkeypatch.setattr(services.Services, "_has_same_texts", lambda _self: False)
    assert 0 == run_refs("shop.cart.price", segment=str(shop), as_json=True)
    out, err = capsys.readouterr()
    document = json.loads(out)
    said = "a file changed while this was answered: parts of it may be of two texts; ask again"
    assert (False, True, True) == (document["complete"], said in document["reason"], f"ctx: {said}\n" in err)
