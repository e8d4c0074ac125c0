"""`ctx telemetry report`, run in the tests' own process."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.report_document import report_document

from ctx.infrastructure.cli import runner, telemetry_report_command
from ctx.infrastructure.cli.telemetry_report_command import ReportOptions, run_report

if TYPE_CHECKING:
    from pathlib import Path
    from types import ModuleType


def _event(cmd: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "ts": f"2026-03-14T12:00:{number:02}.000000+00:00",
        "run_id": "run_1773489600_0000abcd",
        "segment": "shop",
        "segment_id": "0a1b2c3d",
        "cmd": cmd,
        "args": {},
        "result": {},
        "timing_ms": 12,
        "duration_ns": 12_000_000,
        "tokens": {"input_tokens": 0, "output_tokens": 0, "total_tokens": 0, "retrieved_tokens": 0},
        "warnings": [],
        "pid": 7,
        "seq": number,
        "level": "lite",
    } | more


EVENTS = [
    _event("command.start", 1, args={"command": "search", "face": "cli"}),
    _event("ctx.search", 2, args={"query": "flux <b>capacitor"}, result={"hits": 0, "status": "ok"}, face="cli"),
    _event("command.end", 3, args={"command": "search", "face": "cli"}, result={"exit_code": 1}),
]


@pytest.fixture
def segment(fresh_segment: Path) -> Path:
    """A segment with the events of one search that found nothing."""
    found = fresh_segment / "shop"
    _write(found, "".join(json.dumps(event) + "\n" for event in EVENTS))
    return found


def _write(segment: Path, text: str) -> None:
    folder = segment / "_ctx" / "telemetry"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "events.jsonl").write_text(text, "utf-8")


def _tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_text(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The tables, exit code 0, and nothing is written anywhere: looking changes nothing."""
    before = _tree(segment.parent)
    assert 0 == run_report(ReportOptions(), segment=str(segment), as_json=False)
    said = capsys.readouterr()
    assert said.out.startswith("Telemetry of shop, 2026-03-14 12:00:01 to 2026-03-14 12:00:03 UTC\n3 of 3 events\n")
    assert re.search(r"\n +1 +search +flux <b>capacitor\n", said.out)
    assert ("", before) == (said.err, _tree(segment.parent))


def test_json(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The document of the report, on one line; places are taken as they are given."""
    options = ReportOptions(places=(str(segment / "_ctx" / "telemetry" / "events.jsonl"),), last=1)
    assert 0 == run_report(options, segment=None, as_json=True)
    said = capsys.readouterr()
    document = json.loads(said.out)
    assert ("ctx.telemetry_report/1", 3, 1) == (
        document["schema"],
        document["events"]["selected"],
        document["selection"]["last"],
    )
    assert ["ctx.search"] == [row["cmd"] for row in document["commands"]]
    assert ("", 1) == (said.err, said.out.count("\n"))


@pytest.mark.parametrize("as_json", [False, True])
def test_page(segment: Path, capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
    """Beside what is printed; its place is said to people, and a second one replaces it."""
    page = segment.parent / "r.html"
    for _time in range(2):
        assert 0 == run_report(ReportOptions(html=str(page)), segment=str(segment), as_json=as_json)
        assert ("", not as_json) == (
            (said := capsys.readouterr()).err,
            said.out.endswith(f"\nThe page is written: {page}\n"),
        )
        raw = page.read_text("utf-8")
        assert "flux &lt;b&gt;capacitor" in raw
        assert "<b>capacitor" not in raw
    assert ["r.html", "shop"] == sorted(path.name for path in segment.parent.iterdir())


@pytest.mark.parametrize("as_json", [False, True])
def test_a_page_in_the_way_of_another_file(segment: Path, capsys: pytest.CaptureFixture[str], *, as_json: bool) -> None:
    """Wrong use, in one line, before anything is read; with --json as an object, too."""
    (segment / "mine.html").write_text("mine")
    options = ReportOptions(html=str(segment / "mine.html"))
    assert 2 == run_report(options, segment=str(segment), as_json=as_json)
    said = capsys.readouterr()
    assert 1 == said.err.count("\n")
    assert "is there already and is something else; give another name" in said.err
    assert "mine" == (segment / "mine.html").read_text()
    expected = {"schema": "ctx.telemetry_report/1", "error": {"message": said.err[5:-1], "exit_code": 2}}
    assert (expected if as_json else None) == (json.loads(said.out) if said.out else None)


def test_a_page_that_cannot_be_written(
    segment: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk: exit code 3, one line, no table, nothing left."""

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ctx.infrastructure.output_file.os.fsync", full)
    page = segment.parent / "r.html"
    options = ReportOptions(html=str(page))
    assert 3 == run_report(options, segment=str(segment), as_json=False)
    said = capsys.readouterr()
    why = "cannot be written (No space left on device); check permissions and free space"
    assert f"ctx: --html {page}: {why}\n" == said.err
    assert ("", ["shop"]) == (said.out, [path.name for path in segment.parent.iterdir()])


@pytest.mark.parametrize(
    ("name", "why"), [("", "--html is empty; give a file"), ("-", "--html -: standard output has")]
)
def test_a_page_needs_a_name(segment: Path, capsys: pytest.CaptureFixture[str], name: str, why: str) -> None:
    """An empty name is no wish for no page, and standard output has the report."""
    assert 2 == run_report(ReportOptions(html=name), segment=str(segment), as_json=False)
    assert why in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "options", "sentence"),
    [
        ("", ReportOptions(), "no event is there yet; run a ctx command in the segment, then look again"),
        ("torn\n[]\n", ReportOptions(), "none of 2 lines is an event that can be read; `ctx telemetry validate`"),
        (
            None,
            ReportOptions(since="2026-03-16"),
            "none of 3 events is in what was asked for; give a longer --since",
        ),
    ],
)
def test_nothing_is_exit_code_1(
    segment: Path, capsys: pytest.CaptureFixture[str], text: str | None, options: ReportOptions, sentence: str
) -> None:
    """What to do is said; no page is written; --json has the document all the same."""
    if text is not None:
        _write(segment, text)
    options = ReportOptions(since=options.since, html=str(segment / "r.html"))
    assert 1 == run_report(options, segment=str(segment), as_json=False)
    said = capsys.readouterr()
    assert said.out.startswith(sentence)
    assert ("", False) == (said.err, (segment / "r.html").exists())
    assert 1 == run_report(options, segment=str(segment), as_json=True)
    assert 0 == json.loads(capsys.readouterr().out)["events"]["selected"]


