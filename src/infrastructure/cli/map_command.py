"""`ctx map`: the ranked skeleton of a repository or a part of it, as JSON and as text."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from time import perf_counter_ns
from typing import TYPE_CHECKING

from ..answer_documents import map_document
from ..answer_texts import map_notes, map_text
from ..question_args import map_args
from .runner import EXIT_NOTHING, EXIT_OK, Outcome, progress, refreshed, run_command, spelled, token_figures

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from ..services import Services

PATHS_NAMED_MAX = 3


def run_map(
    paths: Sequence[str],
    *,
    segment: str | None = None,
    as_json: bool = False,
    no_redact: bool = False,
    budget: int | None = None,
    focus: Sequence[str] = (),
) -> int:
    """`ctx map`: what the rest of the repository leans on, as much as the budget can show."""
    started_ns = perf_counter_ns()
    args = map_args([spelled(one) for one in paths], [spelled(one) for one in focus]) | {"budget_token_est": budget}

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
            lambda paint: map_text(answer, paint),
            EXIT_OK if answer.files else EXIT_NOTHING,
            args={**args, "budget_token_est": request.budget_tokens},
            result={
                "files": len(answer.files),
                "definitions": answer.definitions_shown,
                "status": "nothing" if not answer.files else "truncated" if answer.truncated else "ok",
                **token_figures(answer.total_tokens),
            },
            extra={"disclosure_mode": "map", "index_files": answer.files_total},
            notes=map_notes(answer, report),
        )

    return run_command("map", body, segment=segment, as_json=as_json, no_redact=no_redact, args=args)


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
