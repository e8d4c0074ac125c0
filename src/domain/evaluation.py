"""What a repository's own history says about retrieval: which commits can be asked, what is right, how well it went.

The subject of a commit is the question, the tree before it is what is searched, the functions it changed are the
answer. Owns eligibility, truth, metrics, intervals and the paired comparison. Reading a history is
`infrastructure.git_history`, the order of things `application.evaluate`.
"""

from __future__ import annotations

import hashlib
import math
import random
import re
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, NamedTuple

from .identifiers import words_of
from .ranking import is_test_path
from .statistics import percentile_rank

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

DEPTH = 10
"""Results that count for the ranking metrics, whatever a setting hands out."""
TOKENS_WITHOUT_HIT = 32_000
"""Charged when no result shows a changed function: about what reading on by hand costs."""
SOURCE_FILES_MAX = 3
"""A commit that changes more is rarely about what its subject says."""
QUERY_WORDS_MIN = 3
BOOTSTRAP_ROUNDS = 1000
FLIP_ROUNDS = 10_000
FLIPS_EXACT_MAX = 12
"""Up to 2 to the power of this many sign patterns are counted out, not drawn."""
WORST_SHOWN = 5


# --- a history ------------------------------------------------------------------------------------------------------


class Commit(NamedTuple):
    """One commit as its history tells it; `time_s` is the committer's date in seconds since 1970."""

    sha: str
    parents: tuple[str, ...]
    time_s: int
    author: str
    subject: str


class FileChange(NamedTuple):
    """One changed path of a commit against its parent; the object id is of the parent's side, zeros for a new file.

    `is_edit` is true for a regular file that is one before and after and whose content differs.
    """

    os_path: bytes
    old_oid: str
    is_edit: bool


class LineRun(NamedTuple):
    """Lines of the parent's side that a change replaces, 1-based; 0 of them for an insertion after line `start`."""

    start: int
    lines: int


class FunctionSpan(NamedTuple):
    """A function as it stands before the change; lines 1-based and inclusive."""

    path: str
    name: str
    qualname: str
    start_line: int
    end_line: int


class Found(NamedTuple):
    """One result of a search: lines 1-based and inclusive, `tokens` is what reading them costs."""

    path: str
    start_line: int
    end_line: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Case:
    """One question with its right answer: the changed files and functions, in the tree of `parent`."""

    sha: str
    parent: str
    time_s: int
    subject: str
    query: str
    files: tuple[str, ...]
    functions: tuple[FunctionSpan, ...]
    leaky: bool


# --- subjects -------------------------------------------------------------------------------------------------------

_TICKET = r"(?:(?:[\w.-]+/[\w.-]+)?[#]|\bgh-|\bbpo-)\d+\b"
_TICKETS = rf"{_TICKET}(?:(?:\s*,\s*|\s+and\s+|\s*&\s*){_TICKET})*"
_CLOSING = r"(?:\b(?:close[sd]?|fix(?:e[sd])?|resolve[sd]?|refs?|re|see|via|issues?|pr|pull\ request):?\s+)"
_LEADING = re.compile(
    rf"""\s*(?:
      (?:build|chore|ci|deps|docs?|enhancement|feat(?:ure)?|fix|bug(?:fix)?|hotfix|improvement|perf|refactor|revert|style
        |tests?|types?|wip)(?:\([^)]*\))?!?:\s
      | :[a-z0-9_+-]+:                             # :bug:
      | \[[^\]]*\]                                 # [3.12], [ABC-12]
      | (?-i:[A-Z][A-Z0-9]+-\d+:)                  # ABC-12:
      | {_CLOSING}?{_TICKETS}\s*(?:--|[-:,.])       # Fixed #12 --, gh-12:
    )\s*""",
    re.VERBOSE | re.IGNORECASE,
)
_TRAILING = re.compile(
    rf"[\s,;:.(\[-]*(?:\b(?:after|by|for|from|in|of|on|to)\s+)?{_CLOSING}{{0,2}}{_TICKETS}[)\]\s.,;]*$",
    re.VERBOSE | re.IGNORECASE,
)
_SOMEWHERE = re.compile(rf"\(\s*{_CLOSING}?{_TICKETS}\s*\)|{_TICKETS}", re.VERBOSE | re.IGNORECASE)