def test_no_telemetry_at_all(tmp_path: Path, segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A segment without events: exit code 1, the next step, and no folder is made."""
    (tmp_path / "empty").mkdir()
    assert 1 == run_report(ReportOptions(), segment=str(tmp_path / "empty"), as_json=False)
    said = capsys.readouterr()
    assert "run a ctx command" in said.err
    assert ("", []) == (said.out, _tree(tmp_path / "empty"))


@pytest.mark.parametrize(("error", "exit_code"), [(BrokenPipeError(), 0), (OSError(28, "No space left"), 3)])
def test_standard_output_that_takes_nothing(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], error: OSError, exit_code: int
) -> None:
    """A reader that has left is no failure; a full disk is, in one line."""

    def refuse(*_given: Any, **_named: Any) -> None:
        raise error

    left: list[bool] = []
    monkeypatch.setattr(telemetry_report_command, "_document", lambda *_given: report_document())
    monkeypatch.setattr(runner, "show", refuse)
    monkeypatch.setattr(runner, "leave_closed_pipe", lambda: left.append(True))
    assert exit_code == run_report(ReportOptions(), segment=None, as_json=False)
    assert [True] == left
    assert ("ctx: standard output: cannot be written" in capfd.readouterr().err) is bool(exit_code)


@pytest.mark.parametrize("where", [(telemetry_report_command, "_document"), (runner, "show")])
def test_an_interrupt_ends_with_130(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], where: tuple[ModuleType, str]
) -> None:
    """While reading as while writing."""

    def interrupt(*_given: Any, **_named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(telemetry_report_command, "_document", lambda *_given: report_document())
    monkeypatch.setattr(*where, interrupt)
    assert 130 == run_report(ReportOptions(), segment=None, as_json=False)
    assert "ctx: interrupted" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/shop/_ctx"), "/shop/_ctx: cannot be read (Permission denied); "),
        (OSError(5, "Input/output error"), "a file: cannot be read (Input/output error); "),
        (FileNotFoundError(2, "No such file"), "the current directory was deleted; change to one that exists"),
    ],
)
def test_what_cannot_be_read_is_not_said_to_be_the_output(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: OSError, said: str
) -> None:
    """A folder without permission, a failing disk, a directory that is gone: exit code 3 and the place."""

    def refuse(*_given: Any) -> None:
        raise error

    monkeypatch.setattr(telemetry_report_command, "_document", refuse)
    assert 3 == run_report(ReportOptions(), segment=None, as_json=False)
    assert capsys.readouterr().err.startswith(f"ctx: {said}")


def _shape(value: Any) -> Any:
    """Return the names in an object, of lists those of the first item; what is named by the user's data is left out."""
    by_data = {"by_face", "exit_codes", "ready_via", "fallback_reasons", "hist"}
    if isinstance(value, dict):
        return {key: None if key in by_data else _shape(item) for key, item in value.items()}
    return [_shape(value[0])] if isinstance(value, list) and value else None


def _missing(expected: Any, found: Any, place: str = "") -> list[str]:
    if isinstance(expected, dict) and isinstance(found, dict):
        gone = [f"{place}/{key}" for key in expected.keys() ^ found.keys()]
        return gone + [
            one
            for key in expected.keys() & found.keys()
            for one in _missing(expected[key], found[key], f"{place}/{key}")
        ]
    return (
        _missing(expected[0], found[0], f"{place}/0") if isinstance(expected, list) and isinstance(found, list) else []
    )


def test_documents_of_tests_have_the_real_shape(segment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What text and page are tested with has the names that a real report has."""
    assert 0 == run_report(ReportOptions(), segment=str(segment), as_json=True)
    real = json.loads(capsys.readouterr().out)
    assert [] == _missing(_shape(report_document()), _shape(real))
