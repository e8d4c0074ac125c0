"""`ctx map`: the ranked skeleton of a repository or a part of it, as JSON and as text."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING

from ..answer_documents import map_document
from .runner import EXIT_NOTHING, EXIT_OK, Outcome, progress, refreshed, run_command, token_figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ...application.repo_map import RepoMapAnswer
    from ..services import Services
    from .paint import Painter

PATHS_NAMED_MAX = 3


def run_map(
    paths: Sequence[str],
    *,
    segment: str | None = None,
    as_json: bool = False,
    budget: int | None = None,
    focus: Sequence[str] = (),
) -> int:
    """`ctx map`: what the rest of the repository leans on, as much as the budget can show."""
    started_ns = perf_counter_ns()
    args = {"files": list(paths), "mode": "map", "budget_token_est": budget}

    def body(services: Services) -> Outcome:
        from ...application.repo_map import RepoMapRequest

        request = RepoMapRequest(
            tuple(paths), services.config.number("map.budget") if budget is None else budget, tuple(focus)
        )
        report = refreshed(services)
        with progress("mapping") as tell, _without_collector():
            answer = services.repo_mapper()(request, on_progress=tell)
        document = map_document(services, answer, request, report, took_ns=perf_counter_ns() - started_ns)
        return Outcome(
            document,
            lambda paint: _text(answer.text, paint),
            EXIT_OK if answer.files else EXIT_NOTHING,
            args={**args, "budget_token_est": request.budget_tokens},
            result={
                "files": len(answer.files),
                "definitions": answer.definitions_shown,
                "status": "nothing" if not answer.files else "truncated" if answer.truncated else "ok",
                **token_figures(answer.total_tokens),
            },
            extra={"disclosure_mode": "map", "index_files": answer.files_total},
            notes=_notes(answer, len(report.stale)),
        )

    return run_command("map", body, segment=segment, as_json=as_json, args=args)


def _notes(answer: RepoMapAnswer, stale: int) -> list[str]:
    if answer.reason:
        return [f"no map: {answer.reason}"]
    notes = []
    if answer.not_parsed:
        named = ", ".join(f"{path} ({reason})" for path, reason in answer.not_parsed[:PATHS_NAMED_MAX])
        notes.append(f"{_counted(answer.not_parsed, 'file')} not in the map: {_cut(named, answer.not_parsed)}")
    if answer.recovered:
        named = ", ".join(answer.recovered[:PATHS_NAMED_MAX])
        notes.append(
            f"{_counted(answer.recovered, 'file')} in the map as far as syntax errors allow: "
            f"{_cut(named, answer.recovered)}"
        )
    if stale:
        notes.append(f"{stale} changed files are being indexed by another ctx; they are mapped as before")
    return notes


def _counted(items: Sequence[object], what: str) -> str:
    return f"1 {what} is" if len(items) == 1 else f"{len(items)} {what}s are"


def _cut(named: str, items: Sequence[object]) -> str:
    return named if len(items) <= PATHS_NAMED_MAX else f"{named}, …"


def _text(text: str, paint: Painter) -> str:
    """Return the map with its paths painted; in a pipe it is the very text whose tokens were counted."""
    return "\n".join(
        paint.safe(line) if line.startswith(" ") else paint("path", line) for line in (text.split("\n") if text else ())
    )


@contextmanager
def _without_collector() -> Iterator[None]:
    """Leave the garbage collector out: half a million rows are made, none in a cycle, and it would walk them all."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
