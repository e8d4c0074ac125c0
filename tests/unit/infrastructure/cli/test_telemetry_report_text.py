"""The report as a terminal and a pipe show it."""

from __future__ import annotations

import io
import re
import sys
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len
from tests.fixtures.report_document import HOSTILE_TEXTS, report_document, small_document

from ctx.infrastructure.cli.paint import Painter
from ctx.infrastructure.cli.telemetry_report_text import report_text

if TYPE_CHECKING:
    from collections.abc import Callable

    Write = Callable[..., str]


class _Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def write(monkeypatch: pytest.MonkeyPatch) -> Write:
    """Write a document as it is shown at a number of columns, in a pipe or on a terminal."""

    def written(document: dict[str, Any], columns: int = 80, *, encoding: str = "utf-8", terminal: bool = False) -> str:
        monkeypatch.setenv("COLUMNS", str(columns))
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), encoding=encoding))
        return report_text(document, Painter(_Terminal() if terminal else io.StringIO()))

    return written


def _row(text: str, *words: str) -> list[str]:
    """Return the cells of the first line that begins with these words."""
    pattern = r"\s+".join(re.escape(word) for word in words)
    (found, *_more) = [line for line in text.splitlines() if re.match(rf"\s*{pattern}\b", line)]
    return re.split(r"\s{2,}", found.strip())


def test_a_day_in_80_columns(write: Write) -> None:
    """Every section, no line wider, the figures whole."""
    text = write(report_document())
    headings = re.findall(r"^([A-Z][\w -]+?)(?:  .*)?$", text, re.MULTILINE)
    assert [
        "Commands",
        "Operations",
        "Language servers",
        "Caches",
        "Disclosure",
        "Savings",
        "Questions without a hit",
        "Losses and recoveries",
        "Trends",
        "Slowest runs",
    ] == [heading for heading in headings if not heading.startswith("Telemetry of")]
    assert [] == [line for line in text.splitlines() if cell_len(line) > 80]
    assert ["search", "268", "2", "46.3 ms", "126 ms", "215 ms", "231 k"] == _row(text, "search")[:7]
    assert ["ast.parse", "5,210", "14", "1.87 ms", "9.67 ms", "102 ms"] == _row(text, "ast.parse")[:6]
    assert ["ty", "212", "0.9%", "5.2%", "40", "19.9 ms", "57.9 ms", "163 ms"] == _row(text, "ty", "212")
    assert ["basedpyright", "5", "1", "1", "5", "2.63 s", "4.01 s", "4.01 s"] == _row(text, "basedpyright", "5")
    assert "  ty fell back: not_ready 9, timeout 2\n" in text
    assert "  parsed files     92.8% hits, 4,120 of 4,438\n" in text
    assert ["skeleton", "121", "214 kB", "1.99 MB", "10.8%"] == _row(text, "skeleton", "121")
    assert "  955,301 tokens saved, 74.3%: 302 files whole 1,284,992" in text
    assert ["3", "search", "flux capacitor"] == _row(text, "3", "search", "flux")
    assert "  of all runs      35,857 attempted, 35,854 written, 3 dropped, 1 recovered\n" in text
    assert ["6.40 s", "index", "cli", "run_1773460000_00000000", "2026-03-14 00:10:00"] == _row(text, "6.40", "s")
    assert "ctx telemetry trace RUN_ID" in text
    assert "… and 10 more" in text
    assert "\x1b" not in text


def test_oddities_are_noted_only_when_there_are_any(write: Write) -> None:
    """Each with its number; what reached its bound, and damaged counters, too."""
    document = report_document() | {"capped": ["queries"]}
    document["telemetry"]["metrics_damaged"] = 2
    text = write(document)
    assert 7 == text.count("\nnote: ")
    assert "note: lines that are no JSON object (torn, edited by hand), skipped: 2\n" in text
    assert "note: too many to count all: queries\n" in text
    assert "  damaged metrics.json set aside: 2\n" in text
    assert "note" not in write(small_document())


def test_little_is_a_short_report(write: Write) -> None:
    """What has nothing to show is left out or said in words."""
    text = write(small_document())
    assert "Telemetry of shop, 2026-03-14 03:41:07 to 2026-03-14 22:58:59 UTC\n2 of 2 events\n" in text
    assert "only the last 1 run\nonly since 2026-03-14 00:00:00 UTC\n1 run; cli 1\nexit codes: 0 1\n" in text
    assert "  no question for a language server\n" in text
    assert "  parsed files     \N{EN DASH} hits, 0 of 0\n" in text
    assert "  -120 tokens saved: 0 files whole 0, get 0, search 120\n" in text
    for heading in ("Operations", "Disclosure", "Trends"):
        assert heading not in text
    document = small_document() | {"top_runs": [], "commands": []}
    document["runs"] = document["runs"] | {"exit_codes": {}}
    text = write(document)
    assert "exit codes: none\n" in text
    assert "Slowest" not in text
    assert "\nCommands\n  no command ended\n" in text


