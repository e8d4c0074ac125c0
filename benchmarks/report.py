"""How results look: one row a figure with its unit and its bar, written as JSON and as Markdown."""

from __future__ import annotations

import json
import os
import platform
import re
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure; `bar` is "none" or starts with <= or >= and a number."""

    what: str
    unit: str
    value: float
    bar: str

    @property
    def verdict(self) -> str:
        """`met`, `missed`, or "" where there is no bar."""
        match = re.match(r"(<=|>=)\s*([0-9.]+)", self.bar)
        if match is None:
            return ""
        limit = float(match[2])
        return "met" if (self.value <= limit if match[1] == "<=" else self.value >= limit) else "missed"


def machine() -> dict[str, str]:
    """Return what the figures were measured on."""
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(len(os.sched_getaffinity(0))),
    }


def write_results(name: str, title: str, rows: list[Row], facts: dict[str, str]) -> None:
    """Write results/<name>.json and .md and print the table."""
    RESULTS.mkdir(exist_ok=True)
    document = {"title": title, "machine": facts, "rows": [asdict(row) | {"verdict": row.verdict} for row in rows]}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    lines = [f"# {title}", "", ", ".join(f"{key} {value}" for key, value in facts.items()), ""]
    lines += ["| what | value | unit | bar | |", "| --- | ---: | --- | --- | --- |"]
    lines += [f"| {row.what} | {row.value:.3g} | {row.unit} | {row.bar} | {row.verdict} |" for row in rows]
    text = "\n".join(lines) + "\n"
    (RESULTS / f"{name}.md").write_text(text, encoding="utf-8")
    print(text)
