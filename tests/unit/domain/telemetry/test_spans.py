"""The events of one run as spans."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.event_lines import BEGIN_US, ToldRun, resolve_with_server

from ctx.domain.telemetry.spans import RunSpans, Span, SpanKind, spans_of, status_of

US = 1000


def placed(run: ToldRun) -> dict[str, tuple[int, int, str]]:
    """Return begin and end in microseconds and the parent's name of each span of a run."""
    return {span.name: place(span) for span in spans_of(run.records)[0]}


def place(span: Span) -> tuple[int, int, str]:
    begin = BEGIN_US * US
    return (span.start_ns - begin) // US, (span.end_ns - begin) // US, span.parent.name if span.parent else ""


def test_a_command_holds_its_operations_and_its_server_lives_beside() -> None:
    """Starts are ends less durations; steps of a server count from its start; the server outlives the command."""
    expected = {
        "ctx resolve": (0, 524_000, ""),
        "ctx.resolve": (1_500, 523_000, "ctx resolve"),
        "selector.resolve": (11_000, 522_000, "ctx.resolve"),
        "lsp.definition": (21_000, 521_000, "selector.resolve"),
        "wait for ty: definition": (321_000, 521_000, "selector.resolve"),
        "lsp.timeout": (521_100, 521_100, "selector.resolve"),
        "lsp.fallback": (521_200, 521_200, "selector.resolve"),
        "ty": (20_900, 530_000, "ctx resolve"),
        "lsp.spawn": (20_900, 51_000, "ty"),
        "lsp.initialize": (20_900, 81_000, "ty"),
        "lsp.ready": (20_900, 101_000, "ty"),
        "lsp.diagnostics": (100_000, 100_000, "ty"),
    }
    assert expected == placed(resolve_with_server())


def test_the_order_in_a_file_means_nothing() -> None:
    """Lines that were written late, from a spill, are put where their number says."""
    run = resolve_with_server()
    expected = placed(run)
    run.events.reverse()
    assert expected == placed(run)


def test_what_only_overlaps_stays_beside() -> None:
    """Two operations at once are both parts of the command, and none of the other."""
    run = ToldRun().begin("lsp", 0).tell("a", 60_000, took_us=50_000).tell("b", 90_000, took_us=60_000)
    run.end("lsp", 100_000, took_us=100_000)
    expected = {
        "ctx lsp": (0, 100_000, ""),
        "a": (10_000, 60_000, "ctx lsp"),
        "b": (30_000, 90_000, "ctx lsp"),
    }
    assert expected == placed(run)


def test_a_part_that_was_stamped_a_little_early_begins_with_its_whole() -> None:
    """An operation's event is written after its answer was printed, so it seems to begin late."""
    run = ToldRun().tell("part", 50_000, took_us=50_000).tell("whole", 100_000, took_us=99_000)
    assert {"part": (1_000, 50_000, "whole"), "whole": (1_000, 100_000, "")} == placed(run)


def test_a_command_that_was_stamped_late_took_no_longer() -> None:
    """Between the end of what is measured and its line the system may let others go first; what is in it stays in."""
    run = ToldRun().begin("search", 20_000).tell("part", 60_000, took_us=30_000).end("search", 700_000, took_us=70_000)
    assert {"part": (30_000, 60_000, "ctx search"), "ctx search": (20_000, 90_000, "")} == placed(run)
    run = ToldRun().begin("search", 20_000).tell("a", 95_000, took_us=30_000).end("search", 700_000, took_us=70_000)
    assert {"a": (65_000, 95_000, "ctx search"), "ctx search": (20_000, 95_000, "")} == placed(run)


def test_a_question_in_a_whole_that_was_stamped_late_keeps_its_time() -> None:
    """What asked it is told only after its answer was printed."""
    run = ToldRun().tell("lsp.hover", 60_000, took_us=50_000).tell("whole", 100_000, took_us=89_000)
    assert {"lsp.hover": (11_000, 61_000, "whole"), "whole": (11_000, 100_000, "")} == placed(run)


