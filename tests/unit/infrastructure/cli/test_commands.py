"""Search, get and the index's own commands from their options to what is printed, noted and returned."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from ctx.infrastructure.cli.commands import (
    run_build,
    run_doctor,
    run_get,
    run_index,
    run_search,
    run_stats,
    run_sync,
    run_validate,
)
from ctx.infrastructure.cli.runner import printable, spelled
from ctx.infrastructure.telemetry import Telemetry

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _document(capture: pytest.CaptureFixture[bytes]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(capture.readouterr().out)
    return found


def test_a_search_prints_ids_and_says_what_it_left_out(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A budget that holds one hit names the rest; a word nobody uses is a note and exit code 1."""
    assert 0 == run_search("Cart", segment=str(shop), budget=4)
    out, err = capsys.readouterr()
    assert out.startswith("shop/")
    assert "#Cart@" in out
    assert "more hits did not fit the budget of 4 tokens (--budget)" in err
    assert 1 == run_search("xylophone " * 20, segment=str(shop))
    out, err = capsys.readouterr()
    assert "" == out
    assert err.startswith("ctx: no hits for 'xylophone xylophone")
    assert "…'" in err


def test_a_focus_goes_into_search_and_object(shop: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """As it is spelled in the index, and only when one was given."""
    assert 0 == run_search("Cart", segment=str(shop), as_json=True, focus=("./shop/other.py",))
    assert ["shop/other.py"] == _document(capfdbinary)["focus"]
    assert 0 == run_search("Cart", segment=str(shop), as_json=True)
    assert "focus" not in _document(capfdbinary)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"regex": True, "literal": True}, "exclude each other"),
        ({"ignore_case": True}, "--ignore-case belongs to"),
        ({"literal": True, "focus": ("shop/cart.py",)}, "--focus ranks"),
        ({"focus": ("shop",)}, "--focus shop: not an indexed file"),
        ({"path": ""}, "--path is empty"),
        ({"lang": " , "}, "--lang is empty"),
        ({"kind": "", "literal": True}, "--kind is empty"),
        ({"path": "shop,!"}, "after '!' goes the path to leave out"),
    ],
)
def test_options_that_do_not_go_together(
    shop: Path, capsys: pytest.CaptureFixture[str], options: dict[str, Any], message: str
) -> None:
    """Wrong use is exit code 2 and one line."""
    assert 2 == run_search("Cart", segment=str(shop), **options)
    out, err = capsys.readouterr()
    assert ("", True, 1) == (out, message in err, err.count("\n"))


