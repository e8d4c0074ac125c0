"""What the sections of the page are put together from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...domain.telemetry import figures
from ...domain.telemetry.log_axis import LogAxis
from .markup import Markup, joined, tag
from .plots import all_of, distribution, figure
from .tables import Column, values_of_plot
from .values import Value, name

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


def section(ident: str, heading: str, about: object, *content: object) -> Markup:
    """Return a section with its heading and what it is about in a sentence."""
    return tag(
        "section",
        tag("h2", heading, id=f"{ident}-heading"),
        tag("p", about, class_="about"),
        list(content),
        id=ident,
        aria_labelledby=f"{ident}-heading",
    )


def nothing(sentence: str) -> Markup:
    """Return what stands in the place of a table or plot that would be empty."""
    return tag("p", sentence, class_="quiet")


def moment(value: Value) -> Markup:
    """Return a time of the document to the second."""
    return tag("time", figures.moment(value.raw), datetime=value.raw or None, data_p=value.pointer)


def named(value: Value, *, empty: str = "(none)") -> Markup:
    """Return a text of the document that is somebody's name or words."""
    return tag("span", name(value.raw or "", empty=empty), data_p=value.pointer)


def panel(heading: str, rows: Iterable[tuple[object, object]]) -> Markup:
    """Return names with a value each, in a box."""
    shown = [joined(tag("dt", tag("bdi", key)), tag("dd", value)) for key, value in rows]
    return tag("div", tag("h3", heading), tag("dl", shown) if shown else nothing("none"), class_="panel")


def latency_cells(latency: Value) -> tuple[Value, ...]:
    """Return the cells of LATENCY_COLUMNS."""
    return tuple(latency[key] for key in ("p50_ms", "p95_ms", "max_ms", "sum_ms"))


LATENCY_COLUMNS = (
    Column("p50", figures.duration),
    Column("p95", figures.duration),
    Column("Max", figures.duration),
    Column("Total", figures.duration),
)


def axis_of(latencies: Iterable[Value]) -> LogAxis:
    """Return the axis on which all of these can be compared."""
    return LogAxis.around([latency["hist"].raw for latency in latencies if latency["hist"]])


def distributions(
    rows: Sequence[tuple[str, str, Value]], axis: LogAxis, notes: Mapping[str, object] | None = None
) -> Markup:
    """Return a panel for each (id, title, latency) that has samples, all on one axis; `notes` add to some, by id."""
    panels = []
    for ident, title, latency in rows:
        if not latency["hist"]:
            continue
        drawing, height = distribution(latency, axis)
        p50, p95, longest = (figures.duration(latency[key].raw) for key in ("p50_ms", "p95_ms", "max_ms"))
        edges, counts = latency["hist"]["edges_ms"], latency["hist"]["counts"]
        values = values_of_plot(
            f"{title}: samples by duration",
            (Column("From", figures.duration), Column("To", figures.duration), Column("Samples", figures.count)),
            [(edges[at], edges[at + 1], counts[at]) for at in range(len(counts.raw))],
        )
        panels.append(
            figure(
                ident,
                title,
                [
                    latency["count"].shown(figures.count),
                    " sample, longest " if latency["count"].raw == 1 else " samples, longest ",
                    latency["max_ms"].shown(figures.duration),
                    ", in all ",
                    latency["sum_ms"].shown(figures.duration),
                    (notes or {}).get(ident),
                ],
                height=height,
                says=f"Histogram of {figures.count(latency['count'].raw)} durations on a logarithmic axis. "
                f"Half took at most {p50}, 95 of 100 at most {p95}, the longest {longest}.",
                drawing=drawing,
                values=values,
            )
        )
    return all_of(panels, "No durations were recorded.")


def failed(errors: Value) -> Value | Markup:
    """Return a number of failures, which is hard to miss unless it is 0."""
    return errors if not errors else tag("b", errors.shown(figures.count), class_="bad")
