"""Counters and latencies of records as OTLP metrics: cumulative sums, and histograms with exponential buckets.

Sums are monotonic and cumulative from the first event on. A histogram's scale is the finest at which its samples fit
into `BUCKETS_MAX` buckets (OpenTelemetry's "ExponentialHistogram": bucket i holds base**i < x <= base**(i + 1), where
base = 2**(2**-scale)). Events of one segment are one resource, whoever wrote them.
"""

from __future__ import annotations

from math import ceil, log2
from typing import TYPE_CHECKING, Any

from .counters import DROPPED, SERVER_FIGURES, fixed_counters, variable_counters
from .events import is_lsp_request
from .otlp import SCHEMA_URL, attributes, instance_id, lsp_method, scope
from .records import INTEGER_MAX
from .spans import failure_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .records import Record

    Json = dict[str, Any]
    Labels = tuple[tuple[str, Any], ...]

BUCKETS_MAX = 160
SERIES_MAX = 2000
"""Names come out of files; beyond so many of one metric all others are one, as OpenTelemetry's limit has it."""
_SCALE = 7
_SEGMENTS_MAX = 1000
_CUMULATIVE = 2
_OVERFLOW: Labels = (("otel.metric.overflow", True),)
_OF_SERVERS = tuple(f"lsp_{figure}_" for figure in SERVER_FIGURES)
_SECOND_NS = 1e9


class ExponentialHistogram:
    """Samples in nanoseconds, told in seconds."""

    __slots__ = ("_counts", "count", "max_ns", "min_ns", "sum_ns", "zeros")

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self.count = self.zeros = self.sum_ns = self.max_ns = 0
        self.min_ns = -1

    def add(self, sample_ns: int) -> None:
        """Add a sample of 0 or more."""
        self.count += 1
        self.sum_ns += sample_ns
        self.max_ns = max(self.max_ns, sample_ns)
        self.min_ns = sample_ns if self.min_ns < 0 else min(self.min_ns, sample_ns)
        if sample_ns:
            at = ceil(log2(sample_ns / _SECOND_NS) * (1 << _SCALE)) - 1
            self._counts[at] = self._counts.get(at, 0) + 1
        else:
            self.zeros += 1

    def point(self) -> Json:
        """Return scale, buckets and sums, for at least one sample."""
        counts, scale = self._counts, _SCALE
        while counts and max(counts) - min(counts) >= BUCKETS_MAX:
            scale -= 1
            halved: dict[int, int] = {}
            for at, count in counts.items():
                halved[at >> 1] = halved.get(at >> 1, 0) + count
            counts = halved
        made: Json = {"count": str(self.count), "sum": self.sum_ns / _SECOND_NS, "scale": scale}
        if self.zeros:
            made["zeroCount"] = str(self.zeros)
        if counts:
            first = min(counts)
            made["positive"] = {"bucketCounts": [str(counts.get(at, 0)) for at in range(first, max(counts) + 1)]}
            if first:
                made["positive"]["offset"] = first
        return made | {"min": self.min_ns / _SECOND_NS, "max": self.max_ns / _SECOND_NS}


class _Segment:
    """What is counted of one segment: by metric and labels."""

    def __init__(self, record: Record) -> None:
        self.name, self.segment_id = record.segment, record.segment_id
        self.first_us = self.last_us = record.end_us
        self.sums: dict[tuple[str, str], dict[Labels, int]] = {}
        self.histograms: dict[str, dict[Labels, ExponentialHistogram]] = {}

    def count(self, name: str, unit: str, labels: Labels, increment: int) -> None:
        series = self.sums.setdefault((name, unit), {})
        labels = labels if labels in series or len(series) < SERIES_MAX else _OVERFLOW
        series[labels] = min(series.get(labels, 0) + increment, INTEGER_MAX)

    def sample(self, name: str, labels: Labels, sample_ns: int) -> None:
        series = self.histograms.setdefault(name, {})
        labels = labels if labels in series or len(series) < SERIES_MAX else _OVERFLOW
        histogram = series.get(labels)
        if histogram is None:
            histogram = series[labels] = ExponentialHistogram()
        histogram.add(sample_ns)


