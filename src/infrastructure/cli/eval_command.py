"""`ctx eval`: reads its options, wires the evaluation together, and says how it went as JSON and as text."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from ... import __version__
from ...domain.errors import UsageError
from ..answer_texts import shortened
from .runner import EXIT_NOTHING, EXIT_OK, Outcome, printable, run_command

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ...application.evaluate import Arm, Evaluation, EvaluationRequest
    from ...domain.evaluation import Case, Difference, Score, Summary
    from ..config import Config
    from ..git_history import GitHistory
    from ..replayed_tree import ReplayedTree
    from ..services import Services
    from .paint import Painter

SCHEMA = "ctx.eval/1"
COMPARABLE = ("search.limit", "search.budget", "index.max_file_bytes", "index.ignore", "tokens.encoding")
"""Settings that change what a search finds or what it is said to cost."""
_OWN_INDEX = frozenset({"index.max_file_bytes", "index.ignore", "tokens.encoding"})
_BASELINE_BYTES_MAX = 256 * 1024 * 1024
_TITLES = {
    "recall_1": "recall@1",
    "recall_5": "recall@5",
    "recall_10": "recall@10",
    "mrr": "MRR",
    "ndcg_10": "NDCG@10",
    "function_recall_10": "function recall@10",
    "tokens_to_first": "tokens to first hit",
}
_SUBJECT_CHARS_SHOWN = 100
_NAMES_SHOWN = 4


@dataclass(frozen=True, slots=True)
class EvalOptions:
    """The command line as given; None and "" stand for what was not."""

    commits: int | None = None
    seed: int | None = None
    since: str = ""
    until: str = ""
    compare: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    baseline: str = ""
    save: str = ""


def run_eval(options: EvalOptions, *, segment: str | None = None, as_json: bool = False) -> int:
    """`ctx eval`: how well the repository's own commits find what they changed."""
    mode = "compare" if options.compare or options.without else "baseline" if options.baseline else "evaluate"
    args = {"limit": options.commits, "mode": mode}

    def body(services: Services) -> Outcome:
        started_ns = perf_counter_ns()
        save_to = _save_path(options.save)
        other = _other_setting(services, options)
        baseline = _read_baseline(options.baseline) if options.baseline else None
        request = _request(options, baseline)
        evaluation, notes = _evaluate(services, request, other)
        document = _document(evaluation, request, other, baseline, perf_counter_ns() - started_ns)
        if save_to:
            from ..atomic_file import write_json

            write_json(save_to, document)
        notes += _notes_on(evaluation, baseline, request)
        recall = document["all"].get("recall_10")
        return Outcome(
            document,
            lambda paint: _text(evaluation, document, paint),
            EXIT_OK if evaluation.cases else EXIT_NOTHING,
            args={**args, "limit": request.commits},
            result={
                "status": "ok" if evaluation.cases else "nothing",
                "commits": len(evaluation.cases),
                "recall_10": recall["mean"] if recall else None,
            },
            notes=notes,
        )

    return run_command("eval", body, segment=segment, as_json=as_json, args=args)


# ---------------------------------------------------------------------- options


@dataclass(frozen=True, slots=True)
class _OtherSetting:
    """What is compared with the settings in force: a name for people, other settings, stages left out."""

    name: str
    config: Config
    without: tuple[str, ...]
    needs_own_index: bool


def _other_setting(services: Services, options: EvalOptions) -> _OtherSetting | None:
    if not options.compare and not options.without:
        return None
    if options.baseline:
        raise UsageError("--baseline compares with a file and --compare and --without with a setting; give one of them")
    from ...application.search import SearchRequest, check_request
    from ...domain.ranking import STAGES
    from ..config import SETTINGS, load_config

    variables = {setting.name: setting.variable for setting in SETTINGS if setting.name in COMPARABLE}
    changed: dict[str, str] = {}
    for pair in options.compare:
        key, _equals, text = pair.partition("=")
        if key not in variables or not text:
            raise UsageError(f"--compare {pair[:80]}: give KEY=VALUE with one of {', '.join(COMPARABLE)}")
        changed[key] = text
    for stage in options.without:
        if stage not in STAGES:
            raise UsageError(f"--without {stage[:80]}: no stage of the ranking; it is {', '.join(STAGES)}")
    segment = services.segment
    # As the environment would have it: one place reads and checks the text of a setting.
    environment = {**os.environ, **{variables[key]: text for key, text in changed.items()}}
    try:
        config = load_config(segment, environment)
    except UsageError as error:
        message = str(error)
        for key in changed:
            message = message.replace(variables[key], f"--compare {key}")
        raise UsageError(message) from None
    check_request(
        SearchRequest("any", limit=config.number("search.limit"), budget_tokens=config.number("search.budget"))
    )
    name = ", ".join((*options.compare, *(f"without {stage}" for stage in options.without)))
    return _OtherSetting(name, config, options.without, not _OWN_INDEX.isdisjoint(changed))