def test_what_was_over_before_is_no_part() -> None:
    """Not even within what a stamp may be late."""
    run = ToldRun().tell("before", 900, took_us=500).tell("after", 100_000, took_us=99_000)
    assert {"before": (400, 900, ""), "after": (1_000, 100_000, "")} == placed(run)


def test_many_overlaps_end_the_search() -> None:
    """A file made so that everything overlaps costs no time without end; what is not looked at stays beside."""
    run = ToldRun()
    for number in range(80):
        run.tell(f"s{number}", 100_000 + number, took_us=90_000)
    run.tell("last", 100_100, took_us=1_000)
    assert "" == placed(run)["last"][2]


def test_a_clock_set_back_is_carried_on() -> None:
    """Times of one process never go back, and are its clock's again when that has caught up."""
    run = ToldRun().begin("search", 0).tell("a", 10_000, took_us=5_000)
    run.tell("b", 30_000 - 3_600_000_000, took_us=5_000).tell("c", 40_000 - 3_600_000_000, took_us=5_000)
    run.tell("d", 90_000, took_us=5_000)
    spans = placed(run)
    assert [(5_000, 10_000), (5_000, 10_000), (15_000, 20_000), (85_000, 90_000)] == [
        spans[name][:2] for name in "abcd"
    ]


def test_a_clock_set_forward_is_taken_back_by_what_the_command_took() -> None:
    """The widest gap is where it was set; the command holds what it did before and after."""
    hour = 3_600_000_000
    run = ToldRun().begin("search", 0).tell("a", 10_000, took_us=5_000)
    run.tell("b", 20_000 + hour, took_us=5_000).end("search", 30_000 + hour, took_us=30_000)
    run.tell("later", 40_000 + hour, took_us=1_000)
    expected = {
        "ctx search": (0, 30_000, ""),
        "a": (5_000, 10_000, "ctx search"),
        "b": (15_000, 20_000, "ctx search"),
        "later": (39_000, 40_000, ""),
    }
    assert expected == placed(run)


def test_what_is_open_is_taken_back_with_the_clock() -> None:
    """A command that goes on and the servers begun after the clock was set, over or not, are where they were."""
    hour = 3_600_000_000
    run = ToldRun().begin("search", 0).tell("a", 10_000, took_us=5_000).begin("map", 20_000 + hour)
    run.tell("lsp.spawn", 25_000 + hour, took_us=4_000, args={"server": "ty"})
    run.tell("lsp.spawn", 26_000 + hour, took_us=4_000, args={"server": "pylsp"})
    run.tell("lsp.exit", 28_000 + hour, took_us=6_000, args={"server": "pylsp"})
    run.end("search", 30_000 + hour, took_us=30_000)
    run.tell("lsp.exit", 50_000 + hour, took_us=29_000, args={"server": "ty"})
    run.end("map", 60_000 + hour, took_us=40_000)
    spans = [(span.name, *place(span)) for span in spans_of(run.records)[0] if span.kind is not SpanKind.STEP]
    expected = [
        ("a", 5_000, 10_000, "ctx search"),
        ("ctx map", 20_000, 60_000, ""),
        ("ctx search", 0, 30_000, ""),
        ("pylsp", 22_000, 28_000, "ctx map"),
        ("ty", 21_000, 50_000, "ctx map"),
    ]
    assert expected == sorted(spans)


def test_a_run_without_its_end_ends_with_its_last_event() -> None:
    """A killed process leaves its command and its server open, and both are said to be."""
    run = ToldRun().begin("daemon", 0, face="daemon").tell("lsp.spawn", 20_000, took_us=10_000, args={"server": "ty"})
    run.tell("index.update", 50_000, took_us=1_000)
    spans, _servers = spans_of(run.records)
    expected = [("ctx daemon", True, 50_000), ("index.update", False, 50_000), ("lsp.spawn", False, 20_000)]
    found = sorted((span.name, span.is_open, place(span)[1]) for span in spans)
    assert [*expected, ("ty", True, 50_000)] == found