_BOT = re.compile(
    r"\[bot\]|\b(?:dependabot|renovate|greenkeeper|pyup|snyk|github.actions|pre-commit-ci|allcontributors|bot)\b",
    re.IGNORECASE,
)
_REVERT = re.compile(r"\W*(?:(?:revert|reverted|reverts|reapply)\b|(?:fixup|squash|amend)!)", re.IGNORECASE)
_VERSION = re.compile(
    r"""\W*(?: (?:(?:prepare|preparing|start|begin|cut|tag|make|draft)\s+)?(?:for\s+)?(?:the\s+)?(?:(?:new|next)\s+)?
        (?:release|version|releasing)\s*(?:v?\d|$|notes|candidate)
      | v?\d+\.\d+[\w.]*\s*(?:release|$)
      | (?:bump|upgrade|update|pin|unpin)(?:s|e?d|p?ing)?\b.*\b
        (?:version|versions|requirements?|dependenc\w+|deps|to\s+v?\d+\.\d+[\w.]*)
      | (?:upgrade|update)d?\ to\ (?:the\ )?(?:latest|newest)\b
      | bump\b | (?:post|pre)-?release | back\ to\ dev\w* | changelog\b )""",
    re.IGNORECASE | re.VERBOSE,
)
_FORMATTING = re.compile(
    r"""\W*(?: (?:(?:run|ran|apply|applied|use)\s+)?
        (?:black|isort|ruff|flake8|pyflakes|pylint|prettier|eslint|gofmt|goimports|rustfmt|clippy|rubocop|clang-format
          |autopep8|pyupgrade|blacken(?:ed)?)\b
      | (?:re)?format(?:ted|ting)?\s*
        (?:$|(?:the\s+)?(?:code|files?|all|everything|with|using|sources?|code\s?base|fix\w*))
      | (?:fix(?:e[sd])?|clean\s?up|correct(?:ed)?|more)\s+(?:\w+\s+)?
        (?:lint\w*|flake8|pep\s?8|formatting|code\ style|whitespaces?|typos?|spelling|indent\w*)\b
      | (?:lint\w*|pep\s?8|typos?|spelling|whitespaces?|trailing\ whitespace|code\ style|indentation)\b )""",
    re.IGNORECASE | re.VERBOSE,
)


def query_of(subject: str) -> str:
    """Return a subject as somebody would ask it: without ticket numbers, conventional-commit prefixes and `(#123)`."""
    text = " ".join(subject.split())
    while True:
        shorter = _LEADING.sub("", text, count=1) if _LEADING.match(text) else text
        shorter = _TRAILING.sub("", shorter)
        if shorter == text:
            break
        text = shorter
    return " ".join(_SOMEWHERE.sub(" ", text).split()).strip(" -:;,.")


MERGE = "merge"
ROOT = "no parent"
BOT = "by a bot"
REVERT = "revert or fixup"
VERSION = "version or dependency bump"
FORMATTING = "formatting, lint or typo"
TOO_SHORT = f"fewer than {QUERY_WORDS_MIN} words left of the subject"
NO_SOURCE = "no source file changed"
ONLY_TESTS = "only tests changed"
TOO_MANY = f"more than {SOURCE_FILES_MAX} source files changed"
ONLY_NEW = "source files only added, removed or moved"
NO_TEXT = "text before the change is missing, too large or binary"
NO_FUNCTION = "no existing function changed"
NOT_INDEXED = "changed file is not indexed"


def subject_problem(commit: Commit) -> str:
    """Return why a commit is no question by what its history says of it, "" when it may be one."""
    if len(commit.parents) != 1:
        return MERGE if commit.parents else ROOT
    if _BOT.search(commit.author):
        return BOT
    query = query_of(commit.subject)
    for pattern, problem in ((_REVERT, REVERT), (_VERSION, VERSION), (_FORMATTING, FORMATTING)):
        if pattern.match(commit.subject) or pattern.match(query):
            return problem
    return "" if len(words_of(query)) >= QUERY_WORDS_MIN else TOO_SHORT


def sources_edited(
    changes: Sequence[FileChange], source_path: Callable[[bytes], str]
) -> tuple[tuple[FileChange, ...], str]:
    """Return the edited source files that are not tests, and why the commit is no question ("" when it may be one).

    `source_path` gives the path as answers show it, "" for what is no source. Files added or removed count towards
    `SOURCE_FILES_MAX`; they cannot be found before they exist, and a removed one may only have moved.
    """
    named = [(change, path) for change in changes if (path := source_path(change.os_path))]
    sources = [change for change, path in named if not is_test_path(path)]
    if not sources:
        return (), ONLY_TESTS if named else NO_SOURCE
    if len(sources) > SOURCE_FILES_MAX:
        return (), TOO_MANY
    edited = tuple(change for change in sources if change.is_edit)
    return edited, "" if edited else ONLY_NEW