def _request(options: EvalOptions, baseline: _Baseline | None) -> EvaluationRequest:
    from ...application.evaluate import COMMITS, EvaluationRequest, check_request

    if baseline is None:
        request = EvaluationRequest(
            COMMITS if options.commits is None else options.commits, options.seed or 0, options.since, options.until
        )
        check_request(request)
        return request
    given = (options.commits is not None, options.seed is not None, bool(options.since), bool(options.until))
    named = ("--commits", "--seed", "--since", "--until")
    for is_given, option in zip(given, named, strict=True):
        if is_given:
            raise UsageError(f"--baseline asks the commits of that file again; leave out {option}")
    return EvaluationRequest(len(baseline.records), baseline.seed, "", baseline.newest, frozenset(baseline.records))


def _save_path(path: str) -> str:
    """Return where the answer is saved; looked at before the work, not after it."""
    if not path:
        return ""
    full = os.path.abspath(path)
    if os.path.isdir(full):
        raise UsageError(f"--save {path}: a directory; give a file")
    if not os.path.isdir(os.path.dirname(full)):
        raise UsageError(f"--save {path}: there is no such folder; make it, or give another file")
    return full


# ---------------------------------------------------------------------- an earlier answer


@dataclass(frozen=True, slots=True)
class _Baseline:
    """What an earlier answer says: its commits by id, with their metrics."""

    name: str
    version: str
    seed: int
    newest: str
    records: Mapping[str, _BaselineRecord]


@dataclass(frozen=True, slots=True)
class _BaselineRecord:
    query: str
    metrics: Mapping[str, float]


def _read_baseline(path: str) -> _Baseline:
    """Read a file that `--json` or `--save` wrote.

    Raises: UsageError for anything else.
    """
    import json

    from ...domain.evaluation import METRICS

    what = f"--baseline {path}"
    try:
        with open(path, "rb") as file:
            raw = file.read(_BASELINE_BYTES_MAX + 1)
    except OSError as error:
        raise UsageError(f"{what}: cannot be read ({error.strerror}); give what `ctx eval --save FILE` wrote") from None
    wrong = UsageError(f"{what}: not an answer of `ctx eval --json` with commits in it; write one with --save")
    if len(raw) > _BASELINE_BYTES_MAX:
        raise wrong
    try:
        document = json.loads(raw)
        if document["schema"] != SCHEMA:
            raise wrong
        records = {
            str(record["sha"]): _BaselineRecord(
                str(record["query"]), {name: float(record["metrics"][name]) for name in METRICS}
            )
            for record in document["commits"]
        }
        if not records:
            raise wrong
        return _Baseline(
            os.path.basename(path), str(document["version"]), int(document["seed"]), str(document["newest"]), records
        )
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise wrong from None


# ---------------------------------------------------------------------- the work


def _evaluate(
    services: Services, request: EvaluationRequest, other: _OtherSetting | None
) -> tuple[Evaluation, list[str]]:
    from ...application.evaluate import evaluate
    from ..git_history import GitHistory
    from ..replayed_tree import ReplayedTree, source_reader, temporary_folder

    with ExitStack() as stack:
        history = stack.enter_context(GitHistory(services.segment))
        folder = stack.enter_context(temporary_folder())

        def replayed(name: str, config: Config) -> ReplayedTree:
            at = os.path.join(folder, name)
            os.mkdir(at)
            tree = ReplayedTree(at, history, config)
            stack.callback(tree.close)
            return tree

        tree = replayed("a", services.config)
        arms: list[Arm] = [tree.arm(services.config)]
        if other is not None:
            its_tree = replayed("b", other.config) if other.needs_own_index else tree
            arms.append(its_tree.arm(other.config, frozenset(other.without)))
        with _progress() as tell:
            evaluation = evaluate(
                request, history, arms, source_reader(services.config), clock=services.clock, on_progress=tell
            )
        return evaluation, _notes_on_history(history, tree, evaluation.examined)


