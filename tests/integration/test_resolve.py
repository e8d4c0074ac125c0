"""`ctx resolve` and `ctx refs` as people and programs meet them: text, JSON, exit codes, events, bad input."""

from __future__ import annotations

import os
import re
import shutil
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Sandbox

SELECTORS = (
    "sym://python/shop.cart/Cart.add_line",
    "shop.cart.Cart.add_line",
    "Cart.add_line",
    "Cart#add_line",
    "shop/cart.py#Cart.add_line",
    "shop/cart.py:19:10",
)


def test_every_spelling_leads_to_one_place(repository: Sandbox) -> None:
    """However a symbol is spelled, the answer is its definition, and its id is one for `ctx get`."""
    places = set()
    for selector in SELECTORS:
        found = repository.json("resolve", selector)
        assert [
            "schema",
            "query",
            "segment",
            "found",
            "total",
            "ambiguous",
            "resolved_by",
            "complete",
            "as_of",
        ] == list(found)[:9]
        assert ("ctx.resolve/1", selector, 1, False, True) == (
            found["schema"],
            found["query"],
            found["total"],
            found["ambiguous"],
            found["complete"],
        )
        (candidate,) = found["found"]
        places.add((candidate["id"], candidate["path"], candidate["line"], candidate["column"]))
    ((identifier, path, line, column),) = places
    assert ("shop/cart.py", 19, 9) == (path, line, column)
    got = repository.json("get", identifier, "--mode", "raw")["items"][0]
    assert "Cart.add_line" == got["qualname"]


def test_a_position_follows_imports_and_types(repository: Sandbox) -> None:
    """From the use of an attribute through a parameter's type and an import to the method in another file."""
    found = repository.json("resolve", "shop/cart.py:22:21")
    assert ("tree_sitter", True) == (found["resolved_by"], found["complete"])
    (candidate,) = found["found"]
    assert ("shop/session.py", "SignedCookie.store", "method") == (
        candidate["path"],
        candidate["qualname"],
        candidate["kind"],
    )


def test_text_is_one_line_each(repository: Sandbox) -> None:
    """Place, kind, qualified name, signature, and why; an ambiguous name has a line for each candidate."""
    run = repository.ok("resolve", "SignedCookie.sign")
    assert "shop/session.py:18:9  method SignedCookie.sign — def sign(self, value: str) -> str (exact)\n" == run.out
    repository.write({"shop/other.py": "class Cart: ...\n"})
    assert 2 == repository.ok("resolve", "Cart").out.count("\n")
    assert repository.json("resolve", "Cart")["ambiguous"]


def test_nothing_found_is_exit_code_1_with_a_reason(repository: Sandbox) -> None:
    """The object is there, says why and what comes close; so does the line for people."""
    run = repository.run("resolve", "sym://python/shop.cart/Carts", "--json")
    assert 1 == run.exit_code
    assert ([], "the module shop.cart has no Carts") == (run.document["found"], run.document["reason"])
    assert "Cart" in run.document["nearest"]
    text = repository.run("resolve", "sym://python/shop.cart/Carts")
    assert (1, "") == (text.exit_code, text.out)
    assert "nearest names: Cart" in text.err
    assert 1 == repository.run("refs", "Qwertz").exit_code


@pytest.mark.parametrize(
    ("selector", "exit_code", "message"),
    [
        ("sym://", 2, "selector column 7: expected a language"),
        ("sym://python/", 2, "selector column 14: expected a module path after 'sym://python/', found the end"),
        ("", 2, "selector column 1: expected a name"),
        ("a b", 2, "selector column 2"),
        ("x" * 100_000, 2, "100000 characters long"),
        ("shop/cart.py:999", 2, "has 26 lines"),
        ("shop/cart.py:1:0", 2, "expected a column from 1 on"),
        ("shop/cart.py:1:500", 2, "give a column inside it"),
        ("../../etc/passwd:1:1", 2, "outside the segment"),
        ("/etc/passwd:1:1", 2, "outside the segment"),
        ("shop:1:1", 2, "a folder"),
        ("nowhere.py:1:1", 1, "no such file"),
        (b"caf\xe9", 1, "is not resolved"),
    ],
)
def test_bad_input_is_one_line(repository: Sandbox, selector: str | bytes, exit_code: int, message: str) -> None:
    """What, where, what to do; never a traceback."""
    run = repository.run("resolve", selector)
    assert (exit_code, "") == (run.exit_code, run.out)
    assert message in run.err
    assert "Traceback" not in run.err
    assert 1 == run.err.count("\n")


def test_bad_input_of_refs_is_that_of_resolve(repository: Sandbox) -> None:
    """The same selectors, the same errors."""
    for selector, exit_code in (("sym://", 2), ("../../etc/passwd:1:1", 2), ("nowhere.py#x", 1)):
        run = repository.run("refs", selector)
        assert (exit_code, "", repository.run("resolve", selector).err) == (run.exit_code, run.out, run.err)


def test_refs_lists_uses_callers_and_callees(repository: Sandbox) -> None:
    """Every use with its line; the functions that call; what is called, resolved."""
    found = repository.run("refs", "SignedCookie.sign", "--json").document
    assert "ctx.refs/1" == found["schema"]
    assert [
        ("shop/session.py", 16, "call"),
        ("shop/session.py", 18, "definition"),
        ("shop/session.py", 32, "call"),
    ] == [(use["path"], use["line"], use["kind"]) for use in found["references"]]
    assert (3, 3, 0, True) == (found["total"], found["certain"], found["omitted"], found["complete"])
    assert found["total_tokens"] == sum(use["tokens"] for use in found["references"])
    callers = repository.run("refs", "SignedCookie.sign", "--callers", "--json").document["callers"]
    assert ["SignedCookie.store", "load_cookie"] == [caller["qualname"] for caller in callers]
    assert "load_cookie" == repository.json("get", callers[1]["id"])["items"][0]["qualname"]
    callees = repository.run("refs", "load_cookie", "--callees", "--json").document["callees"]
    assert {"SignedCookie", "sign"} == {callee["name"] for callee in callees if callee["found"]}