def functions_touched(runs: Iterable[LineRun], functions: Sequence[FunctionSpan]) -> tuple[FunctionSpan, ...]:
    """Return the innermost functions that hold a replaced line or an insertion, in source order.

    An insertion belongs to a function when it stands between two of its lines: after the last one it is as likely the
    start of a new function.
    """
    touched = set()
    for run in runs:
        if run.lines:
            for line in range(run.start, run.start + run.lines):
                touched.add(_innermost(functions, line, line))
        else:
            touched.add(_innermost(functions, run.start, run.start + 1))
    return tuple(function for at, function in enumerate(functions) if at in touched)


def _innermost(functions: Sequence[FunctionSpan], first: int, last: int) -> int:
    """Return the position of the smallest function that holds both lines, -1 without one."""
    best, best_lines = -1, math.inf
    for at, function in enumerate(functions):
        lines = function.end_line - function.start_line
        if function.start_line <= first and last <= function.end_line and lines <= best_lines:
            best, best_lines = at, lines
    return best


def is_leaky(query: str, files: Iterable[str], functions: Iterable[FunctionSpan]) -> bool:
    """Tell whether a query names what it is to find: the stem of a changed file, or a changed function."""
    said = [word.lower() for word in words_of(query)]
    stems = (path.rpartition("/")[2].partition(".")[0] for path in files)
    for name in (*stems, *(function.name for function in functions)):
        parts = [word.lower() for word in words_of(name)]
        if parts and any(said[at : at + len(parts)] == parts for at in range(len(said))):
            return True
    return False


def sample_order(shas: Iterable[str], seed: int) -> list[str]:
    """Return the ids in the order a sample takes them.

    By a hash of seed and id, not by shuffling: the same commits stay in the sample when the history grows by some.
    """
    return sorted(shas, key=lambda sha: (hashlib.sha256(f"{seed}:{sha}".encode()).digest(), sha))


# --- metrics --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Score:
    """How one search did.

    Ranks are 1-based, None for what was not found, in the order of the case's files and functions. A file's rank
    counts files in the order of their first result, a function's rank counts results. `query_ns` is the time the
    search took in this process.
    """

    hits: int
    file_ranks: tuple[int | None, ...]
    function_ranks: tuple[int | None, ...]
    tokens_to_first: int
    query_ns: int

    def recall(self, depth: int) -> float:
        """Return the share of the changed files among the first `depth` files of the first ten results."""
        return sum(rank is not None and rank <= depth for rank in self.file_ranks) / len(self.file_ranks)

    @property
    def function_recall(self) -> float:
        """The share of the changed functions that one of the first ten results overlaps."""
        return sum(rank is not None for rank in self.function_ranks) / len(self.function_ranks)

    @property
    def reciprocal_rank(self) -> float:
        """1 divided by the rank of the first changed file, 0 without one."""
        return 1 / min((rank for rank in self.file_ranks if rank is not None), default=math.inf)

    @property
    def ndcg(self) -> float:
        """Binary NDCG@10 by file: gain 1 for a changed file, discount log2(rank + 1).

        Source: Järvelin and Kekäläinen, Cumulated gain-based evaluation of IR techniques, TOIS 20(4), 2002, with the
        discount log2(rank + 1) of Burges et al. 2005.
        """
        gained = sum(1 / math.log2(rank + 1) for rank in self.file_ranks if rank is not None)
        return gained / sum(1 / math.log2(rank + 1) for rank in range(1, min(DEPTH, len(self.file_ranks)) + 1))


def score(case: Case, found: Sequence[Found], query_ns: int) -> Score:
    """Return how a search for a case did; only the first ten results count, for the tokens all of them."""
    top = found[:DEPTH]
    files = list(dict.fromkeys(hit.path for hit in top))
    spent, tokens_to_first = 0, TOKENS_WITHOUT_HIT
    for hit in found:
        spent += hit.tokens
        if any(_overlaps(hit, function) for function in case.functions):
            tokens_to_first = min(spent, TOKENS_WITHOUT_HIT)
            break
    return Score(
        len(found),
        tuple(files.index(path) + 1 if path in files else None for path in case.files),
        tuple(
            next((at for at, hit in enumerate(top, 1) if _overlaps(hit, function)), None) for function in case.functions
        ),
        tokens_to_first,
        query_ns,
    )


def _overlaps(hit: Found, function: FunctionSpan) -> bool:
    return hit.path == function.path and hit.start_line <= function.end_line and function.start_line <= hit.end_line


