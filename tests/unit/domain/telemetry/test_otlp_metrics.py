"""Counters and latencies of records as OTLP metrics."""

from __future__ import annotations

import itertools
import json
from math import isclose
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.event_lines import BEGIN_US, ToldRun, resolve_with_server
from tests.otlp_lines import read_line
from tests.unit.domain.telemetry.test_otlp import values

from ctx.domain.telemetry import otlp_metrics
from ctx.domain.telemetry.otlp_metrics import BUCKETS_MAX, ExponentialHistogram, Metrics
from ctx.domain.telemetry.records import INTEGER_MAX


def metrics(*runs: ToldRun) -> dict[str, Any]:
    """Return the official metrics of one segment by their names."""
    counted = Metrics()
    for run in runs:
        for record in run.records:
            counted.add(record)
    (each,) = read_line(json.dumps(counted.data("1.2.3"))).resource_metrics
    return {metric.name: metric for metric in each.scope_metrics[0].metrics}


def points(metric: Any) -> dict[tuple[Any, ...], int]:
    assert (2, True) == (metric.sum.aggregation_temporality, metric.sum.is_monotonic)
    return {tuple(values(point.attributes).values()): point.as_int for point in metric.sum.data_points}


def test_counters_are_cumulative_sums_with_units() -> None:
    """By server where there is one; tokens by what they were for."""
    run = resolve_with_server()
    run.tell("file.read", 600_000, args={"mode": "raw"}, result={"bytes": 9}, telemetry_dropped_since_last=4)
    found = metrics(run)
    assert {("ty",): 1} == points(found["ctx.lsp_timeout_count"])
    assert {(): 9} == points(found["ctx.file_read_raw_bytes_total"])
    assert {(): 4} == points(found["ctx.telemetry_events_dropped"])
    tokens = points(found["ctx.tokens"])
    assert (7, 8) == (tokens["ctx.resolve", "output"], tokens["ctx.resolve", "total"])
    assert ["{event}", "By", "{token}", "s"] == [
        found[name].unit
        for name in ("ctx.events", "ctx.file_read_raw_bytes_total", "ctx.tokens", "ctx.operation.duration")
    ]
    assert [] == [name for name in found if name.endswith("_ty")]


def test_points_begin_with_the_first_event_and_end_with_the_last() -> None:
    """The first event's beginning, as its duration tells it."""
    point = metrics(ToldRun().tell("a", 50_000, took_us=20_000).tell("a", 90_000))["ctx.events"].sum.data_points[0]
    assert ((BEGIN_US + 30_000) * 1000, (BEGIN_US + 90_000) * 1000, 2) == (
        point.start_time_unix_nano,
        point.time_unix_nano,
        point.as_int,
    )


def test_questions_that_were_sent_are_calls() -> None:
    """By server, method and failure, as the conventions name them; those not sent cost no call."""
    run = resolve_with_server()
    run.tell("lsp.hover", 600_000, took_us=5, args={"server": "ty"}, was_sent=False)
    (point,) = metrics(run)["rpc.client.call.duration"].exponential_histogram.data_points
    assert {
        "rpc.system.name": "jsonrpc",
        "rpc.method": "textDocument/definition",
        "ctx.server": "ty",
        "error.type": "timeout",
    } == values(point.attributes)
    assert (1, 0.5) == (point.count, point.sum)


def test_an_edited_event_is_counted_all_the_same() -> None:
    """A list where a word belongs moves no counter of its own."""
    found = metrics(ToldRun().tell("lsp.initialize", 0, took_us=1, args={"server": ["x"]}, result={"status": ["x"]}))
    assert {("lsp.initialize",): 1} == points(found["ctx.events"])


def test_a_sum_fits_its_integer() -> None:
    """Edited figures add up to no more than a signed integer of 64 bits holds: readers refuse the line otherwise."""
    run = ToldRun()
    for at in (1000, 2000):
        run.tell("ctx.get", at, tokens={"output_tokens": 1 << 63}, telemetry_dropped_since_last=1 << 63)
    found = metrics(run)
    assert [INTEGER_MAX, INTEGER_MAX] == [
        *points(found["ctx.tokens"]).values(),
        *points(found["ctx.telemetry_events_dropped"]).values(),
    ]


def test_too_many_names_are_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenTelemetry has a label for it; memory stays bounded."""
    monkeypatch.setattr(otlp_metrics, "SERIES_MAX", 2)
    run = ToldRun()
    for number in range(5):
        run.tell(f"c{number}", number, took_us=1)
    found = metrics(run)
    assert {("c0",): 1, ("c1",): 1, (True,): 3} == points(found["ctx.events"])
    assert 3 == len(found["ctx.operation.duration"].exponential_histogram.data_points)


def test_too_many_segments_are_counted_with_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file made so that every line is of another one."""
    monkeypatch.setattr(otlp_metrics, "_SEGMENTS_MAX", 1)
    found = metrics(ToldRun(segment_id="a").tell("x", 0), ToldRun(segment_id="b").tell("x", 0))
    assert {("x",): 2} == points(found["ctx.events"])


def test_nothing_counted_is_nothing_told() -> None:
    """No line is written."""
    assert None is Metrics().data("1")


@given(st.lists(st.integers(0, 10**13) | st.integers(0, 100), min_size=1, max_size=60))
def test_every_sample_is_in_the_bucket_that_holds_it(samples: list[int]) -> None:
    """Count, sum, extremes and zeros are exact; no more buckets than allowed."""
    histogram = ExponentialHistogram()
    for sample in samples:
        histogram.add(sample)
    point = histogram.point()
    assert (str(len(samples)), min(samples) / 1e9, max(samples) / 1e9) == (point["count"], point["min"], point["max"])
    assert isclose(sum(samples) / 1e9, point["sum"], rel_tol=1e-12)
    positive = point.get("positive", {"bucketCounts": []})
    counts = [int(count) for count in positive["bucketCounts"]]
    assert len(samples) == sum(counts) + int(point.get("zeroCount", 0))
    assert len(counts) <= BUCKETS_MAX
    base = 2.0 ** (2.0 ** -point["scale"])
    edges = [base ** (positive.get("offset", 0) + at) for at in range(len(counts) + 1)]
    expected = [sum(1 for sample in samples if low < sample / 1e9 <= high) for low, high in itertools.pairwise(edges)]
    # On an edge, arithmetic of doubles may put a sample on either side.
    on_edges = any(isclose(sample / 1e9, edge, rel_tol=1e-9) for sample in samples for edge in edges)
    assert on_edges or expected == counts


def test_samples_close_together_keep_a_fine_scale() -> None:
    """Less than a percent wide."""
    histogram = ExponentialHistogram()
    for sample in (100_000_000, 110_000_000):
        histogram.add(sample)
    assert 7 == histogram.point()["scale"]