def test_a_run_without_its_beginning_is_told_by_its_end() -> None:
    """Rotation removed the first lines: durations tell when things began."""
    run = ToldRun().end("search", 50_000, took_us=40_000)
    run.tell("lsp.exit", 60_000, took_us=30_000, args={"server": "ty"}, result={"crashed": True})
    assert {"ctx search": (10_000, 50_000, ""), "ty": (30_000, 60_000, "")} == placed(run)


def test_requests_within_a_long_command_are_its_parts() -> None:
    """A server of a face begins and ends once and answers in between; commands hold commands."""
    run = ToldRun().begin("mcp", 0, "mcp").begin("search", 10_000, "mcp").tell("index.search", 19_000, took_us=5_000)
    run.end("search", 20_000, took_us=10_000, face="mcp").end("mcp", 90_000, took_us=90_000, face="mcp")
    expected = {
        "ctx mcp": (0, 90_000, ""),
        "ctx search (mcp)": (10_000, 20_000, "ctx mcp"),
        "index.search": (14_000, 19_000, "ctx search (mcp)"),
    }
    assert expected == placed(run)


def test_a_server_that_is_started_again_is_another_life() -> None:
    """The first one's end, when nobody told of it, is the start of the second."""
    server = {"server": "ty"}
    run = ToldRun().tell("lsp.spawn", 10_000, took_us=5_000, args=server, subprocess_pid=7)
    run.tell("lsp.spawn", 50_000, took_us=5_000, args=server, subprocess_pid=8)
    run.tell("lsp.exit", 90_000, took_us=45_000, args=server)
    spans, servers = spans_of(run.records)
    lives = [(*place(span)[:2], span.is_open) for span in spans if span.kind is SpanKind.LIFE]
    assert [(5_000, 50_000, True), (45_000, 90_000, False)] == sorted(lives)
    assert [7, 8] == [server.server_pid for server in servers]


def test_a_server_that_could_not_be_started_has_ended_at_once() -> None:
    """What is asked of that name later belongs to another one."""
    run = ToldRun().tell("lsp.spawn", 10_000, took_us=5_000, args={"server": "ty"}, result={"status": "error"})
    run.tell("lsp.definition", 20_000, took_us=1_000, args={"server": "ty"}, result={"status": "error"})
    run.tell("lsp.diagnostics", 21_000, args={"server": "ty"})
    spans, servers = spans_of(run.records)
    assert [("lsp.definition", ""), ("lsp.diagnostics", ""), ("lsp.spawn", "ty"), ("ty", "")] == sorted(
        (span.name, place(span)[2]) for span in spans
    )
    assert 2 == len(servers)


def test_a_question_without_a_server_has_one_without_a_name() -> None:
    """Nothing was waited for, as nobody was there."""
    run = ToldRun().tell("lsp.hover", 10_000, args={"server": "", "method": "hover"}, result={"status": "no_server"})
    spans, servers = spans_of(run.records)
    assert [("lsp.hover", SpanKind.REQUEST)] == [(span.name, span.kind) for span in spans]
    assert [""] == [server.name for server in servers]


def test_what_is_drained_has_the_open_command_as_its_parent() -> None:
    """A host's run may be as long as a day; nothing of it is kept that is settled."""
    run = ToldRun().begin("mcp", 0, "mcp").tell("a", 10_000, took_us=5_000)
    spans = RunSpans()
    for record in run.records:
        spans.add(record)
    drained = spans.drain()
    assert [("a", "ctx mcp")] == [(span.name, place(span)[2]) for span in drained]
    for record in run.end("mcp", 90_000, took_us=90_000, face="mcp").records[2:]:
        spans.add(record)
    left = spans.close()
    assert ["ctx mcp"] == [span.name for span in left]
    assert drained[0].parent is left[0]
    assert [] == spans.drain()


