"""What the answers of commands came to."""

from __future__ import annotations

from ctx.domain.telemetry.commands_tally import MODES_MAX, SLOWEST, CommandsTally
from ctx.domain.telemetry.event_line import EventLine
from ctx.domain.telemetry.tally_values import OTHER
from ctx.domain.telemetry.trends import COMMANDS, OUTPUT_TOKENS, ZERO_HITS, Cell


def line(
    cmd: str = "ctx.search", *, taken_ns: int | None = 5, mode: str = "search", output_tokens: int = 0
) -> EventLine:
    found = EventLine()
    found.cmd = cmd
    found.key = ("0123abcd", "run_1", 7)
    found.at_us = 0
    found.taken_ns = taken_ns
    found.cell = Cell()
    found.args = {"query": "flux"}
    found.result = {"hits": 0}
    found.event = {"disclosure_mode": mode, "tokens": {"output_tokens": output_tokens, "input_tokens": "x"}}
    return found


def test_a_command_moves_its_bucket() -> None:
    """One more command, its latency, tokens and that it found nothing; the figures come back in a fixed order."""
    seen = line(output_tokens=9)
    assert [0, 9, 0, 0] == CommandsTally().add(seen, "cli")
    assert (1, 9, 1, 1) == (
        *(seen.cell.figures[number] for number in (COMMANDS, OUTPUT_TOKENS, ZERO_HITS)),
        seen.cell.latencies.count,
    )


def test_a_command_without_a_duration_is_not_among_the_slowest() -> None:
    """And it reports no tokens when all it says is zeros."""
    tally = CommandsTally()
    assert [] == tally.add(line(taken_ns=None), "cli")
    assert [] == tally.slowest


def test_the_slowest_of_two_parts_are_the_slowest_of_all() -> None:
    """And what is slower than the least of them takes its place afterwards, too."""
    one, other = CommandsTally(), CommandsTally()
    for number in range(SLOWEST):
        one.add(line(taken_ns=2 * number), "cli")
        other.add(line(taken_ns=2 * number + 1), "cli")
    one.merge(other)
    one.add(line(taken_ns=1000), "cli")
    one.add(line(taken_ns=0), "cli")
    assert [*range(SLOWEST + 1, 2 * SLOWEST), 1000] == sorted(slow[0] for slow in one.slowest)


def test_modes_beyond_the_limit_count_as_other() -> None:
    """With their tokens; merged ones as well."""
    tallies = CommandsTally(), CommandsTally()
    for number in range(MODES_MAX):
        for tally, name in zip(tallies, ("a", "b"), strict=True):
            tally.add(line(mode=f"{name}{number}", output_tokens=1), "cli")
    tallies[0].merge(tallies[1])
    assert (MODES_MAX + 1, [MODES_MAX, MODES_MAX]) == (len(tallies[0].answers), tallies[0].answers[OTHER])
