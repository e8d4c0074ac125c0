"""Evaluate: how well the repository's own commits find what they changed, in one or two ways of searching.

Owns the order of things: which commits are asked, in which order trees are gone through, what is asked when. What
counts as right and every number is `domain.evaluation`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from ..domain.errors import UsageError
from ..domain.evaluation import (
    NO_FUNCTION,
    NO_TEXT,
    NOT_INDEXED,
    Case,
    functions_touched,
    is_leaky,
    query_of,
    sample_order,
    score,
    sources_edited,
    subject_problem,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ..domain.evaluation import Commit, FileChange, Found, FunctionSpan, Score
    from ..domain.ports import Clock, CommitHistory

COMMITS = 50
COMMITS_MAX = 5000
HISTORY_MAX = 20_000
"""The newest commits that are looked at: reading what they all changed takes some seconds."""


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What is asked; `only` names the commits instead of a sample, `since` and `until` are revisions, "" for none."""

    commits: int = COMMITS
    seed: int = 0
    since: str = ""
    until: str = ""
    only: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Arm:
    """One way of searching: `move_to` takes it to the tree of a commit, the others answer there."""

    move_to: Callable[[str], None]
    is_indexed: Callable[[str], bool]
    search: Callable[[str], Sequence[Found]]


@dataclass(frozen=True, slots=True)
class SourceReader:
    """What a file is: its path as answers show it ("" for no source), and its functions (None when unreadable)."""

    source_path: Callable[[bytes], str]
    functions_of: Callable[[str, bytes], Sequence[FunctionSpan] | None]
    max_file_bytes: int


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The cases by date with one score per arm, and what became of the commits that are none.

    `examined` commits of the history were looked at, `possible` of them may be asked by subject and paths; `refused`
    counts the others by reason, and those of the possible ones that were drawn and could not be asked.
    """

    cases: tuple[tuple[Case, tuple[Score, ...]], ...]
    examined: int
    possible: int
    refused: Mapping[str, int]
    has_more: bool


def check_request(request: EvaluationRequest) -> None:
    """Refuse a number of commits out of range.

    Raises: UsageError.
    """
    if not 1 <= request.commits <= COMMITS_MAX:
        raise UsageError(f"--commits must be from 1 to {COMMITS_MAX}, found {request.commits}")


def evaluate(
    request: EvaluationRequest,
    history: CommitHistory,
    arms: Sequence[Arm],
    reader: SourceReader,
    *,
    clock: Clock,
    on_progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> Evaluation:
    """Ask a sample of the history and return every case with its scores; no eligible commit gives no cases.

    Each case is asked in the tree of its parent. The sample is drawn by seed, then gone through by date, because trees
    near in time differ little. A drawn commit whose files turn out not to be indexed is replaced by the next.

    Raises: UsageError as `check_request`; CtxError when the history cannot be read.
    """
    check_request(request)
    run = _Run(history, arms, reader, clock)
    commits = history.commits(request.since, request.until, HISTORY_MAX + 1)
    examined = commits[:HISTORY_MAX]
    if request.only:
        examined = [commit for commit in examined if commit.sha in request.only]
    possible = run.possible(examined)
    drawn = run.cases(sample_order(possible, request.seed), possible)
    wanted = len(request.only) or request.commits
    total = min(wanted, len(possible))
    while len(run.scored) < wanted:
        batch = list(islice(drawn, wanted - len(run.scored)))
        if not batch:
            break
        for case in sorted(batch, key=lambda case: (case.time_s, case.sha)):
            run.ask(case)
            on_progress(len(run.scored), total)
    return Evaluation(
        tuple(sorted(run.scored, key=lambda pair: (pair[0].time_s, pair[0].sha))),
        len(examined),
        len(possible),
        dict(sorted(run.refused.items(), key=lambda item: (-item[1], item[0]))),
        len(commits) > HISTORY_MAX,
    )


@dataclass(slots=True)
class _Run:
    history: CommitHistory
    arms: Sequence[Arm]
    reader: SourceReader
    clock: Clock
    refused: dict[str, int] = field(default_factory=dict)
    scored: list[tuple[Case, tuple[Score, ...]]] = field(default_factory=list)

    def possible(self, commits: Sequence[Commit]) -> dict[str, tuple[Commit, tuple[FileChange, ...]]]:
        """Return the commits that may be asked by what the history says of them, with their edited sources."""
        worded = []
        for commit in commits:
            if problem := subject_problem(commit):
                self._refuse(problem)
            else:
                worded.append(commit)
        found = {}
        for commit, changes in zip(worded, self.history.changes([c.sha for c in worded]), strict=True):
            edited, problem = sources_edited(changes, self.reader.source_path)
            if problem:
                self._refuse(problem)
            else:
                found[commit.sha] = (commit, edited)
        return found

    def cases(
        self, order: Sequence[str], possible: Mapping[str, tuple[Commit, tuple[FileChange, ...]]]
    ) -> Iterator[Case]:
        """Yield the cases in the order of the sample; texts are only read for those taken."""
        for sha in order:
            case = self._case(*possible[sha])
            if isinstance(case, str):
                self._refuse(case)
            else:
                yield case

    def _case(self, commit: Commit, edited: Sequence[FileChange]) -> Case | str:
        """Return the question a commit makes, or why it makes none."""
        parent = commit.parents[0]
        files: list[str] = []
        functions: list[FunctionSpan] = []
        for change in edited:
            path = self.reader.source_path(change.os_path)
            source = self.history.blob(change.old_oid, self.reader.max_file_bytes)
            known = None if source is None else self.reader.functions_of(path, source)
            if known is None:
                return NO_TEXT
            files.append(path)
            functions += functions_touched(self.history.line_runs(parent, commit.sha, change.os_path), known)
        if not functions:
            return NO_FUNCTION
        query = query_of(commit.subject)
        return Case(
            commit.sha,
            parent,
            commit.time_s,
            commit.subject,
            query,
            tuple(files),
            tuple(functions),
            is_leaky(query, files, functions),
        )

    def ask(self, case: Case) -> None:
        """Search for a case in every arm, or refuse it when an arm cannot know one of its files."""
        for arm in self.arms:
            arm.move_to(case.parent)
        if not all(arm.is_indexed(path) for arm in self.arms for path in case.files):
            self._refuse(NOT_INDEXED)
            return
        scores = []
        for arm in self.arms:
            arm.search(case.query)  # once unmeasured, so that every arm meets the same warm caches
            started_ns = self.clock.perf_counter_ns()
            found = arm.search(case.query)
            scores.append(score(case, found, self.clock.perf_counter_ns() - started_ns))
        self.scored.append((case, tuple(scores)))

    def _refuse(self, reason: str) -> None:
        self.refused[reason] = self.refused.get(reason, 0) + 1