METRICS: Mapping[str, Callable[[Score], float]] = {
    "recall_1": lambda s: s.recall(1),
    "recall_5": lambda s: s.recall(5),
    "recall_10": lambda s: s.recall(10),
    "mrr": lambda s: s.reciprocal_rank,
    "ndcg_10": lambda s: s.ndcg,
    "function_recall_10": lambda s: s.function_recall,
    "tokens_to_first": lambda s: float(s.tokens_to_first),
}
"""Every metric that is a mean over commits, by its key in the JSON; larger is better but for the tokens."""
SMALLER_IS_BETTER = frozenset({"tokens_to_first"})


class Estimate(NamedTuple):
    """A mean with its 95 % interval."""

    mean: float
    low: float
    high: float


def estimate(values: Sequence[float], seed: int) -> Estimate:
    """Return the mean of at least one value and its percentile bootstrap interval over the commits.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, section 13.3; `BOOTSTRAP_ROUNDS` resamples.
    """
    draw = random.Random(seed)  # noqa: S311 - a reproducible sample, no secret
    count = len(values)
    means = sorted(sum(draw.choices(values, k=count)) / count for _ in range(BOOTSTRAP_ROUNDS))
    low = means[percentile_rank(len(means), numerator=25, denominator=1000)]
    high = means[percentile_rank(len(means), numerator=975, denominator=1000)]
    return Estimate(sum(values) / count, low, high)


@dataclass(frozen=True, slots=True)
class Summary:
    """A group of commits in numbers; the estimates go by the keys of `METRICS` and are empty for no commits."""

    commits: int
    estimates: Mapping[str, Estimate]
    query_ns_p50: int
    query_ns_p95: int


def summarize(scores: Sequence[Score], seed: int) -> Summary:
    """Return the metrics of a group."""
    if not scores:
        return Summary(0, {}, 0, 0)
    times = sorted(s.query_ns for s in scores)
    return Summary(
        len(scores),
        {name: estimate([measure(s) for s in scores], seed) for name, measure in METRICS.items()},
        times[percentile_rank(len(times), numerator=50, denominator=100)],
        times[percentile_rank(len(times), numerator=95, denominator=100)],
    )


def worst_first(pairs: Iterable[tuple[Case, Score]]) -> list[tuple[Case, Score]]:
    """Return cases with their scores, those that went worst first; ties go by date, the latest first."""
    return sorted(
        pairs,
        key=lambda pair: (
            pair[1].ndcg,
            pair[1].function_recall,
            -pair[1].tokens_to_first,
            -pair[0].time_s,
            pair[0].sha,
        ),
    )


# --- comparing ------------------------------------------------------------------------------------------------------


class Difference(NamedTuple):
    """What changed between two ways of answering the same questions: after minus before.

    `p` is the probability of a mean difference at least this large if the two were interchangeable.
    """

    mean: float
    low: float
    high: float
    p: float
    better: int
    worse: int


def paired(
    before: Sequence[float], after: Sequence[float], seed: int, *, smaller_is_better: bool = False
) -> Difference:
    """Compare at least one pair of values, each pair of the same commit; two-sided.

    Source: Fisher's randomization test (The Design of Experiments, 1935) as recommended for retrieval by Smucker, Allan
    and Carterette, CIKM 2007: signs of the differences are flipped in every way for few pairs that differ, else
    `FLIP_ROUNDS` times at random with the +1 correction of Davison and Hinkley 1997, so p is never 0.

    Raises: ValueError when the two are not equally long.
    """
    differences = [b - a for a, b in zip(before, after, strict=True)]
    gains = [-d if smaller_is_better else d for d in differences]
    interval = estimate(differences, seed)
    return Difference(
        *interval,
        _flip_probability([d for d in differences if d], seed),
        sum(gain > 0 for gain in gains),
        sum(gain < 0 for gain in gains),
    )


def _flip_probability(differences: Sequence[float], seed: int) -> float:
    # Sums that differ only by rounding must count as equal.
    observed = abs(sum(differences)) * (1 - 1e-9)
    if len(differences) <= FLIPS_EXACT_MAX:
        sums = [abs(sum(flipped)) for flipped in product(*((d, -d) for d in differences))]
        return sum(total >= observed for total in sums) / len(sums)
    draw = random.Random(seed)  # noqa: S311 - a reproducible sample, no secret
    count = len(differences)
    as_large = 0
    for _ in range(FLIP_ROUNDS):
        bits = draw.getrandbits(count)
        as_large += abs(sum(d if bits >> at & 1 else -d for at, d in enumerate(differences))) >= observed
    return (as_large + 1) / (FLIP_ROUNDS + 1)