class Metrics:
    """Counts records; `data` tells of all at the end."""

    def __init__(self) -> None:
        self._segments: dict[str, _Segment] = {}

    def add(self, record: Record) -> None:
        """Count one event."""
        key = record.segment_id
        if key not in self._segments and len(self._segments) >= _SEGMENTS_MAX:
            key = next(iter(self._segments))
        segment = self._segments.get(key)
        if segment is None:
            segment = self._segments[key] = _Segment(record)
        segment.first_us = min(segment.first_us, record.end_us - record.duration_ns // 1000)
        segment.last_us = max(segment.last_us, record.end_us)
        cmd: Labels = (("ctx.cmd", record.cmd),)
        segment.count("ctx.events", "{event}", cmd, 1)
        server = record.args.get("server")
        of_server: Labels = (("ctx.server", server),) if isinstance(server, str) else ()
        for name in fixed_counters(record.cmd):
            segment.count(f"ctx.{name}", "{event}", of_server if name.startswith("lsp_") else (), 1)
        for name, increment in _variable(record):
            if not name.startswith(_OF_SERVERS):  # they are told apart by a label
                segment.count(f"ctx.{name}", "By" if name.endswith("_bytes_total") else "{event}", (), increment)
        for name, count in record.tokens.items():
            if count:
                kind = name.removesuffix("_tokens")
                segment.count("ctx.tokens", "{token}", (*cmd, ("ctx.token.type", kind)), count)
        if record.dropped_before:
            segment.count(f"ctx.{DROPPED}", "{event}", (), record.dropped_before)
        if is_lsp_request(record.cmd):
            self._add_call(segment, record, of_server)
        elif record.is_timed:
            segment.sample("ctx.operation.duration", cmd, record.duration_ns)

    @staticmethod
    def _add_call(segment: _Segment, record: Record, of_server: Labels) -> None:
        if not record.is_timed or record.extra.get("was_sent") is False:
            return
        failure = failure_of(record)
        how: Labels = (("error.type", failure),) if failure else ()
        labels = (("rpc.system.name", "jsonrpc"), ("rpc.method", lsp_method(record)), *of_server, *how)
        segment.sample("rpc.client.call.duration", labels, record.duration_ns)

    def data(self, version: str) -> Json | None:
        """Return a MetricsData; None when nothing was counted."""
        if not self._segments:
            return None
        return {"resourceMetrics": [_resource_metrics(segment, version) for segment in self._segments.values()]}


def _variable(record: Record) -> Iterable[tuple[str, int]]:
    rule = variable_counters(record.cmd)
    if rule is None:
        return ()
    try:
        return rule(record.args, record.result, record.extra, record.timing_ms)
    except TypeError:  # an edited line: a list where a word belongs
        return ()


def _resource_metrics(segment: _Segment, version: str) -> Json:
    times = {"startTimeUnixNano": _time(segment.first_us), "timeUnixNano": _time(segment.last_us)}
    told = {
        "service.name": "ctx",
        "service.version": version,
        "service.instance.id": instance_id(segment.segment_id),
        "ctx.segment": segment.name,
        "ctx.segment_id": segment.segment_id,
    }
    sums = [
        {
            "name": name,
            "unit": unit,
            "sum": {
                "dataPoints": [
                    {**_labelled(labels), **times, "asInt": str(total)} for labels, total in sorted_series(series)
                ],
                "aggregationTemporality": _CUMULATIVE,
                "isMonotonic": True,
            },
        }
        for (name, unit), series in sorted(segment.sums.items())
    ]
    histograms = [
        {
            "name": name,
            "unit": "s",
            "exponentialHistogram": {
                "dataPoints": [
                    {**_labelled(labels), **times, **histogram.point()} for labels, histogram in sorted_series(series)
                ],
                "aggregationTemporality": _CUMULATIVE,
            },
        }
        for name, series in sorted(segment.histograms.items())
    ]
    return {
        "resource": {"attributes": attributes(told)},
        "scopeMetrics": [{"scope": scope(version), "metrics": [*sums, *histograms], "schemaUrl": SCHEMA_URL}],
        "schemaUrl": SCHEMA_URL,
    }


def _labelled(labels: Labels) -> Json:
    return {"attributes": attributes(dict(labels))} if labels else {}


def sorted_series(series: dict[Labels, Any]) -> list[tuple[Labels, Any]]:
    """Return series by their labels, so that two exports of the same events are the same."""
    return sorted(series.items(), key=lambda item: repr(item[0]))


def _time(us: int) -> str:
    return str(min(max(us * 1000, 1), INTEGER_MAX))
