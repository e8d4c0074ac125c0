"""What `ctx eval` refuses, and what it draws; the answers themselves are the integration test's."""

from __future__ import annotations

import io
import json
import sys
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure.cli.eval_command import EvalOptions, _progress, run_eval

if TYPE_CHECKING:
    from pathlib import Path


_METRICS = ("recall_1", "recall_5", "recall_10", "mrr", "ndcg_10", "function_recall_10", "tokens_to_first")
_GOOD = {
    "schema": "ctx.eval/1",
    "version": "0",
    "seed": 0,
    "newest": "HEAD",
    "commits": [{"sha": "0" * 40, "query": "q", "metrics": dict.fromkeys(_METRICS, 0)}],
}
_FILES = {
    "good.json": json.dumps(_GOOD),
    "other.json": json.dumps({"schema": "ctx.search/1"}),
    "empty.json": json.dumps(_GOOD | {"commits": []}),
    "short.json": json.dumps(_GOOD | {"commits": [{"sha": "0", "query": "q", "metrics": {}}]}),
    "list.json": "[]",
    "text.json": "no JSON",
}
_NO_ANSWER = "not an answer of `ctx eval --json` with commits in it; write one with --save"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory: a segment without a history, and files that are answers or none."""
    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    (tmp_path / "shop").mkdir()
    for name, text in _FILES.items():
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (EvalOptions(commits=0), "--commits must be from 1 to 5000, found 0"),
        (EvalOptions(compare=("search.limit",)), "--compare search.limit: give KEY=VALUE with one of search.limit,"),
        (EvalOptions(compare=("search.limit=",)), "--compare search.limit=: give KEY=VALUE with one of search.limit,"),
        (EvalOptions(compare=("get.budget=5",)), "--compare get.budget=5: give KEY=VALUE with one of search.limit,"),
        (
            EvalOptions(compare=("search.limit=many",)),
            "--compare search.limit must be a whole number >= 1, found 'many'",
        ),
        (EvalOptions(compare=("tokens.encoding=x",)), "--compare tokens.encoding must be one of cl100k_base,"),
        (EvalOptions(compare=("search.limit=100000",)), "--limit must be from 1 to 1000, found 100000"),
        (EvalOptions(without=("magic",)), "--without magic: no stage of the ranking; it is definition,"),
        (EvalOptions(baseline="missing.json"), "--baseline missing.json: cannot be read"),
        *((EvalOptions(baseline=name), f"--baseline {name}: {_NO_ANSWER}") for name in _FILES if name != "good.json"),
        (EvalOptions(baseline="good.json", seed=1), "leave out --seed"),
        (EvalOptions(baseline="good.json", commits=1), "leave out --commits"),
        (EvalOptions(baseline="good.json", since="HEAD~1"), "leave out --since"),
        (EvalOptions(baseline="good.json", until="HEAD"), "leave out --until"),
        (EvalOptions(baseline="good.json", without=("names",)), "--baseline compares with a file"),
        (EvalOptions(save="nowhere/answer.json"), "--save nowhere/answer.json: there is no such folder"),
        (EvalOptions(save="shop"), "--save shop: a directory; give a file"),
    ],
)
def test_wrong_use_is_one_line_and_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], options: EvalOptions, complaint: str
) -> None:
    """Refused before any work: the folder has no history, and that is not what is complained about."""
    assert 2 == run_eval(options, segment=str(folder))
    said = capsys.readouterr().err
    assert complaint in said
    assert 1 == said.count("\n")


def test_huge_baseline_is_no_baseline(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of any length is not read to its end."""
    monkeypatch.setattr("ctx.infrastructure.cli.eval_command._BASELINE_BYTES_MAX", 100)
    assert 2 == run_eval(EvalOptions(baseline="good.json"), segment=str(folder))
    assert _NO_ANSWER in capsys.readouterr().err


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_drawn_on_a_terminal_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commits done of all; a pipe gets nothing."""
    for stream, is_drawn in ((_Terminal(), True), (io.StringIO(), False)):
        monkeypatch.setattr(sys, "stderr", stream)
        monkeypatch.setenv("TERM", "xterm")
        with _progress() as tell:
            tell(3, 7)
        assert is_drawn == ("3/7" in stream.getvalue())