def test_refs_in_text(repository: Sandbox) -> None:
    """A line each, and how much there is on standard error; limits are said."""
    run = repository.run("refs", "SignedCookie.sign", "-n", "1")
    assert "shop/session.py:16:48  call in SignedCookie.store: self.values[name] = value" in run.out
    assert "3 uses; 1 file looked at" in run.err
    assert "2 more are left out" in run.err
    assert "SignedCookie.store L16: " in repository.run("refs", "SignedCookie.sign", "--callers").out
    callees = repository.run("refs", "load_cookie", "--callees")
    assert "sign L32\n  shop/session.py:18:9  method SignedCookie.sign" in callees.out
    assert "split L29  not in the segment" in callees.out
    both = repository.run("refs", "load_cookie", "--callees", "--callers")
    assert (2, True) == (both.exit_code, "one at a time" in both.err)
    assert 2 == repository.run("refs", "load_cookie", "--deadline", "0").exit_code


def test_an_uncertain_use_is_marked(repository: Sandbox) -> None:
    """Where the receiver is not known there is a question mark, and the answer is not complete."""
    repository.write({"shop/more.py": "def f(thing):\n    thing.sign('x')\n"})
    assert "shop/more.py:2:11  call? in f: thing.sign('x')" in repository.run("refs", "SignedCookie.sign").out
    document = repository.run("refs", "SignedCookie.sign", "--json").document
    assert (4, 3, False) == (document["total"], document["certain"], document["complete"])


def test_the_event_of_a_resolution(repository: Sandbox) -> None:
    """One `selector.resolve` event a run, and the counters it moves."""
    repository.ok("resolve", "Cart.add_line")
    repository.run("resolve", "sym://python/shop/Nothing")
    events = [event for event in repository.events() if event["cmd"] == "selector.resolve"]
    assert [(True, 1), (False, 0)] == [(event["result"]["resolved"], event["result"]["matches"]) for event in events]
    assert ["index", "index"] == [event["resolved_by"] for event in events]
    metrics = repository.telemetry_file("metrics.json")
    counters = metrics.get("counters", metrics)
    assert (2, 1) == (counters["selector_resolve_count"], counters["selector_resolve_success_count"])


def test_a_name_from_outside_is_not_guessed_at(repository: Sandbox) -> None:
    """What the segment imports from elsewhere, and a built-in: exit code 1, and nothing that looks alike."""
    for name in ("Decimal", "hashlib.sha256", "print"):
        run = repository.run("resolve", name, "--json")
        assert (1, [], []) == (run.exit_code, run.document["found"], run.document["nearest"])
        assert f"{name} is defined outside the segment" == run.document["reason"]
        assert f"'{name}' is not resolved: {name} is defined outside the segment" == run.complaint


def test_a_stale_id_is_told(repository: Sandbox) -> None:
    """What the name is now is the answer, and a line says that the text of the id is gone."""
    stale = "shop/cart.py#Cart@00000000"
    for command in ("resolve", "refs"):
        run = repository.run(command, stale)
        assert 0 == run.exit_code
        assert f"'{stale}': the text behind this id changed; this is what Cart is now" in run.err


@pytest.mark.skipif(
    shutil.which("ty", path=os.path.dirname(sys.executable)) is None, reason="ty is not installed beside Python"
)
def test_a_real_server_is_asked_about_places(repository: Sandbox) -> None:
    """ty leads to the method, lists its uses and says its type; of a name nobody asks it."""
    env = {"CTX_LSP_ENABLED": "1", "CTX_LSP_COLD": "ty", "CTX_LSP_DEADLINE_MS": "60000"}
    found = repository.json("resolve", "shop/cart.py:22:21", env=env)
    assert ("lsp:ty", True) == (found["resolved_by"], found["complete"])
    assert [("SignedCookie.store", "member")] == [(one["qualname"], one["reason"]) for one in found["found"]]
    outside = repository.run("resolve", "shop/session.py:20:16", "--json", env=env)
    assert (1, "lsp:ty", []) == (outside.exit_code, outside.document["resolved_by"], outside.document["found"])
    # The standard library's own text where ty finds that, else the stub it brings.
    assert outside.document["outside"][0]["path"].rpartition("/")[2] in {"hmac.py", "hmac.pyi"}
    told = [event["result"]["target_file"] for event in repository.events() if event["cmd"] == "lsp.definition"]
    assert "shop/session.py" == told[0]
    assert re.fullmatch(r"external/[0-9a-f]{8}-hmac\.pyi?", told[1])
    uses = repository.run("refs", "SignedCookie.store", "--json", env=env).document
    assert ("lsp:ty", True) == (uses["resolved_by"], uses["complete"])
    assert [("shop/cart.py", 22, "call"), ("shop/session.py", 14, "definition")] == [
        (use["path"], use["line"], use["kind"]) for use in uses["references"]
    ]
    said = repository.json("hover", "shop/cart.py:22:21", env=env)
    assert ("lsp:ty", "Keep a value with its signature.") == (said["resolved_by"], said["doc"])
    assert "store(name: str, value: str) -> None" in " ".join(said["text"].split()).replace("( ", "(").replace(
        " )", ")"
    )
    assert repository.json("resolve", "SignedCookie.store", env=env)["server"] is None