def test_parts_of_a_section(write: Write) -> None:
    """Servers that were never started, and one without fallbacks; modes without answers, answers without modes."""
    document = report_document()
    (ty, _other, none) = document["lsp"]["servers"]
    document["lsp"]["servers"] = [none, ty | {"fallback_reasons": {}, "spawns": 0}]
    document["answers"] = []
    (unmeasured, *_others) = document["commands"]
    nothing = {"count": 0, "p50_ms": None, "p95_ms": None, "max_ms": None, "sum_ms": 0.0, "hist": None}
    document["commands"] = [unmeasured | {"latency": nothing}]
    text = write(document)
    assert ["search", "268", "2", *"\N{EN DASH}" * 3, "231 k"] == _row(text, "search")
    assert "READY" not in text
    assert "ty fell back" not in text
    assert ["mode", "reads", "handed on", "files", "share"] == _row(text, "mode")
    document["answers"], document["disclosure"] = report_document()["answers"], []
    text = write(document)
    assert "handed on  " not in text
    assert ["answer", "count", "tokens", "mean"] == _row(text, "answer")


def test_a_pipe_folds_nothing(write: Write) -> None:
    """A query of 120 characters is on one line."""
    text = write(report_document(("x" * 120,)), 160)
    assert any(line.endswith(f"  {'x' * 120}") for line in text.splitlines())


def test_a_narrow_window_folds_words_and_no_number(write: Write) -> None:
    """Figures are whole at any width from 60 columns on."""
    text = write(report_document(("y" * 120,)), 40)
    assert all(words in text for words in ("46.3 ms", "126 ms", "215 ms", "231 k", "5,210", "1,284,992"))


@pytest.mark.parametrize(("columns", "is_there"), [(79, False), (80, True)])
def test_distributions_give_way_to_names(write: Write, columns: int, *, is_there: bool) -> None:
    """In a narrow window no name is folded letter by letter, and its heading speaks of no distribution."""
    text = write(report_document(), columns)
    assert ("distribution" in text, True) == (is_there, "\n  get " in text)
    assert [is_there] * 2 == ["▁" in _row(text, name)[-1] or "█" in _row(text, name)[-1] for name in ("get", "map")]


def test_segments_of_one_name_are_told_apart(write: Write) -> None:
    """By their ids, and only where that is necessary."""
    document = report_document()
    names = ("shop", "shop", "")
    document["sources"] = [
        {"segment": name, "segment_id": f"0000000{at}", "files": 1, "bytes": 9, "events": 3 - at}
        for at, name in enumerate(names)
    ]
    text = write(document)
    assert ["shop (00000000)", "3", "1", "9 B"] == _row(text, "shop", "(00000000")
    assert ["shop (00000001)", "2", "1", "9 B"] == _row(text, "shop", "(00000001")
    assert ["(no name)", "1", "1", "9 B"] == _row(text, "(no", "name")


def test_hostile_texts_steer_nothing(write: Write) -> None:
    """No style, no control character, no mark of direction, no second line; markup of rich is text."""
    text = write(report_document(HOSTILE_TEXTS), 160)
    assert "[bold red]rich[/bold red]" in text
    assert "<script>alert(1)</script>" in text
    assert r"lone \ud800 surrogate" in text
    assert [] == re.findall("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]", text)
    assert text.encode()


def test_a_terminal_has_colour_and_the_same_words(write: Write) -> None:
    """Styles are around what a pipe gets."""
    text = write(report_document(), terminal=True)
    assert "\x1b[1mCommands\x1b[0m" in text
    plain = re.sub(r"\x1b\[[\d;]*m", "", text)
    assert [line.rstrip() for line in plain.splitlines()] == write(report_document()).splitlines()


def test_an_encoding_without_blocks(write: Write) -> None:
    """Distributions and units in ASCII."""
    text = write(report_document(), encoding="ascii")
    assert text.isascii()
    assert "180 us" in text
    assert "#" in text


def test_many_buckets_share_the_columns(write: Write) -> None:
    """Counts of neighbours are added, of times the greatest stands."""
    document = report_document()
    buckets = document["trends"]["buckets"] + document["trends"]["buckets"]
    document["trends"]["buckets"] = buckets
    text = write(document, 100)
    assert "a column is 1 h" in text
    commands = [bucket["commands"] for bucket in buckets]
    assert str(max(sum(pair) for pair in zip(commands[::2], commands[1::2], strict=True))) == _row(text, "commands")[-1]
    assert "340 ms" == _row(text, "p95")[-1]
