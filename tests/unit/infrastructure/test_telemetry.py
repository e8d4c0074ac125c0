"""`Telemetry`: what a line and the summaries hold, and what happens when nothing can be written."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes import ManualClock

from ctx.infrastructure import event_sink
from ctx.infrastructure import telemetry as telemetry_module
from ctx.infrastructure.event_log import read_events
from ctx.infrastructure.telemetry import QUEUE_MAX, Telemetry

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def state_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of its own, an unset level, and a process that has said nothing yet."""
    home = tmp_path_factory.mktemp("state")
    monkeypatch.setenv("XDG_STATE_HOME", str(home))
    monkeypatch.delenv("CTX_TELEMETRY", raising=False)
    monkeypatch.setattr(telemetry_module._Said, "degraded", False)
    monkeypatch.setattr(telemetry_module._Said, "bad_level", False)
    return home


def folder(segment: Path) -> Path:
    return segment / "_ctx" / "telemetry"


def events(segment: Path) -> list[dict[str, Any]]:
    return list(read_events(str(folder(segment))))


def loaded(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


class Blocked:
    """A segment whose `_ctx` is a file: a folder that cannot be made, for root as for anybody."""

    def __init__(self, segment: Path) -> None:
        self._in_the_way = segment / "_ctx"
        self._in_the_way.write_text("")

    def lift(self) -> None:
        self._in_the_way.unlink()


def test_level_off_costs_and_makes_nothing(tmp_path: Path) -> None:
    """No folder, no counter, no summary."""
    telemetry = Telemetry(tmp_path, "off")
    telemetry.event("ctx.search", {}, {}, 1)
    with telemetry.timed("ctx.get", {}):
        telemetry.observe("x", 1)
        telemetry.incr("y")
    telemetry.flush()
    telemetry.close()
    assert list(tmp_path.iterdir()) == []


def test_constructor_makes_nothing(tmp_path: Path) -> None:
    """Only the first write does, `.gitignore` with it; an existing one is kept."""
    telemetry = Telemetry(str(tmp_path))
    assert list(tmp_path.iterdir()) == []
    telemetry.event("ctx.search", {}, {}, 1)
    assert (tmp_path / "_ctx" / ".gitignore").read_text() == "*\n!.gitignore\n!config.toml\n"
    telemetry.close()
    (tmp_path / "_ctx" / ".gitignore").write_text("mine\n")
    Telemetry(tmp_path).flush()
    assert (tmp_path / "_ctx" / ".gitignore").read_text() == "mine\n"


def test_environment_overrides_the_level(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """CTX_TELEMETRY wins over what the caller asked for."""
    monkeypatch.setenv("CTX_TELEMETRY", "full")
    assert Telemetry(tmp_path, "off").level == "full"


def test_unknown_level_in_the_environment_is_said_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A user's typing mistake is a warning and lite; a program's is an error."""
    monkeypatch.setenv("CTX_TELEMETRY", "loud")
    assert [Telemetry(tmp_path).level, Telemetry(tmp_path, "off").level] == ["lite", "lite"]
    assert capsys.readouterr().err == "ctx: CTX_TELEMETRY must be one of off, lite, full, found 'loud'; using lite\n"
    with pytest.raises(ValueError, match="found 'loud'"):
        Telemetry(tmp_path, "loud")


def test_run_ids_of_one_second_differ(tmp_path: Path) -> None:
    """`run_<unix seconds>_<8 hex>`."""
    clock = ManualClock()
    ids = {Telemetry(tmp_path, clock=clock).run_id for _ in range(50)}
    assert len(ids) == 50
    assert {run_id[:15] for run_id in ids} == {f"run_{int(clock.now().timestamp())}_"}
    assert {len(run_id) for run_id in ids} == {23}


def test_segment_reached_through_a_link_has_the_same_id(tmp_path: Path) -> None:
    """The place decides, not the way to it."""
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert Telemetry(tmp_path / "link").segment_id == Telemetry(tmp_path / "real").segment_id


def test_unknown_arguments_are_dropped(tmp_path: Path) -> None:
    """What the event's row does not allow is not written; long texts are cut."""
    telemetry = Telemetry(tmp_path)
    telemetry.event("ctx.search", {"query": "q" * 500, "password": "p", "ids": ["i" * 200]}, {"hits": 1}, 1)
    telemetry.event("lsp.ready", {"server": "s", "query": "not in this row"}, {}, 1)
    searched, ready = events(tmp_path)
    assert searched["args"] == {"query": "q" * 119 + "…", "ids": ["i" * 119 + "…"]}
    assert ready["args"] == {"server": "s"}


def test_token_figures_come_from_the_result(tmp_path: Path) -> None:
    """Summed per command; what is no integer counts as 0."""
    telemetry = Telemetry(tmp_path)
    telemetry.event("ctx.get", {}, {"input_tokens": 3, "output_tokens": 4, "retrieved_tokens": 9}, 1)
    telemetry.event("ctx.get", {}, {"total_tokens": 10}, 1)
    telemetry.event("ctx.get", {}, {"output_tokens": "many", "total_tokens": None}, 1)
    telemetry.flush()
    assert [event["tokens"]["total_tokens"] for event in events(tmp_path)] == [7, 10, 0]
    assert loaded(folder(tmp_path) / "last_run.json")["tokens"] == {
        "ctx.get": {
            "count": 3,
            "input_tokens": 3,
            "output_tokens": 4,
            "total_tokens": 17,
            "retrieved_tokens": 9,
            "total_tokens_mean": 17 / 3,
        }
    }


def test_exception_is_an_event_and_goes_on(tmp_path: Path) -> None:
    """Its class is recorded, not its message, and the caller still gets it."""
    telemetry = Telemetry(tmp_path)

    def half_done() -> None:
        with telemetry.timed("ctx.get", {"id": "a"}, face="cli") as work:
            work.extra["bytes_read"] = 3
            work.warnings.append("half done")
            raise KeyError("secret")

    with pytest.raises(KeyError):
        half_done()
    (event,) = events(tmp_path)
    assert event["result"] == {"status": "error", "error": "KeyError"}
    assert (event["face"], event["bytes_read"], event["warnings"]) == ("cli", 3, ["half done"])


def test_timed_work_takes_what_the_monotonic_clock_says(tmp_path: Path) -> None:
    """timing_ms is the whole milliseconds of duration_ns."""
    clock = ManualClock()
    telemetry = Telemetry(tmp_path, clock=clock)
    with telemetry.timed("ctx.get", {}):
        clock.advance_ns(7_999_999)
    (event,) = events(tmp_path)
    assert (event["timing_ms"], event["duration_ns"]) == (7, 7_999_999)


def test_second_flush_adds_only_what_is_new(tmp_path: Path) -> None:
    """metrics.json counts nothing twice, last_run.json shows the whole run."""
    telemetry = Telemetry(tmp_path)
    telemetry.event("ctx.search", {}, {}, 1, ["slow"])
    telemetry.incr("index_read_bytes_total", 100)
    telemetry.flush()
    telemetry.flush()
    telemetry.event("ctx.search", {}, {}, 1, ["slow", "other"])
    telemetry.set_pack_state("0" * 16, "2025-12-29T22:06:52+00:00", False)
    telemetry.close()
    summary = loaded(folder(tmp_path) / "last_run.json")
    assert loaded(folder(tmp_path) / "metrics.json") == summary["metrics_delta"]
    assert summary["metrics_delta"]["ctx_search_count"] == 2
    assert summary["metrics_delta"]["index_read_bytes_total"] == 100
    assert summary["top_warnings"] == ["slow", "other"]
    assert summary["pack_state"] == {
        "pack_sha": "0" * 16,
        "pack_mtime": "2025-12-29T22:06:52+00:00",
        "stale_detected": False,
    }


def test_a_flush_of_a_process_that_lives_on_leaves_the_last_run_alone(tmp_path: Path) -> None:
    """Its counts are added at once, each of them once; last_run.json is of the run that finished last."""
    host, command = Telemetry(tmp_path, run_id="run_1_00000000"), Telemetry(tmp_path, run_id="run_2_00000000")
    command.event("ctx.search", {}, {}, 1)
    command.close()
    for spawned in (1, 2):
        host.event("lsp.spawn", {"server": "ty"}, {"status": "ok"}, 1)
        host.flush(is_last=False)
        host.flush(is_last=False)
        assert spawned == loaded(folder(tmp_path) / "metrics.json")["lsp_spawn_count"]
        assert "run_2_00000000" == loaded(folder(tmp_path) / "last_run.json")["run_id"]
    host.close()
    assert "run_1_00000000" == loaded(folder(tmp_path) / "last_run.json")["run_id"]
    assert 2 == loaded(folder(tmp_path) / "last_run.json")["metrics_delta"]["lsp_spawn_count"]
    assert 2 == loaded(folder(tmp_path) / "metrics.json")["lsp_spawn_count"]


@pytest.mark.parametrize("content", ["", "{", "[]", '{"a": "b"}', '{"a": true}', None])
def test_damaged_metrics_are_kept_aside(tmp_path: Path, content: str | None) -> None:
    """What is not ours is never overwritten; the damage is a counter."""
    folder(tmp_path).mkdir(parents=True)
    path = folder(tmp_path) / "metrics.json"
    if content is None:
        path.mkdir()
    else:
        path.write_text(content)
    (folder(tmp_path) / "metrics.json.damaged-1").write_text("an earlier one")
    Telemetry(tmp_path).flush()
    kept = folder(tmp_path) / "metrics.json.damaged-2"
    assert kept.is_dir() if content is None else kept.read_text() == content
    assert loaded(path)["telemetry_metrics_damaged"] == 1
    assert loaded(folder(tmp_path) / "last_run.json")["metrics_delta"] == loaded(path)


def test_degradation_is_said_once_and_nothing_raises(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line on stderr, ordinary events counted as dropped."""
    Blocked(tmp_path)
    telemetry = Telemetry(tmp_path)
    for _ in range(3):
        telemetry.event("ctx.search", {}, {}, 1)
    telemetry.flush()
    assert telemetry.counters["telemetry_events_dropped"] == 3
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("place", "name", "is_written"),
    [
        (telemetry_module.Telemetry, "_new_second", False),
        (event_sink, "lseek", False),
        (event_sink, "_sync_data", True),
    ],
    ids=["before it is written", "about to be written", "after it was written"],
)
def test_interrupted_event_is_written_or_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Any, name: str, is_written: bool
) -> None:
    """Ctrl-C may come at any moment: a number that is missing is explained by the next line."""

    def interrupt(*_args: object) -> None:
        raise KeyboardInterrupt

    telemetry = Telemetry(tmp_path, clock=ManualClock())
    with monkeypatch.context() as patch:
        patch.setattr(place, name, interrupt)
        with pytest.raises(KeyboardInterrupt):
            telemetry.event("lsp.ready", {}, {}, 1)
    telemetry.event("ctx.get", {}, {}, 1)
    written = events(tmp_path)
    dropped = 0 if is_written else 1
    assert [1, 2][dropped:] == [event["seq"] for event in written]
    assert dropped == written[-1].get("telemetry_dropped_since_last", 0)
    counted = [telemetry.counters[f"telemetry_events_{what}"] for what in ("attempted", "written", "dropped")]
    assert [2, 2 - dropped, dropped] == counted


@pytest.mark.parametrize(("cmd", "dropped"), [("ctx.get", 1), ("lsp.ready", 0)])
def test_event_whose_loss_was_being_said_is_counted_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cmd: str, dropped: int
) -> None:
    """A critical one waits by then."""

    def interrupt(_text: str) -> None:
        raise KeyboardInterrupt

    blocked = Blocked(tmp_path)
    telemetry = Telemetry(tmp_path)
    monkeypatch.setattr(telemetry_module._Said, "degraded", False)
    with monkeypatch.context() as patch:
        patch.setattr(telemetry_module, "_say", interrupt)
        with pytest.raises(KeyboardInterrupt):
            telemetry.event(cmd, {}, {}, 1)
    blocked.lift()
    telemetry.flush()
    counted = [telemetry.counters[f"telemetry_events_{what}"] for what in ("attempted", "written", "dropped")]
    assert [1, 1 - dropped, dropped] == counted


def test_interrupted_queue_is_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was written when Ctrl-C came does not wait any more."""

    def interrupt(_fd: int) -> None:
        raise KeyboardInterrupt

    blocked = Blocked(tmp_path)
    telemetry = Telemetry(tmp_path)
    for _ in range(2):
        telemetry.event("lsp.ready", {}, {}, 1)
    blocked.lift()
    with monkeypatch.context() as patch:
        patch.setattr(event_sink, "_sync_data", interrupt)
        with pytest.raises(KeyboardInterrupt):
            telemetry.flush()
    telemetry.flush()
    assert [1, 2] == [event["seq"] for event in events(tmp_path)]
    assert 2 == telemetry.counters["telemetry_queue_recovered"] == telemetry.counters["telemetry_events_written"]


def test_critical_events_wait_in_order(tmp_path: Path) -> None:
    """They are written with the first success, before it; the drop in between is told."""
    blocked = Blocked(tmp_path)
    telemetry = Telemetry(tmp_path)
    telemetry.command_start("search", "cli")
    telemetry.event("ctx.search", {}, {}, 1)
    telemetry.event("lsp.ready", {}, {}, 1)
    blocked.lift()
    telemetry.event("ctx.get", {}, {}, 1)
    written = events(tmp_path)
    assert [event["seq"] for event in written] == [1, 3, 4]
    assert written[-1]["telemetry_dropped_since_last"] == 1
    assert telemetry.counters["telemetry_queue_recovered"] == 2
    telemetry.event("ctx.get", {}, {}, 1)
    assert "telemetry_dropped_since_last" not in events(tmp_path)[-1]


def test_what_a_run_could_not_write_the_next_run_takes_up(tmp_path: Path, state_home: Path) -> None:
    """Spilled at flush into a file of the user alone, written once by the next run on that segment, then removed."""
    blocked = Blocked(tmp_path)
    first = Telemetry(tmp_path, run_id="run_1_aaaaaaaa")
    first.command_start("search", "cli")
    first.command_end("search", "cli", 0, 1)
    first.flush()
    (spilled,) = (state_home / "ctx" / "telemetry-spill").iterdir()
    assert spilled.name == f"{first.segment_id}-run_1_aaaaaaaa.jsonl"
    assert spilled.stat().st_mode & 0o777 == 0o600
    blocked.lift()
    (tmp_path / "elsewhere").mkdir()
    Telemetry(tmp_path / "elsewhere").flush()
    assert spilled.exists()
    second = Telemetry(tmp_path, run_id="run_2_bbbbbbbb")
    second.event("ctx.get", {}, {}, 1)
    assert [(event["run_id"], event["seq"]) for event in events(tmp_path)] == [
        ("run_1_aaaaaaaa", 1),
        ("run_1_aaaaaaaa", 2),
        ("run_2_bbbbbbbb", 1),
    ]
    assert not spilled.exists()
    assert second.counters["telemetry_queue_recovered"] == 2


def test_queue_is_bounded(tmp_path: Path, state_home: Path) -> None:
    """Beyond 256 waiting events the oldest go to the state directory; none is lost, the order is kept."""
    blocked = Blocked(tmp_path)
    telemetry = Telemetry(tmp_path)
    for _ in range(QUEUE_MAX + 10):
        telemetry.event("lsp.ready", {}, {}, 1)
    (spilled,) = (state_home / "ctx" / "telemetry-spill").iterdir()
    assert len(spilled.read_bytes().splitlines()) == QUEUE_MAX
    blocked.lift()
    telemetry.flush()
    assert [event["seq"] for event in events(tmp_path)] == list(range(1, QUEUE_MAX + 11))


def test_what_cannot_be_kept_anywhere_is_counted(tmp_path: Path, state_home: Path) -> None:
    """Neither segment nor state directory: dropped, said, counted."""
    Blocked(tmp_path)
    (state_home / "ctx").write_text("")
    telemetry = Telemetry(tmp_path)
    telemetry.command_start("search", "cli")
    telemetry.flush()
    assert telemetry.counters["telemetry_events_dropped"] == 1
    assert telemetry.counters["telemetry_events_written"] == 0


def test_exit_without_flush_spills(tmp_path: Path, state_home: Path) -> None:
    """A process that ends early still gets its critical events out."""
    Blocked(tmp_path)
    code = f"from ctx.infrastructure.telemetry import Telemetry; Telemetry({str(tmp_path)!r}).command_start('x', 'cli')"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stderr.count("telemetry cannot be written") == 1
    assert len(list((state_home / "ctx" / "telemetry-spill").iterdir())) == 1


def test_forked_child_counts_for_itself(tmp_path: Path) -> None:
    """Own seq, own pid, own counts: nothing is added to metrics.json twice."""
    telemetry = Telemetry(tmp_path)
    telemetry.event("ctx.search", {}, {}, 1)
    pid = os.fork()
    if pid == 0:
        try:
            telemetry.event("ctx.search", {}, {}, 1)
            telemetry.flush()
        finally:
            os._exit(0)
    assert os.waitpid(pid, 0)[1] == 0
    telemetry.event("ctx.search", {}, {}, 1)
    telemetry.flush()
    assert [(event["pid"] == pid, event["seq"]) for event in events(tmp_path)] == [(False, 1), (True, 1), (False, 2)]
    assert loaded(folder(tmp_path) / "metrics.json")["ctx_search_count"] == 3


def test_file_names_that_are_not_utf8_stay_readable(tmp_path: Path) -> None:
    """The line is UTF-8 and JSON for every reader, the odd byte shown."""
    telemetry = Telemetry(tmp_path)
    telemetry.event("file.read", {"file": os.fsdecode(b"caf\xe9.py"), "mode": "raw"}, {}, 1)
    (folder(tmp_path) / "events.jsonl").read_text(encoding="utf-8")
    assert events(tmp_path)[0]["args"]["file"] == r"caf\xe9.py"


@pytest.mark.parametrize("size", [300_000, 5_000_000])
def test_huge_event_stays_one_valid_line(tmp_path: Path, size: int) -> None:
    """300 KB pass whole; beyond a megabyte the texts are cut, not the line."""
    telemetry = Telemetry(tmp_path)
    telemetry.event("ctx.get", {}, {"text": "x" * size, "hits": 1}, 1, note="y")
    (event,) = events(tmp_path)
    assert event["result"]["hits"] == 1
    assert event["note"] == "y"
    assert len(event["result"]["text"]) == (size if size == 300_000 else 4096)


def test_huge_number_of_fields_is_cut(tmp_path: Path) -> None:
    """Many small things are too long as well, in arguments and extra fields too."""
    telemetry = Telemetry(tmp_path)
    many = [str(i) for i in range(300_000)]
    telemetry.event("ctx.get", {"ids": many}, {str(i): "x" * 5000 for i in range(300)}, 1, found=many)
    (event,) = events(tmp_path)
    assert (folder(tmp_path) / "events.jsonl").stat().st_size <= 1 << 20
    assert (len(event["args"]["ids"]), len(event["result"]), len(event["found"])) == (64, 64, 64)


def test_orjson_is_used_but_never_loaded(tmp_path: Path) -> None:
    """The fast encoder only when the program has it; both write the same event."""
    code = (
        "import sys; from ctx.infrastructure.telemetry import Telemetry\n"
        "t = Telemetry(sys.argv[1])\n"
        "e = ('ctx.get', {'query': 'é'}, {'n': 1 << 70, 'f': float('inf'), 'o': {1: b''}}, 1)\n"
        "t.event(*e); assert 'orjson' not in sys.modules; import orjson; t.event(*e)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)
    plain, fast = events(tmp_path)
    for event in (plain, fast):
        assert (event["args"], event["result"]) == ({"query": "é"}, {"n": 1 << 70, "f": None, "o": {"1": "bytes"}})


def test_import_stays_light(tmp_path: Path) -> None:
    """The modules that cost more than the telemetry itself are not loaded by it."""
    code = (
        "import sys; import ctx.infrastructure.telemetry\n"
        "print(*{'typing', 'dataclasses', 'pathlib', 'logging', 'hashlib', 'tempfile', 'contextlib', 're', 'json'}"
        " & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = {_package_roots()!r}\n{code}"],
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout == "\n"


def _package_roots() -> list[str]:
    import ctx

    return [os.path.dirname(os.path.dirname(str(ctx.__file__)))]


def test_directory_can_be_elsewhere(tmp_path: Path) -> None:
    """Where `_ctx` cannot be written the files go where the caller says, and nothing is made in the segment."""
    (tmp_path / "segment").mkdir()
    telemetry = Telemetry(tmp_path / "segment", directory=tmp_path / "cache" / "telemetry")
    telemetry.event("ctx.search", {}, {}, 1)
    telemetry.close()
    assert sorted(path.name for path in (tmp_path / "cache" / "telemetry").iterdir() if "lock" not in path.name) == [
        *("events.jsonl", "last_run.json", "metrics.json")
    ]
    assert list((tmp_path / "segment").iterdir()) == []


def test_many_event_names_stay_bounded_and_counted(tmp_path: Path) -> None:
    """A client that makes names up does not grow the memory of names, and no count is lost."""
    telemetry = Telemetry(tmp_path)
    for i in range(1100):
        telemetry.event(f"lsp.method{i}", {}, {}, 0)
    assert telemetry.counters["lsp_request_count"] == 1100


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text('abc é"\n1'),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", min_size=1), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text("xyz", min_size=1), JSON_VALUES, max_size=4),
    st.dictionaries(st.text("uvw", min_size=1), JSON_VALUES, max_size=4),
)
def test_event_round_trip(result: dict[str, Any], extra: dict[str, Any]) -> None:
    """What holds no path is read back as it was said, whatever it is."""
    with tempfile.TemporaryDirectory() as directory:
        telemetry = Telemetry(directory, directory=directory)
        telemetry.event("ctx.x", {}, result, 1, **extra)
        telemetry._sink.close()
        (event,) = read_events(directory)
    assert event["result"] == result
    assert {name: event[name] for name in extra} == extra


@given(st.text(), st.text())
def test_any_text_makes_one_valid_line(query: str, text: str) -> None:
    """No text breaks the file: it is UTF-8, one line, and the keys are there."""
    with tempfile.TemporaryDirectory() as directory:
        telemetry = Telemetry(directory, directory=directory)
        telemetry.event("ctx.x", {"query": query}, {text: text}, 1, [text])
        telemetry._sink.close()
        reader = read_events(directory)
        assert [event["seq"] for event in reader] == [1]
        assert reader.unreadable == 0