def _notes_on_history(history: GitHistory, tree: ReplayedTree, examined: int) -> list[str]:
    notes = []
    if history.is_shallow:
        notes.append(f"a shallow clone: its {examined} commits are asked; `git fetch --unshallow` gets the rest")
    if tree.files_left_out:
        notes.append(
            f"{tree.files_left_out} files of the replayed trees were left out: over the size limit, missing from the "
            "repository, or not possible on this disk"
        )
    return notes


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """Give a function to tell (done, total) to; a bar on a terminal's standard error, nothing in a pipe.

    The bar of `runner.progress` is for files: it stays away below 200 of them, and a commit takes longer than a file.
    """
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("asking commits", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


# ---------------------------------------------------------------------- the answer


def _document(
    evaluation: Evaluation,
    request: EvaluationRequest,
    other: _OtherSetting | None,
    baseline: _Baseline | None,
    duration_ns: int,
) -> dict[str, Any]:
    from ...domain.evaluation import summarize

    cases = evaluation.cases
    groups = {
        "all": cases,
        "clean": [pair for pair in cases if not pair[0].leaky],
        "leaky": [pair for pair in cases if pair[0].leaky],
    }
    newest = max(cases, key=lambda pair: pair[0].time_s)[0].sha if cases else ""
    document: dict[str, Any] = {
        "schema": SCHEMA,
        "version": __version__,
        "seed": request.seed,
        "newest": newest,
        "examined": evaluation.examined,
        "examined_all": not evaluation.has_more,
        "possible": evaluation.possible,
        "refused": dict(evaluation.refused),
    }
    for name, group in groups.items():
        document[name] = _summary_document(summarize([scores[0] for _case, scores in group], request.seed))
    if other is not None and cases:
        document["compare"] = {
            "with": other.name,
            "all": _summary_document(summarize([scores[1] for _case, scores in cases], request.seed)),
            "difference": _differences(
                [_metrics(scores[0]) for _case, scores in cases],
                [_metrics(scores[1]) for _case, scores in cases],
                request.seed,
            ),
        }
    if baseline is not None:
        shared = [pair for pair in cases if pair[0].sha in baseline.records]
        document["baseline"] = {
            "with": baseline.name,
            "version": baseline.version,
            "commits": len(shared),
            "missing": len(baseline.records) - len(shared),
            "difference": _differences(
                [baseline.records[case.sha].metrics for case, _scores in shared],
                [_metrics(scores[0]) for _case, scores in shared],
                request.seed,
            ),
        }
    document["commits"] = [_case_document(case, scores) for case, scores in cases]
    document["took_ms"] = round(duration_ns / 1e6, 3)
    return document


def _metrics(score: Score) -> dict[str, float]:
    from ...domain.evaluation import METRICS

    return {name: round(measure(score), 6) for name, measure in METRICS.items()}


def _differences(
    before: Sequence[Mapping[str, float]], after: Sequence[Mapping[str, float]], seed: int
) -> dict[str, Any]:
    from ...domain.evaluation import METRICS, SMALLER_IS_BETTER, paired

    if not before:
        return {}
    return {
        name: _difference_document(
            paired(
                [m[name] for m in before], [m[name] for m in after], seed, smaller_is_better=name in SMALLER_IS_BETTER
            )
        )
        for name in METRICS
    }


def _difference_document(difference: Difference) -> dict[str, Any]:
    return {
        "mean": round(difference.mean, 6),
        "interval": [round(difference.low, 6), round(difference.high, 6)],
        "p": round(difference.p, 6),
        "better": difference.better,
        "worse": difference.worse,
    }


def _summary_document(summary: Summary) -> dict[str, Any]:
    document: dict[str, Any] = {"commits": summary.commits}
    for name, (mean, low, high) in summary.estimates.items():
        document[name] = {"mean": round(mean, 6), "interval": [round(low, 6), round(high, 6)]}
    if summary.commits:
        document["query_ms_p50"] = round(summary.query_ns_p50 / 1e6, 3)
        document["query_ms_p95"] = round(summary.query_ns_p95 / 1e6, 3)
    return document


def _case_document(case: Case, scores: Sequence[Score]) -> dict[str, Any]:
    document: dict[str, Any] = {
        "sha": case.sha,
        "parent": case.parent,
        "date": datetime.fromtimestamp(case.time_s, UTC).isoformat(timespec="seconds"),
        "subject": case.subject,
        "query": case.query,
        "leaky": case.leaky,
        "truth": {
            "files": list(case.files),
            "functions": [
                {"path": f.path, "qualname": f.qualname, "start_line": f.start_line, "end_line": f.end_line}
                for f in case.functions
            ],
        },
        **_score_document(scores[0]),
    }
    if len(scores) > 1:
        document["compare"] = _score_document(scores[1])
    return document


def _score_document(score: Score) -> dict[str, Any]:
    return {
        "hits": score.hits,
        "ranks": {"files": list(score.file_ranks), "functions": list(score.function_ranks)},
        "metrics": _metrics(score),
        "query_ms": round(score.query_ns / 1e6, 3),
    }


def _notes_on(evaluation: Evaluation, baseline: _Baseline | None, request: EvaluationRequest) -> list[str]:
    notes = []
    if not evaluation.cases:
        if evaluation.refused:
            reasons = ", ".join(f"{count} {reason}" for reason, count in evaluation.refused.items())
            notes.append(f"none of {evaluation.examined} commits can be asked: {reasons}")
        elif not evaluation.examined and (asked_range := _range_text(request)):
            notes.append(f"{asked_range} leaves no commit that touches this segment; name other revisions")
        else:
            notes.append("no commit of the history touches this segment; name a folder that has a history (--segment)")
    if evaluation.has_more:
        notes.append(f"only the newest {evaluation.examined} commits were looked at")
    if baseline is not None:
        asked = {case.sha: case for case, _scores in evaluation.cases}
        if missing := sum(sha not in asked for sha in baseline.records):
            notes.append(f"{missing} of the {len(baseline.records)} commits of {baseline.name} cannot be asked here")
        otherwise = sum(sha in asked and asked[sha].query != r.query for sha, r in baseline.records.items())
        if otherwise:
            notes.append(f"{otherwise} commits are asked in other words than in {baseline.name}")
    return notes


def _range_text(request: EvaluationRequest) -> str:
    """Return the range of commits as it was asked for, "" for all of them."""
    given = (("--since", request.since), ("--until", request.until))
    return " ".join(f"{option} {shortened(printable(revision))}" for option, revision in given if revision)


def _text(evaluation: Evaluation, document: dict[str, Any], paint: Painter) -> str:
    cases = evaluation.cases
    if not cases:
        return ""
    first = (
        f"{paint('number', len(cases))} commits asked of {evaluation.possible} possible ones "
        f"({evaluation.examined} looked at, seed {document['seed']}) in {document['took_ms'] / 1000:.1f} s"
    )
    lines = [first, "", *_table(document, paint)]
    for key, title in (("compare", "{with} (instead of the settings in force)"), ("baseline", "since {with}")):
        if part := document.get(key):
            lines += ["", paint("name", title.format(**part)), *_difference_table(part["difference"], paint)]
    return "\n".join((*lines, *_worst(cases, paint)))


def _table(document: dict[str, Any], paint: Painter) -> list[str]:
    groups = [(name, document[name]) for name in ("all", "clean", "leaky") if document[name]["commits"]]
    heads = [f"{name} ({group['commits']})" for name, group in groups]
    lines = [" " * 20 + "".join(f"{head:>27}" for head in heads)]
    for key, title in _TITLES.items():
        cells = "".join(f"{_estimate_text(key, group[key]):>27}" for _name, group in groups)
        lines.append(f"{title:<20}{cells}")
    for key, title in (("query_ms_p50", "query ms p50"), ("query_ms_p95", "query ms p95")):
        lines.append(f"{title:<20}" + "".join(f"{group[key]:>27.1f}" for _name, group in groups))
    lines[0] = paint("quiet", lines[0])
    return lines


def _estimate_text(key: str, estimate: dict[str, Any]) -> str:
    low, high = estimate["interval"]
    return f"{_number(key, estimate['mean'])} [{_number(key, low)}, {_number(key, high)}]"


def _number(key: str, value: float, sign: str = "") -> str:
    return f"{value:{sign},.0f}" if key == "tokens_to_first" else f"{value:{sign}.3f}"


def _difference_table(differences: dict[str, Any], paint: Painter) -> list[str]:
    lines = [paint("quiet", f"{'':<20}{'difference':>30}{'p':>9}{'better':>8}{'worse':>7}")]
    for key, title in _TITLES.items():
        if key in differences:
            d = differences[key]
            low, high = (_number(key, end, "+") for end in d["interval"])
            change = f"{_number(key, d['mean'], '+')} [{low}, {high}]"
            lines.append(f"{title:<20}{change:>30}{d['p']:>9.4f}{d['better']:>8}{d['worse']:>7}")
    return lines


def _worst(cases: Sequence[tuple[Case, tuple[Score, ...]]], paint: Painter) -> Iterator[str]:
    from ...domain.evaluation import WORST_SHOWN, worst_first

    shown = worst_first((case, scores[0]) for case, scores in cases)[:WORST_SHOWN]
    yield ""
    yield paint("quiet", "worst")
    for case, score in shown:
        query = case.query if len(case.query) <= _SUBJECT_CHARS_SHOWN else case.query[: _SUBJECT_CHARS_SHOWN - 1] + "…"
        yield f"{paint('kind', case.sha[:10])} {paint('name', query)}"
        for path, rank in zip(case.files, score.file_ranks, strict=True):
            names = list(dict.fromkeys(f.qualname for f in case.functions if f.path == path))
            more = f" and {len(names) - _NAMES_SHOWN} more" if len(names) > _NAMES_SHOWN else ""
            expected = paint.safe(f" ({', '.join(names[:_NAMES_SHOWN])}{more})") if names else ""
            where = "not found" if rank is None else f"file {rank}"
            yield f"  {paint('path', path)}{expected}: {where}"
