"""Secrets in sources: no command shows them, budgets count what stands in their place, and a terminal may ask."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.made_secrets import Maker, windows

from ctx.infrastructure.cli.commands import run_get, run_search
from ctx.infrastructure.cli.hover_command import run_hover
from ctx.infrastructure.cli.map_command import run_map
from ctx.infrastructure.cli.navigation import run_refs, run_resolve
from ctx.infrastructure.services import Services

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

_MAKER = Maker(21)
_KEYS = {made.kind: made.secret for made in _MAKER.providers()}
_BLOCK = _MAKER.private_key("RSA PRIVATE KEY")
_PASSWORD = "q9X7b2Lkz4"
_SOURCE = f'''"""Access."""

API_KEY = "{_KEYS["github"]}"


def connect(password="{_PASSWORD}"):
    """Connect with {_KEYS["aws"]} at once."""
    return shop("{_KEYS["stripe"]}")


def caller():
    """Call it."""
    return connect(password="{_PASSWORD}")


PEM = """{_BLOCK}"""
'''
_TEXT = f"# Title\n\n## Use {_KEYS['gitlab']} for it\n\nMore of it.\n"
_SECRETS = {
    window
    for secret in (_KEYS["github"], _KEYS["aws"], _KEYS["stripe"], _KEYS["gitlab"], _PASSWORD, _BLOCK)
    for window in windows(secret)
}


@pytest.fixture
def segment(fresh_segment: Path) -> Path:
    """A segment with secrets in its sources."""
    (fresh_segment / "access.py").write_text(_SOURCE)
    (fresh_segment / "notes.md").write_text(_TEXT)
    return fresh_segment


_COMMANDS: dict[str, Callable[..., int]] = {
    "search": lambda **kw: run_search("connect at once", **kw),
    "search a heading": lambda **kw: run_search("title use", **kw),
    "search literally": lambda **kw: run_search("password", literal=True, **kw),
    "search by regex": lambda **kw: run_search("^[A-Za-z0-9+/]{64}$", regex=True, limit=100, **kw),
    "get raw": lambda **kw: run_get(["access.py"], mode="raw", **kw),
    "get some lines of a key": lambda **kw: run_get(["access.py:18-20"], mode="raw", **kw),
    "get excerpt": lambda **kw: run_get(["access.py#connect", "access.py#PEM", "notes.md:3"], **kw),
    "get skeleton": lambda **kw: run_get(["access.py", "notes.md"], **kw),
    "map": lambda **kw: run_map([], **kw),
    "resolve": lambda **kw: run_resolve("connect", **kw),
    "refs": lambda **kw: run_refs("connect", **kw),
    "callers": lambda **kw: run_refs("connect", callers=True, **kw),
    "callees": lambda **kw: run_refs("caller", callees=True, **kw),
    "hover": lambda **kw: run_hover("connect", **kw),
}


@pytest.mark.parametrize("command", _COMMANDS)
@pytest.mark.parametrize("as_json", [False, True])
def test_no_command_shows_a_secret(
    segment: Path, capfd: pytest.CaptureFixture[str], command: str, *, as_json: bool
) -> None:
    """Nothing of a secret is in an answer; it says at how many places, in the object and beside the text."""
    assert 0 == _COMMANDS[command](segment=str(segment), as_json=as_json)
    out, err = capfd.readouterr()
    assert [] == [window for window in _SECRETS if window in out or window in err]
    assert "[REDACTED:" in out
    assert "[REDACTED:…] stands in their place" in err
    if as_json:
        assert json.loads(out)["redacted"] > 0


def test_lines_keep_their_numbers(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A file read raw has as many lines as it has on disk."""
    run_get(["access.py"], segment=str(segment), mode="raw", as_json=True)
    item = json.loads(capfd.readouterr().out)["items"][0]
    assert _SOURCE.count("\n") == item["text"].count("\n")
    assert "def caller():" == item["text"].split("\n")[10]


def test_budgets_count_the_marks(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Tokens are those of the text that is shown."""
    services = Services(str(segment))
    run_get(["access.py"], segment=str(segment), mode="raw", as_json=True)
    item = json.loads(capfd.readouterr().out)["items"][0]
    assert item["tokens"] == services.counter.count(item["text"])
    run_search("connect at once", segment=str(segment), as_json=True, limit=1)
    found = json.loads(capfd.readouterr().out)
    assert found["total_tokens"] == services.counter.count(found["hits"][0]["snippet"])


def test_an_id_with_a_mark_finds_its_text(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A heading that held a secret is got by the id that a search gave."""
    run_search("title use", segment=str(segment), as_json=True)
    ids = [hit["id"] for hit in json.loads(capfd.readouterr().out)["hits"]]
    assert any("[REDACTED:gitlab]" in one for one in ids)
    assert 0 == run_get(ids, segment=str(segment), as_json=True)
    texts = [item["text"] for item in json.loads(capfd.readouterr().out)["items"]]
    assert any("## Use [REDACTED:gitlab] for it" in text for text in texts)
    wrong = next(one for one in ids if "[REDACTED:" in one)[:-8] + "00000000"
    assert 0 != run_get([wrong], segment=str(segment))


@pytest.mark.parametrize("command", _COMMANDS)
def test_a_terminal_may_ask_for_everything(
    segment: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    """--no-redact shows sources as they are to a person, and to nobody else."""
    import sys

    assert 0 == _COMMANDS[command](segment=str(segment), no_redact=True)
    out, err = capfd.readouterr()
    assert [] == [window for window in _SECRETS if window in out]
    assert 1 == err.count("--no-redact is for a terminal")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    assert 0 == _COMMANDS[command](segment=str(segment), no_redact=True)
    out, err = capfd.readouterr()
    assert "REDACTED" not in out + err
    assert any(window in out for window in _SECRETS)


def test_nothing_is_said_where_nothing_was_marked(segment: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """An answer without a secret has no such key and no such note, and loads no detector."""
    (segment / "plain.py").write_text("def plainly(token: str = '') -> None:\n    '''Do nothing.'''\n")
    run_search("plainly", segment=str(segment), as_json=True, limit=1)
    out, err = capfd.readouterr()
    found: dict[str, Any] = json.loads(out)
    assert ("plainly", False, "") == (found["hits"][0]["name"], "redacted" in found, err)