def test_a_search_by_pattern_shows_the_lines(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under the definition they are in; what did not fit and what matched nothing is said."""
    assert 0 == run_search("price(", segment=str(shop), literal=True)
    assert "  7: price(thing)\n" in capsys.readouterr().out
    assert 0 == run_search("[a-z]+", segment=str(shop), regex=True, budget=40)
    assert "did not fit the budget of 40 tokens" in capsys.readouterr().err
    assert 1 == run_search("xylophone", segment=str(shop), literal=True)
    assert "no hits for 'xylophone'" in capsys.readouterr().err


def test_get_prints_items_and_what_the_budget_cut(shop: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A head a target; a cut one says how to go on, one that nothing was left for is named."""
    assert 0 == run_get(["shop/cart.py:6-7"], segment=str(shop), mode="raw", as_json=True)
    tokens = _document(capfdbinary)["total_tokens"]
    targets = ["shop/cart.py:6-7", "shop/jobs.py"]
    assert 0 == run_get(targets, segment=str(shop), mode="raw", budget=tokens)
    out, err = (part.decode() for part in capfdbinary.readouterr())
    assert f"== shop/cart.py:6-7  {tokens}t\ndef price(cart):\n    return len(cart)\n" == out
    assert f"ctx: left out for the budget of {tokens} tokens: shop/jobs.py\n" == err
    assert 0 == run_get(targets, segment=str(shop), ids="shop/other.py,", mode="raw", budget=tokens + 20)
    out, err = (part.decode() for part in capfdbinary.readouterr())
    assert "more lines: `ctx get shop/jobs.py:" in err


def test_a_file_that_was_not_parsed_makes_an_answer_incomplete(
    shop: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """The object says so, the note says why, and the statistics list it apart from syntax errors."""
    (shop / "torn.ipynb").write_text("{")
    (shop / "torn.py").write_text("def f(:\n    pass\n")
    assert 0 == run_get(["torn.ipynb"], segment=str(shop), as_json=True)
    out, err = capfdbinary.readouterr()
    document = json.loads(out)
    reason = document["items"][0]["note"]
    assert (False, True) == (document["complete"], bool(reason))
    assert f"ctx: torn.ipynb: {reason}\n" == err.decode()
    assert 0 == run_stats(segment=str(shop), as_json=True)
    index = _document(capfdbinary)["index"]
    assert [{"path": "torn.ipynb", "reason": reason}] == index["failed"]
    assert [{"path": "torn.py", "reason": "syntax errors"}] == index["partial"]
    assert 0 == run_stats(segment=str(shop))
    text = capfdbinary.readouterr().out.decode()
    assert f"failed     1 as text, without definitions\n  torn.ipynb: {reason}\n" in text
    assert "partial    1 with syntax errors; what was recovered is indexed\n" in text


def test_stats_show_each_language_server(
    shop: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    """How often it let somebody down and when it was ready, over all runs."""
    monkeypatch.setenv("CTX_TELEMETRY", "lite")
    telemetry = Telemetry(shop)
    telemetry.event("lsp.ready", {"server": "ty"}, {"ready_via": "definition"}, 70)
    for status in ("answered", "answered", "timeout", "answered"):
        telemetry.event("lsp.definition", {"server": "ty"}, {"status": status}, 3)
    telemetry.event("lsp.timeout", {"server": "ty"}, {"timeout_ms": 500}, 500)
    telemetry.event("lsp.fallback", {"server": "ty"}, {"reason": "timeout"}, 0)
    telemetry.event("lsp.fallback", {"server": "gopls"}, {"reason": "not_ready"}, 0)
    telemetry.close()
    assert 0 == run_stats(segment=str(shop), as_json=True)
    assert {
        "request_count": 4,
        "timeout_count": 1,
        "fallback_count": 1,
        "fallback_rate": 0.25,
        "ready_count": 1,
        "ready_ms_mean": 70.0,
    } == _document(capfdbinary)["lsp_servers"]["ty"]
    assert 0 == run_stats(segment=str(shop))
    text = capfdbinary.readouterr().out.decode()
    lines = text[text.index("language servers, all runs\n") :].split("\n")
    assert "gopls 0 questions, 0 timeouts, fallback rate unknown; never ready" == " ".join(lines[1].split())
    assert "ty 4 questions, 1 timeouts, fallback rate 25.0%; ready 1 times, after 70 ms (mean)" == " ".join(
        lines[2].split()
    )


def test_index_build_validate_and_sync(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing there is invalid, then each says what it did, and a change makes the whole stale."""
    assert 1 == run_validate(segment=str(shop))
    assert "there is no complete index" in capsys.readouterr().out
    steps: list[tuple[Callable[..., int], str]] = [
        (run_index, "3 files, "),
        (run_build, "_ctx/context_pack.json: "),
        (run_validate, "index and pack are valid and up to date"),
        (run_sync, "index and pack are valid and up to date"),
        (run_doctor, "ok   index"),
        (run_stats, "python 3"),
    ]
    for run, said in steps:
        assert 0 == run(segment=str(shop)), run
        assert said in capsys.readouterr().out
    (shop / "shop/new.py").write_text("x = 1\n")
    assert 1 == run_validate(segment=str(shop))
    assert "index: stale: shop/new.py changed; run `ctx index`" in capsys.readouterr().out
    assert 0 == run_index(segment=str(shop), rebuild=True)
    assert "4 files, " in capsys.readouterr().out


def test_arguments_are_made_printable() -> None:
    """Undecodable bytes are marks in a query and escapes in a path; what people type stays as it is."""
    bad = b"gr\xff".decode("utf-8", "surrogateescape")
    assert ("größe", "größe") == (printable("größe"), spelled("größe"))
    assert ("gr\ufffd", r"gr\xff") == (printable(bad), spelled(bad))
