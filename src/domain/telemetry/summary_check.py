"""Whether `metrics.json` and `last_run.json` are as they must be, and agree with themselves and each other."""

from __future__ import annotations

from math import isclose
from typing import TYPE_CHECKING, Any

from .counters import ATTEMPTED, COUNTERS, DROPPED, RECOVERED, WRITTEN
from .event_schema import last_run_schema, metrics_schema
from .field_types import faults_of, found
from .summary import counted_blocks, rate
from .summary_fields import SUMMARY_FIELDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

METRICS = "metrics.json"
LAST_RUN = "last_run.json"


def metrics_faults(metrics: Any, *, waiting: int) -> list[str]:
    """Return what is wrong with the counters of all runs; `waiting` events are kept outside, for a later run.

    Every attempted event is written, dropped or waiting. Recovered ones may be of runs that were killed before they
    counted what they had attempted, so that more may be written than were attempted, by as many.
    """
    faults = [] if isinstance(metrics, dict) else [f"the counters must be an object, found {found(metrics)}"]
    faults += list(faults_of(metrics, metrics_schema(), "")) if isinstance(metrics, dict) else []
    if faults:
        return faults
    attempted, written, dropped, recovered = (metrics.get(name, 0) for name in (ATTEMPTED, WRITTEN, DROPPED, RECOVERED))
    lost = attempted - written - dropped - waiting
    sums = f"{attempted} attempted must be the sum of {written} written, {dropped} dropped and {waiting} waiting"
    if lost > 0:
        faults.append(f"{lost} {'event is' if lost == 1 else 'events are'} accounted for nowhere: {sums}")
    elif written + dropped - attempted > recovered:
        faults.append(f"{-lost} events too many, and {recovered} were recovered: {sums}")
    return faults


def metrics_novelties(metrics: Mapping[str, Any]) -> Iterator[str]:
    """Yield the counters that are not in the table."""
    exact = {name for name, _unit, _moved_by in COUNTERS if "<" not in name}
    open_ended = [name.split("<")[0] for name in (row[0] for row in COUNTERS) if "<" in name]
    for name in metrics:
        if name not in exact and not any(name.startswith(start) and name != start for start in open_ended):
            yield f"counter {found(name)} is not in the table"


def last_run_faults(last_run: Any) -> list[str]:
    """Return what is wrong with the summary of a run."""
    if not isinstance(last_run, dict):
        return [f"the summary must be an object, found {found(last_run)}"]
    faults = list(faults_of(last_run, last_run_schema(), ""))
    if faults:
        return faults
    for cmd, row in last_run["latencies"].items():
        p50_ms, p95_ms, max_ms = row["p50_ms"], row["p95_ms"], row["max_ms"]
        if not p50_ms <= p95_ms <= max_ms:
            faults.append(f'"latencies.{cmd}" must ascend: p50 {p50_ms:g} <= p95 {p95_ms:g} <= max {max_ms:g} ms')
    for cmd, row in last_run["tokens"].items():
        mean = rate(row["total_tokens"], row["count"])
        if not _is_same(row["total_tokens_mean"], mean):
            faults.append(
                f'"tokens.{cmd}.total_tokens_mean" must be total_tokens / count = {_spelled(mean)}, '
                f"found {_spelled(row['total_tokens_mean'])}"
            )
    faults += _block_faults(last_run, counted_blocks(last_run["metrics_delta"]))
    return faults


def last_run_novelties(last_run: Mapping[str, Any], metrics: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield what is odd about a valid summary: keys that are not in the table, counts above those of all runs."""
    known = {field[0] for field in SUMMARY_FIELDS}
    for name in last_run:
        if name not in known:
            yield f"key {found(name)} is not in the table"
    for name, count in last_run["metrics_delta"].items() if metrics is not None else ():
        if count > (metrics or {}).get(name, 0):
            yield f'"metrics_delta.{name}" is {count}, and only {(metrics or {}).get(name, 0)} in {METRICS}'


def _block_faults(last_run: Mapping[str, Any], expected: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    flat = {f"{block}.{name}": value for block, fields in expected.items() for name, value in fields.items()}
    for path, value in flat.items():
        block, _, name = path.partition(".")
        have = last_run[block].get(name)
        if isinstance(value, dict):  # a server's
            if not isinstance(have, dict):
                yield f'"{path}" is missing: "metrics_delta" counts it'
                continue
            pairs = [(f"{path}.{inner}", value[inner], have[inner]) for inner in value]
        else:
            pairs = [(path, value, have)]
        for place, counted, said in pairs:
            if not _is_same(said, counted):
                yield f'"{place}" must be {_spelled(counted)} by "metrics_delta", found {_spelled(said)}'


def _is_same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return isclose(one, other, rel_tol=1e-9)


def _spelled(number: float | None) -> str:
    return "null" if number is None else f"{number:g}" if isinstance(number, float) else str(number)
