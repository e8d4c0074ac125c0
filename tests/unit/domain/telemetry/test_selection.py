"""Which events are looked at."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.errors import UsageError
from ctx.domain.telemetry.moments import moment_text, moment_us
from ctx.domain.telemetry.selection import LAST_RUNS_MAX, RecentRuns, Selection, age_of, moment_since

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=timezone(timedelta(hours=2)))


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("90s", datetime(2026, 3, 1, 9, 58, 30, tzinfo=UTC)),
        ("30m", datetime(2026, 3, 1, 9, 30, tzinfo=UTC)),
        ("12h", datetime(2026, 2, 28, 22, 0, tzinfo=UTC)),
        ("7d", datetime(2026, 2, 22, 10, 0, tzinfo=UTC)),
        (" 2w ", datetime(2026, 2, 15, 10, 0, tzinfo=UTC)),
        ("2026-02-27", datetime(2026, 2, 26, 22, 0, tzinfo=UTC)),
        ("2026-02-27T14:00", datetime(2026, 2, 27, 12, 0, tzinfo=UTC)),
        ("2026-02-27 14:00:05Z", datetime(2026, 2, 27, 14, 0, 5, tzinfo=UTC)),
        ("99999999w", datetime.min.replace(tzinfo=UTC)),
        ("0001-01-01", datetime.min.replace(tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999-14:00", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_since_is_an_age_or_a_time_of_the_users_clock(text: str, moment: datetime) -> None:
    """Ages count back from now; a time without an offset is in the zone of now; what is too old is the beginning."""
    assert moment_since(text, NOW) == moment_us(moment.isoformat())


@pytest.mark.parametrize(
    "text", ["", "7", "d", "-7d", "7 days", "7d2h", "\u0667d", "1" * 5000 + "d", "yesterday", "2026-02-30"]
)
def test_a_since_that_is_no_time_says_what_would_be_one(text: str) -> None:
    """The message shows examples and the beginning of what was found."""
    with pytest.raises(UsageError, match=r"--since must be an age \(90s, .*, found '"):
        moment_since(text, NOW)


def test_an_age_is_a_number_and_a_unit() -> None:
    """Nothing else is an age."""
    assert [timedelta(days=14), None] == [age_of("2w"), age_of("2y")]


def test_a_selection_takes_by_time_and_run() -> None:
    """Both must hold; what has no time or run belongs to no selection but everything."""
    since = Selection(since_us=1_000_000)
    runs = Selection(last=1, run_ids=frozenset({"run_1"}))
    early, late = ({"ts": moment_text(us), "run_id": "run_1"} for us in (999_999, 1_000_000))
    assert [False, True] == [since.takes(early), since.takes(late)]
    assert [True, False] == [runs.takes(early), runs.takes({**early, "run_id": "run_2"})]
    assert [True, False, False] == [each.takes({}) for each in (Selection(), since, runs)]


@given(
    st.lists(st.tuples(st.integers(0, 30).map("run_{}".format), st.integers(0, 50)), max_size=200),
    st.integers(1, 5),
    st.integers(0, 200),
)
def test_the_last_runs_are_those_whose_last_event_is_latest(seen: list[tuple[str, int]], last: int, cut: int) -> None:
    """In whatever order events come, and however they are divided and put together again."""
    latest: dict[str, int] = {}
    for run_id, at_us in seen:
        latest[run_id] = max(at_us, latest.get(run_id, 0))
    expected = sorted(latest, key=lambda run_id: (latest[run_id], run_id), reverse=True)[:last]
    one, other = RecentRuns(last), RecentRuns(last)
    for run_id, at_us in seen[:cut]:
        one.see(run_id, at_us)
    for run_id, at_us in seen[cut:]:
        other.see(run_id, at_us)
    one.merge(other)
    assert frozenset(expected) == one.run_ids()


def test_any_number_of_runs_takes_little_memory() -> None:
    """No more than twice the runs that are wanted, and a few, are held; a run that comes back is not missed."""
    recent = RecentRuns(2)
    recent.see("run_back", 0)
    for number in range(5000):
        recent.see(f"run_{number:04}", number)
        assert len(recent._latest_us) <= 1004
    recent.see("run_back", 5000)
    assert frozenset({"run_4999", "run_back"}) == recent.run_ids()


@pytest.mark.parametrize("last", [0, -1, LAST_RUNS_MAX + 1])
def test_the_number_of_runs_has_limits(last: int) -> None:
    """None at all is no question, and more than a hundred thousand is no selection."""
    with pytest.raises(UsageError, match="--last must be a number of runs from 1 to 100,000, found "):
        RecentRuns(last)
