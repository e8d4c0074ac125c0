"""The report as one HTML file: everything it needs is in it, and its policy lets it load nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
import os
from typing import Any

from ...domain.telemetry import figures
from .markup import Markup, joined, tag
from .record import oddities
from .sections import SECTIONS, tiles
from .values import Value

GENERATOR = "ctx telemetry report"
START = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    f'<meta name="generator" content="{GENERATOR}">\n'
)
"""How every page of ours begins: what tells one from a file of somebody else's."""
_HERE = os.path.dirname(os.path.abspath(__file__))


def page(document: dict[str, Any]) -> bytes:
    """Return the page of a report document, in UTF-8."""
    report = Value(document)
    style, script = _resource("page.css"), _resource("page.js")
    policy = (
        f"default-src 'none'; style-src '{_hash_of(style)}'; script-src '{_hash_of(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    title = f"ctx telemetry report, {_segments(report)}"
    head = joined(
        tag("meta", http_equiv="Content-Security-Policy", content=policy),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", title),
        Markup(f"<style>{style}</style>"),
    )
    data = Markup(f'<script type="application/json" id="report">{embedded(document)}</script><script>{script}</script>')
    body = tag("body", _body(report), data)
    return f"{START}{head}\n</head>\n{body}\n</html>\n".encode()


def embedded(document: Any) -> str:
    """Return the document as JSON that cannot end the element it stands in: ASCII, without `<`, `>` and `&`."""
    raw = json.dumps(document, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return raw.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def _resource(name: str) -> str:
    with open(os.path.join(_HERE, name), encoding="utf-8") as file:
        return file.read()


def _hash_of(text: str) -> str:
    """Return what a policy calls a text of a style or script element by."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _segments(report: Value) -> str:
    return figures.segments([str(row["segment"].raw) for row in report["sources"]])


def _body(report: Value) -> Markup:
    events = report["events"]
    period = [
        tag("bdi", _segments(report)),
        ", ",
        *_time(events["first_ts"]),
        " to ",
        *_time(events["last_ts"]),
        " UTC. Made ",
        *_time(report["generated"]),
        " by ctx ",
        report["version"].shown(),
        ".",
    ]
    odd = sum(number.raw for number, _words in oddities(report))
    links = [tag("li", tag("a", label, href=f"#{ident}")) for ident, label, _section in SECTIONS]
    notice = (
        tag(
            "p",
            tag("a", f"{figures.count(odd)} lines or events are odd: see what was read", href="#read"),
            class_="quiet",
        )
        if odd
        else None
    )
    content = [
        tag(
            "section",
            tag("h2", "At a glance", class_="hidden", id="glance"),
            tiles(report),
            notice,
            aria_labelledby="glance",
        ),
        *(write(report) for _ident, _label, write in SECTIONS),
    ]
    return joined(
        tag("a", "Skip to the report", href="#main", class_="skip"),
        tag(
            "div",
            tag("header", tag("h1", "Telemetry report"), tag("p", period)),
            tag(
                "div",
                tag("nav", tag("ul", links), aria_label="Sections"),
                tag("main", content, id="main", tabindex=-1),
                class_="body",
            ),
            tag(
                "footer",
                tag("p", "Local figures of one machine; nothing was sent anywhere, and this page loads nothing."),
                tag(
                    "p",
                    "All durations are of the monotonic clock. The document they are from is in this page as JSON.",
                ),
            ),
            class_="frame",
        ),
    )


def _time(value: Value) -> list[Markup]:
    return [tag("time", figures.moment(value.raw), datetime=value.raw or None, data_p=value.pointer)]
