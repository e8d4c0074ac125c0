"""The order of an evaluation, on a history that is a list and searches that are tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes import ManualClock

from ctx.application.evaluate import Arm, EvaluationRequest, SourceReader, evaluate
from ctx.domain.errors import UsageError
from ctx.domain.evaluation import (
    NO_FUNCTION,
    NO_TEXT,
    NOT_INDEXED,
    Commit,
    FileChange,
    Found,
    FunctionSpan,
    LineRun,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ctx.application.evaluate import Evaluation

SUBJECTS = ("stream the first answers", "keep the second cart", "sign the third cookie", "count the fourth lines")


class ListedHistory:
    """A line of commits that each edit `f<n>.py`; what is read is written down."""

    is_shallow = False

    def __init__(self, subjects: Sequence[str]) -> None:
        self._commits = [
            Commit(str(n), (str(n - 1),), n, "Ann", subject) for n, subject in enumerate(subjects, start=1)
        ]
        self.missing: set[str] = set()
        self.untouched: set[str] = set()
        self.blobs_read: list[str] = []

    def commits(self, since: str, until: str, limit: int) -> list[Commit]:
        return self._commits[::-1][:limit]

    def changes(self, shas: Sequence[str]) -> Iterator[tuple[FileChange, ...]]:
        for sha in shas:
            yield (FileChange(f"f{sha}.py".encode(), sha, True),)

    def line_runs(self, parent: str, sha: str, os_path: bytes) -> tuple[LineRun, ...]:
        return () if sha in self.untouched else (LineRun(2, 1),)

    def blob(self, oid: str, max_bytes: int) -> bytes | None:
        self.blobs_read.append(oid)
        return None if oid in self.missing else b"x" * min(3, max_bytes)


class ListedArm:
    """A search that finds `f<n>.py` of the tree it is at when it may, at once or only second."""

    def __init__(self, clock: ManualClock, *, unindexed: frozenset[str] = frozenset(), rank: int = 1) -> None:
        self.at = ""
        self.moves: list[str] = []
        self._clock, self._unindexed, self._rank = clock, unindexed, rank
        self.arm = Arm(self._move_to, lambda path: path not in self._unindexed, self._search)

    def _move_to(self, sha: str) -> None:
        self.at = sha
        self.moves.append(sha)

    def _search(self, _query: str) -> tuple[Found, ...]:
        self._clock.advance_ns(5)
        target = Found(f"f{int(self.at) + 1}.py", 1, 9, 10)
        return (Found("other.py", 1, 1, 1),) * (self._rank - 1) + (target,)


READER = SourceReader(
    lambda os_path: os_path.decode(), lambda path, _source: [FunctionSpan(path, "f", "f", 1, 3)], max_file_bytes=100
)


def _evaluate(
    history: ListedHistory, *arms: ListedArm, clock: ManualClock | None = None, **request: object
) -> Evaluation:
    return evaluate(
        EvaluationRequest(**request),  # type: ignore[arg-type]  # checked by the tests' own eyes
        history,
        [arm.arm for arm in arms],
        READER,
        clock=clock or ManualClock(),
    )


def test_cases_are_asked_by_date_in_the_tree_of_the_parent() -> None:
    """Whatever the sample's order, trees near in time follow each other; every arm is asked the same."""
    clock = ManualClock()
    first, second = ListedArm(clock), ListedArm(clock, rank=2)
    found = _evaluate(ListedHistory(SUBJECTS), first, second, clock=clock)
    assert ["1", "2", "3", "4"] == [case.sha for case, _scores in found.cases]
    assert ["0", "1", "2", "3"] == first.moves == second.moves
    assert [((1,), (2,))] * 4 == [(a.function_ranks, b.function_ranks) for _case, (a, b) in found.cases]
    assert {5} == {score.query_ns for _case, scores in found.cases for score in scores}
    assert (4, 4, {}, False) == (found.examined, found.possible, dict(found.refused), found.has_more)


def test_sample_is_no_larger_than_asked_and_texts_of_others_are_not_read() -> None:
    """Seeds draw different samples, one seed always the same."""
    history = ListedHistory(SUBJECTS)
    clock = ManualClock()
    drawn = {
        seed: [case.sha for case, _ in _evaluate(history, ListedArm(clock), commits=1, seed=seed).cases]
        for seed in (*range(8), *range(8))
    }
    assert {1} == {len(shas) for shas in drawn.values()}
    assert 16 == len(history.blobs_read)
    assert len({shas[0] for shas in drawn.values()}) > 1


def test_commits_that_cannot_be_asked_are_counted_and_replaced() -> None:
    """No text, no function, not indexed: each has its reason, and the sample is filled up with others."""
    history = ListedHistory((*SUBJECTS, "Release 1.2", "keep the fifth promise"))
    history.missing, history.untouched = {"1"}, {"2"}
    clock = ManualClock()
    ticks: list[tuple[int, int]] = []
    found = evaluate(
        EvaluationRequest(commits=2),
        history,
        [ListedArm(clock, unindexed=frozenset({"f3.py"})).arm],
        READER,
        clock=clock,
        on_progress=lambda done, total: ticks.append((done, total)),
    )
    assert ["4", "6"] == [case.sha for case, _scores in found.cases]
    assert (6, 5) == (found.examined, found.possible)
    assert set(found.refused) <= {NO_TEXT, NO_FUNCTION, NOT_INDEXED, "version or dependency bump"}
    assert (2, 2) == ticks[-1]
    everything = _evaluate(history, ListedArm(clock, unindexed=frozenset({"f3.py"})))
    assert {NO_TEXT: 1, NO_FUNCTION: 1, NOT_INDEXED: 1, "version or dependency bump": 1} == everything.refused


def test_named_commits_are_asked_and_no_others() -> None:
    """An earlier answer's commits come again, whatever a sample would be; unknown ones are not there."""
    found = _evaluate(ListedHistory(SUBJECTS), ListedArm(ManualClock()), only=frozenset({"2", "4", "77"}), commits=3)
    assert ["2", "4"] == [case.sha for case, _scores in found.cases]


def test_long_histories_are_cut_and_that_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the newest commits are looked at."""
    monkeypatch.setattr("ctx.application.evaluate.HISTORY_MAX", 3)
    found = _evaluate(ListedHistory(SUBJECTS), ListedArm(ManualClock()))
    assert (["2", "3", "4"], 3, True) == ([case.sha for case, _ in found.cases], found.examined, found.has_more)


def test_no_eligible_commit_is_a_result() -> None:
    """An empty history and one of releases give no cases and say why."""
    empty = _evaluate(ListedHistory(()), ListedArm(ManualClock()))
    assert ((), 0, {}) == (empty.cases, empty.examined, empty.refused)
    releases = _evaluate(ListedHistory(("Release 1.2", "Release 1.3")), ListedArm(ManualClock()))
    assert ((), {"version or dependency bump": 2}) == (releases.cases, releases.refused)


@pytest.mark.parametrize("commits", [0, -1, 5001])
def test_number_of_commits_out_of_range_is_refused(commits: int) -> None:
    """The limit is named."""
    with pytest.raises(UsageError, match=f"--commits must be from 1 to 5000, found {commits}"):
        _evaluate(ListedHistory(SUBJECTS), ListedArm(ManualClock()), commits=commits)