@pytest.mark.parametrize(
    ("cmd", "result", "expected"),
    [
        ("command.end", {"exit_code": 0}, ""),
        ("command.end", {"exit_code": 1}, ""),
        ("command.end", {"exit_code": 3}, "3"),
        ("command.end", {"exit_code": "3"}, ""),
        ("lsp.exit", {"crashed": True}, "crashed"),
        ("lsp.exit", {"crashed": "yes"}, ""),
        ("lsp.fallback", {"reason": "not_ready"}, "not_ready"),
        ("lsp.fallback", {"reason": 3}, "error"),
        ("lsp.timeout", {"timeout_ms": 3}, "timeout"),
        ("ctx.get", {"status": "error", "error": "OSError"}, "OSError"),
        ("ctx.get", {"status": "UsageError"}, "UsageError"),
        ("ctx.get", {"status": "nothing"}, ""),
        ("ctx.get", {"status": 7}, ""),
        ("lsp.hover", {"status": "timeout"}, "timeout"),
    ],
)
def test_a_failure_is_told_by_its_class(cmd: str, result: dict[str, object], expected: str) -> None:
    """An answer that found nothing is none."""
    span = next(iter(spans_of(ToldRun().tell(cmd, 0, took_us=1, result=result).records)[0]))
    assert expected == status_of(span)


any_event = st.tuples(
    st.sampled_from(
        "command.start command.end lsp.spawn lsp.ready lsp.exit lsp.definition lsp.diagnostics lsp.timeout ctx.search "
        "index.update ast.cache".split()
    ),
    st.integers(0, 10_000_000) | st.integers(-7_200_000_000, 7_200_000_000),
    st.none() | st.integers(0, 5_000_000) | st.integers(0, 10**13),
    st.sampled_from(["a", "b"]),
    st.integers(1, 2),
)


def told(events: list[tuple[str, int, int | None, str, int]]) -> list[ToldRun]:
    runs = {pid: ToldRun(pid=pid) for pid in (1, 2)}
    for cmd, at_us, took_us, name, pid in events:
        args = {"command": name, "face": "cli", "server": name}
        runs[pid].tell(cmd, at_us, took_us=took_us, args=args, waited_ns=(took_us or 0) * 500)
    return list(runs.values())


_OPEN_BESIDE_A_SET_CLOCK = [
    ("command.start", 0, "a"),
    ("command.start", 1, "a"),
    ("command.start", 1_000_002, "b"),
    ("command.end", 0, "a"),
]


@given(st.lists(any_event, max_size=40))
@example([(cmd, at, 0, name, 1) for cmd, at, name in _OPEN_BESIDE_A_SET_CLOCK])
def test_every_event_is_told_once_and_parts_lie_in_their_wholes(
    events: list[tuple[str, int, int | None, str, int]],
) -> None:
    """Whatever the clock did: no span ends before it begins, and a part begins no earlier than its whole."""
    records = [record for run in told(events) for record in run.records]
    spans, _servers = spans_of(records)
    assert all(span.start_ns <= span.end_ns for span in spans)
    for span in spans:
        if span.parent is not None and span.kind is not SpanKind.LIFE:
            assert span.parent.start_ns <= span.start_ns
            assert span.end_ns <= span.parent.end_ns
    shown = {id(record) for span in spans for record in (span.record, span.beginning) if record is not None}
    assert {id(record) for record in records} >= shown
    told_kinds = {SpanKind.OPERATION, SpanKind.INSTANT, SpanKind.REQUEST}
    single = [record for record in records if record.cmd in {"ctx.search", "index.update", "ast.cache", "lsp.timeout"}]
    assert len(single) == len([s for s in spans if s.kind in told_kinds and s.record.cmd in {r.cmd for r in single}])
    assert len(spans) == len({id(span) for span in spans})
