"""The commands: each reads its options, calls one use case and says how its answer looks as JSON and as text."""

from __future__ import annotations

import os
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from ...domain.errors import CtxError, UsageError
from ..answer_documents import get_document, search_document, text_search_document
from ..answer_texts import get_notes, get_text, search_notes, search_text, text_search_notes, text_search_text
from ..question_args import search_args
from ..services import say
from .runner import (
    EXIT_NOTHING,
    EXIT_OK,
    Outcome,
    printable,
    progress,
    refreshed,
    run_command,
    show,
    skipped_files,
    spelled,
    token_figures,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...application.refresh_index import RefreshReport
    from ...application.watch_index import Update
    from ..services import Services
    from .paint import Painter


def run_search(
    query: str,
    *,
    segment: str | None = None,
    as_json: bool = False,
    no_redact: bool = False,
    limit: int | None = None,
    kind: str | None = None,
    lang: str | None = None,
    path: str | None = None,
    budget: int | None = None,
    regex: bool = False,
    literal: bool = False,
    ignore_case: bool = False,
    focus: Sequence[str] = (),
) -> int:
    """`ctx search`: the places that answer a question, best first; with `regex` or `literal` every matching line."""
    given = {"kind": kind, "lang": lang, "path": path}
    query, kind, lang, path = printable(query), printable(kind or ""), printable(lang or ""), spelled(path or "")
    if regex or literal or ignore_case:
        return _run_text_search(
            query,
            segment=segment,
            as_json=as_json,
            no_redact=no_redact,
            limit=limit,
            kind=kind,
            lang=lang,
            path=path,
            given=given,
            budget=budget,
            regex=regex,
            literal=literal,
            ignore_case=ignore_case,
            focus=focus,
        )
    started_ns = perf_counter_ns()
    in_focus = [spelled(one) for one in focus]
    args = search_args(query, "search", limit=limit, kind=kind, lang=lang, path=path, focus=in_focus)

    def body(services: Services) -> Outcome:
        from ...application.filters import check_lists
        from ...application.search import SearchRequest, check_request

        check_lists(**given)
        request = SearchRequest(
            query,
            services.config.number("search.limit") if limit is None else limit,
            kind,
            lang,
            path,
            services.config.number("search.budget") if budget is None else budget,
            tuple(focus),
        )
        check_request(request)
        report = refreshed(services)
        answer, favoured = services.search(request)
        index_files = services.store.file_count()
        document = search_document(
            services,
            answer,
            report,
            query=query,
            index_files=index_files,
            took_ns=perf_counter_ns() - started_ns,
            focus=favoured,
        )
        return Outcome(
            document,
            lambda paint: search_text(answer, paint),
            EXIT_OK if answer.hits else EXIT_NOTHING,
            args=args | {"limit": request.limit, "budget_token_est": request.budget_tokens},
            result=_search_result([hit.id for hit in answer.hits], answer.total_tokens),
            extra={"disclosure_mode": "search", "index_files": index_files},
            notes=search_notes(answer, report, budget_tokens=request.budget_tokens),
        )

    return run_command("search", body, segment=segment, as_json=as_json, no_redact=no_redact, args=args)


def _run_text_search(
    query: str,
    *,
    segment: str | None,
    as_json: bool,
    no_redact: bool,
    limit: int | None,
    kind: str,
    lang: str,
    path: str,
    given: Mapping[str, str | None],
    budget: int | None,
    regex: bool,
    literal: bool,
    ignore_case: bool,
    focus: Sequence[str],
) -> int:
    """`ctx search --regex` and `--literal`: every line that a pattern matches, by the chunk it is in."""
    started_ns = perf_counter_ns()
    mode = "regex" if regex else "literal"
    in_focus = [spelled(one) for one in focus]
    args = search_args(query, mode, limit=limit, kind=kind, lang=lang, path=path, focus=in_focus)

    def body(services: Services) -> Outcome:
        from ...application.filters import check_lists
        from ...application.text_search import TextSearchRequest, check_text_request

        check_lists(**given)
        if regex and literal:
            raise UsageError("--regex and --literal exclude each other; give one of them")
        if not regex and not literal:
            raise UsageError("--ignore-case belongs to --regex or --literal; a search by words ignores case anyway")
        if focus:
            raise UsageError("--focus ranks, and --regex and --literal list every match; narrow them with --path")
        request = TextSearchRequest(
            query,
            regex,
            ignore_case,
            services.config.number("search.limit") if limit is None else limit,
            kind,
            lang,
            path,
            services.config.number("search.budget") if budget is None else budget,
        )
        check_text_request(request)
        report = refreshed(services)
        answer = services.text_search(request)
        index_files = services.store.file_count()
        document = text_search_document(
            services,
            answer,
            report,
            query=query,
            mode=mode,
            index_files=index_files,
            took_ns=perf_counter_ns() - started_ns,
        )
        return Outcome(
            document,
            lambda paint: text_search_text(answer, paint),
            EXIT_OK if answer.hits else EXIT_NOTHING,
            args=args | {"limit": request.limit, "budget_token_est": request.budget_tokens},
            result=_search_result([found.hit.id for found in answer.hits], answer.total_tokens),
            extra={"disclosure_mode": "search", "index_files": index_files, "engine": services.text_scanner.engine},
            notes=text_search_notes(answer, report, budget_tokens=request.budget_tokens, deadline_s=request.deadline_s),
        )

    return run_command("search", body, segment=segment, as_json=as_json, no_redact=no_redact, args=args)


def _search_result(ids: Sequence[str], total_tokens: int) -> dict[str, Any]:
    """Return what telemetry is told of a search's answer."""
    return {
        "hits": len(ids),
        "returned_ids": list(ids[:10]),
        "status": "ok" if ids else "nothing",
        **token_figures(total_tokens),
    }


def run_get(
    targets: list[str],
    *,
    segment: str | None = None,
    as_json: bool = False,
    no_redact: bool = False,
    ids: str = "",
    mode: str = "",
    budget: int | None = None,
    latest: bool = False,
) -> int:
    """`ctx get`: the text behind ids, paths, lines and symbols."""
    wanted = [spelled(target) for target in (*targets, *(part.strip() for part in ids.split(",") if part.strip()))]
    args = {"ids": wanted, "mode": mode}

    def body(services: Services) -> Outcome:
        from ...application.get import GetRequest

        request = GetRequest(
            tuple(wanted),
            mode or None,  # type: ignore[arg-type]  # checked by the use case
            services.config.number("get.budget") if budget is None else budget,
            latest,
        )
        refreshed(services)
        answer = services.get()(request)
        document = get_document(services, answer, request)
        return Outcome(
            document,
            lambda paint: get_text(answer, paint),
            args={**args, "budget_token_est": request.budget_tokens},
            result={
                "hits": len(answer.items),
                "returned_ids": [item.id for item in answer.items[:10]],
                "status": "truncated" if answer.truncated else "ok",
                **token_figures(answer.total_tokens),
            },
            extra=answer.disclosure,
            notes=get_notes(answer, budget_tokens=request.budget_tokens),
        )

    return run_command("get", body, segment=segment, as_json=as_json, no_redact=no_redact, args=args)


def run_index(*, segment: str | None = None, as_json: bool = False, rebuild: bool = False, watch: bool = False) -> int:
    """`ctx index`: look at every file and bring the index up to date; with `watch` stay and go on doing so."""

    def body(services: Services) -> Outcome:
        started_ns = perf_counter_ns()
        report = refreshed(services, whole=True, anew=rebuild)
        return _index_outcome(services, report, perf_counter_ns() - started_ns)

    def watching_body(services: Services) -> Outcome:
        from ..signals import terminable

        updates = 0
        with terminable() as is_terminated:
            try:
                show(body(services), as_json=as_json)
                for update in services.watch_index().updates(say):
                    updates += 1
                    show(_update_outcome(services, update), as_json=as_json)
                    while services.warnings:
                        say(services.warnings.pop(0))
            except KeyboardInterrupt:
                if not is_terminated():
                    raise
        document = {"schema": "ctx.index/1", "segment": services.segment_name, "watching": False, "updates": updates}
        return Outcome(document, lambda _paint: f"ended after {updates} updates", result={"status": "ok"})

    return run_command("index", watching_body if watch else body, segment=segment, as_json=as_json)


def run_build(*, segment: str | None = None, as_json: bool = False) -> int:
    """`ctx build`: write the context pack."""
    return run_command("build", _build, segment=segment, as_json=as_json)


def run_validate(*, segment: str | None = None, as_json: bool = False) -> int:
    """`ctx validate`: exit 1 when index or pack is stale or invalid."""
    return run_command("validate", _validate, segment=segment, as_json=as_json)


def run_sync(*, segment: str | None = None, as_json: bool = False) -> int:
    """`ctx sync`: index, build and validate."""

    def body(services: Services) -> Outcome:
        started_ns = perf_counter_ns()
        report = refreshed(services, whole=True)
        indexed = _index_outcome(services, report, perf_counter_ns() - started_ns)
        built = _build(services)
        checked = _validate(services)
        document = {"schema": "ctx.sync/1", "index": indexed.document, "build": built.document}
        document["validate"] = checked.document
        return Outcome(
            document,
            lambda paint: "\n".join(part.text(paint) for part in (indexed, built, checked)),
            checked.exit_code,
            result={"status": checked.result["status"]},
        )

    return run_command("sync", body, segment=segment, as_json=as_json)


def run_stats(*, segment: str | None = None, as_json: bool = False) -> int:
    """`ctx stats`: what the index holds and what the commands cost."""

    def body(services: Services) -> Outcome:
        from .reports import stats_document, stats_text

        document = stats_document(services)
        return Outcome(document, lambda paint: stats_text(document, paint), result={"status": "ok"})

    return run_command("stats", body, segment=segment, as_json=as_json)


def run_doctor(*, segment: str | None = None, as_json: bool = False, editor: bool = False) -> int:
    """`ctx doctor`: what works here, what does not, what to do; with `editor` for editors, too."""

    def body(services: Services) -> Outcome:
        from .reports import doctor_document, doctor_text

        document = doctor_document(services, with_editors=editor)
        return Outcome(
            document,
            lambda paint: doctor_text(document, paint),
            EXIT_OK if document["healthy"] else EXIT_NOTHING,
            result={"status": "ok" if document["healthy"] else "unhealthy"},
        )

    return run_command("doctor", body, segment=segment, as_json=as_json)


# ---------------------------------------------------------------------- parts


def _index_outcome(services: Services, report: RefreshReport, duration_ns: int) -> Outcome:
    facts = services.store.facts()
    skipped = len(skipped_files(services))
    document = {
        "schema": "ctx.index/1",
        "segment": services.segment_name,
        "added": report.files_added,
        "changed": report.files_changed,
        "removed": report.files_removed,
        "skipped": skipped,
        "files": facts.files,
        "chunks": facts.chunks,
        "tokens": facts.tokens,
        "index_bytes": facts.size_bytes,
        "read_bytes": report.read_bytes,
        "took_ms": round(duration_ns / 1e6, 3),
    }

    def text(paint: Painter) -> str:
        return (
            f"{paint('number', facts.files)} files, {paint('number', facts.chunks)} chunks, "
            f"{paint('number', facts.tokens)} tokens indexed "
            f"(+{report.files_added} ~{report.files_changed} -{report.files_removed}, {skipped} skipped) "
            f"in {duration_ns / 1e9:.2f} s"
        )

    return Outcome(document, text, result={"status": "ok", "files": facts.files})


def _update_outcome(services: Services, update: Update) -> Outcome:
    at = services.clock.now()
    report = update.report
    files = report.files_added + report.files_changed + report.files_removed
    outcome = _index_outcome(services, report, update.duration_ns)
    document = outcome.document | {"watching": True, "at": at.isoformat(timespec="milliseconds")}

    def text(paint: Painter) -> str:
        return (
            f"{at.astimezone():%H:%M:%S}  {paint('number', files)} {'file' if files == 1 else 'files'} "
            f"(+{report.files_added} ~{report.files_changed} -{report.files_removed}) "
            f"in {update.duration_ns / 1e6:.0f} ms"
        )

    return Outcome(document, text, result=outcome.result)


def _build(services: Services) -> Outcome:
    from ...application.context_pack import build_pack
    from ...domain.index_records import PACK_PATH
    from ..atomic_file import write_json

    refreshed(services)
    if services.is_elsewhere:
        raise CtxError("the context pack is written to _ctx/, and that folder cannot be written; check its permissions")
    with progress("packing") as tell:
        pack = build_pack(services.files, services.store, services.clock, services.segment_name, tell)
    size_bytes = write_json(os.path.join(services.segment, PACK_PATH), pack)
    tokens = sum(chunk["tokens"] for chunk in pack["chunks"])
    services.refresh()  # takes the new pack's state in
    document = {
        "schema": "ctx.build/1",
        "pack": PACK_PATH,
        "chunks": len(pack["chunks"]),
        "tokens": tokens,
        "bytes": size_bytes,
        "digest": pack["digest"],
    }
    return Outcome(
        document,
        lambda paint: (
            f"{paint('path', PACK_PATH)}: {paint('number', len(pack['chunks']))} chunks, "
            f"{paint('number', tokens)} tokens, {size_bytes} bytes"
        ),
        result={"status": "ok", "chunks": len(pack["chunks"])},
    )


def _validate(services: Services) -> Outcome:
    from ...application.validate import validate

    problems = validate(services.store, services.files, services.pack_files)
    document = {"schema": "ctx.validate/1", "valid": not problems, "problems": problems}
    return Outcome(
        document,
        lambda paint: (
            paint("good", "index and pack are valid and up to date")
            if not problems
            else "\n".join(f"{paint('bad', problem['kind'])}: {problem['message']}" for problem in problems)
        ),
        EXIT_NOTHING if problems else EXIT_OK,
        result={"status": "invalid" if problems else "ok", "problems": len(problems)},
    )
