"""What every command shares: segment, telemetry, errors as one line, exit codes, JSON or text on standard output."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

from ...domain.errors import CtxError, IndexDamagedError
from ...domain.source_files import display_path
from .. import services as services_module
from ..answer_documents import UNSTEADY, mark_unsteady
from ..answer_texts import redaction_notes
from ..host.places import is_switched_on
from ..segment import find_segment, is_no_project, repository_sha
from ..services import Services, say
from ..state_folder import CTX_FOLDER
from .arguments import THIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ...application.refresh_index import RefreshReport
    from .paint import Painter

EXIT_OK = 0
EXIT_NOTHING = 1
EXIT_USAGE = 2
EXIT_CANNOT = 3
EXIT_INTERRUPTED = 130

PROGRESS_FILES_MIN = 200
"""A bar for less would be gone before anyone saw it."""
_PROGRESS_STEP = 32
"""Telling a bar costs more than some of the work it counts."""
MESSAGE_CHARS_MAX = 1200
"""An error repeats what was given; what is longer loses its middle, so that the place and the next step stay."""
_ELLIPSIS = " … "


def _nobody_asks() -> None:
    pass


on_output: Callable[[], None] = _nobody_asks
"""Called before an answer, or a failure, is written: a host's child tells its client, who could run a lost command
itself until then (see `host.child`)."""


@dataclass(slots=True)
class Outcome:
    """What a command found: the object for `--json`, the text for people, and what telemetry is told."""

    document: dict[str, Any]
    text: Callable[[Painter], str]
    exit_code: int = EXIT_OK
    args: dict[str, Any] = field(default_factory=dict)
    result: dict[str, Any] = field(default_factory=dict)
    extra: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def run_command(
    command: str,
    body: Callable[[Services], Outcome],
    *,
    segment: str | None = None,
    as_json: bool = False,
    no_redact: bool = False,
    args: dict[str, Any] | None = None,
) -> int:
    """Run one command from its segment to its exit code; `args` is what telemetry shows when it fails early.

    With `no_redact` secrets in sources are shown as they are, if a person is there to see them.
    """
    started_ns = perf_counter_ns()
    try:
        named = os.environ.get("CTX_SEGMENT") or None if segment is None else segment
        found = find_segment(named)
        with telling_of_new_segment(found, is_named=named is not None):
            services = Services(found)
    except CtxError as error:
        return fail(command, error, as_json=as_json)
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    with services:
        if no_redact:
            _show_secrets(services)
        telemetry = services.telemetry
        telemetry.command_start(command, "cli")
        outcome, exit_code, failure = _attempt(_steady(body) if command in THIN else body, services)
        duration_ns = perf_counter_ns() - started_ns
        if outcome is not None:
            exit_code = outcome.exit_code
            try:
                show(outcome, as_json=as_json)
            except BrokenPipeError:
                leave_closed_pipe()
            except OSError as error:
                leave_closed_pipe()
                exit_code = say_unwritable(error)
        elif failure is not None:
            fail(command, failure, as_json=as_json)
        for warning in services.warnings:
            say(warning)
        if failure is not None and not os.path.isdir(services.segment):
            return exit_code  # the record went with it: closing would only complain once more
        known = outcome or Outcome({}, lambda _paint: "", args=args or {}, result={"status": _status(failure)})
        telemetry.event(
            f"ctx.{command}",
            known.args,
            known.result,
            duration_ns // 1_000_000,
            warnings=services.warnings,
            duration_ns=duration_ns,
            face="cli",
            bytes_read=telemetry.bytes_read,
            cache_hit_rate=_cache_hit_rate(telemetry.counters),
            repo_sha=repository_sha(services.segment) if telemetry.level != "off" else None,
            dirty=None,
            **known.extra,
            **_unsaved_figure(services),
        )
        telemetry.command_end(command, "cli", exit_code, perf_counter_ns() - started_ns)
        telemetry.close()
    if exit_code != EXIT_INTERRUPTED and command in THIN and services.config.flag("daemon.auto"):
        _start_host(services.segment)
    return exit_code


@contextmanager
def telling_of_new_segment(segment: str, *, is_named: bool) -> Iterator[None]:
    """Say when what is done makes a segment of a home directory or `/` that nobody named."""
    is_unmeant = not is_named and is_no_project(segment)
    yield
    if is_unmeant and not is_no_project(segment):
        say(
            f"made {os.path.join(segment, CTX_FOLDER)}: every folder below without _ctx or .git of its own now "
            "belongs to this segment; remove it if that is not meant"
        )


def _show_secrets(services: Services) -> None:
    """Leave secrets as they are on a terminal; whatever reads a pipe may be an agent, which hands them on."""
    services.redactor.is_off = sys.stdout is not None and sys.stdout.isatty()
    if not services.redactor.is_off:
        say("--no-redact is for a terminal; in a pipe or a file secrets stay [REDACTED:…]")


def _start_host(segment: str) -> None:
    """Have the next command find a warm host, unless this one ran in one or hosts are switched off."""
    if services_module.default_host is None and is_switched_on():
        from ..host.launch import start_unless_running

        start_unless_running(segment)


def _attempt(
    body: Callable[[Services], Outcome], services: Services
) -> tuple[Outcome | None, int, BaseException | None]:
    try:
        try:
            return body(services), EXIT_OK, None
        except IndexDamagedError as error:
            # Damage where the refresh had no reason to look: once more, on an index made anew.
            services.rebuild_damaged(error)
            return body(services), EXIT_OK, None
    except CtxError as error:
        return None, error.exit_code, error
    except KeyboardInterrupt as error:
        return None, EXIT_INTERRUPTED, error
    except BrokenPipeError as error:
        leave_closed_pipe()
        return None, EXIT_OK, error
    except Exception as error:
        if os.environ.get("CTX_DEBUG"):
            raise
        return None, EXIT_CANNOT, error


def _steady(body: Callable[[Services], Outcome]) -> Callable[[Services], Outcome]:
    """Return a body whose answer is of one state of the files, or says that it may not be."""

    def steady(services: Services) -> Outcome:
        outcome, is_steady = services.steadied(lambda: body(services))
        if not is_steady:
            mark_unsteady(outcome.document)
            outcome.notes.append(UNSTEADY)
        return outcome

    return steady


def _status(failure: BaseException | None) -> str:
    if isinstance(failure, KeyboardInterrupt):
        return "interrupted"
    return type(failure).__name__ if failure is not None else "ok"


def fail(command: str, error: BaseException, *, as_json: bool) -> int:
    """Say what went wrong in one line, and as an object for `--json`; return the exit code."""
    if isinstance(error, KeyboardInterrupt):
        on_output()
        say("interrupted; what was finished is kept")
        return EXIT_INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return EXIT_OK
    if isinstance(error, CtxError):
        message, exit_code = str(error), error.exit_code
    else:
        text = " ".join(str(error).split())
        message = f"internal error in ctx {command}: {type(error).__name__}: {text}; CTX_DEBUG=1 shows where"
        exit_code = EXIT_CANNOT
    message = one_line(message)
    on_output()
    say(message)
    if as_json:
        try:
            schema = f"ctx.{command.replace(' ', '_')}/1"
            _write_json({"schema": schema, "error": {"message": message, "exit_code": exit_code}})
        except OSError:
            leave_closed_pipe()
    return exit_code


def one_line(message: str) -> str:
    """Return an error's text as one line of at most `MESSAGE_CHARS_MAX` characters."""
    line = " ".join(message.split("\n"))
    if len(line) <= MESSAGE_CHARS_MAX:
        return line
    half = MESSAGE_CHARS_MAX // 2
    return f"{line[: half - len(_ELLIPSIS)]}{_ELLIPSIS}{line[-half:]}"


def show(outcome: Outcome, *, as_json: bool) -> None:
    """Write an answer to standard output, its notes to standard error.

    Raises: OSError when standard output cannot be written.
    """
    if as_json:
        _write_json(outcome.document)
    else:
        from .paint import Painter

        painter = Painter(sys.stdout)
        text = outcome.text(painter)
        on_output()
        if text:
            sys.stdout.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # a text stream has it
            sys.stdout.write(text if text.endswith("\n") else text + "\n")
            sys.stdout.flush()
    for note in (*outcome.notes, *redaction_notes(outcome.document)):
        say(note)


def show_to_end(command: str, outcome: Outcome, *, as_json: bool) -> int:
    """Write the answer of a command that keeps no record of itself and return the exit code, however that ends."""

    def write() -> int:
        show(outcome, as_json=as_json)
        return outcome.exit_code

    return write_to_end(command, write, exit_code=outcome.exit_code)


def look_and_show(command: str, look: Callable[[], Outcome], *, as_json: bool) -> int:
    """Run what looks at a record and show what it found; return the exit code, however that ends."""
    try:
        with reading():
            outcome = look()
    except (CtxError, KeyboardInterrupt) as error:
        return fail(command, error, as_json=as_json)
    return show_to_end(command, outcome, as_json=as_json)


def write_to_end(
    command: str, write: Callable[[], int], *, exit_code: int = EXIT_OK, interrupted: str = "interrupted"
) -> int:
    """Run what writes by itself, to standard output mostly, and return the exit code, however that ends.

    `exit_code` is for a reader who has seen enough; `interrupted` is said of an interrupt, nothing when it is empty.
    """
    try:
        return write()
    except BrokenPipeError:
        leave_closed_pipe()
        return exit_code
    except OSError as error:
        leave_closed_pipe()
        return say_unwritable(error)
    except KeyboardInterrupt:
        if interrupted:
            say(interrupted)
        return EXIT_INTERRUPTED
    except CtxError as error:
        return fail(command, error, as_json=False)


def _write_json(document: dict[str, Any]) -> None:
    import orjson

    try:
        raw = orjson.dumps(document)
    except TypeError:  # a lone surrogate in somebody's text: the slow encoder escapes it
        import json

        raw = json.dumps(document).encode("ascii")
    on_output()
    sys.stdout.buffer.write(raw + b"\n")
    sys.stdout.buffer.flush()


def unreadable(error: OSError) -> CtxError:
    """Return what is said of something a command has to read and cannot: a folder, a file of a failing disk."""
    if error.filename is None and error.errno == errno.ENOENT:
        return CtxError("the current directory was deleted; change to one that exists")
    shown = display_path(os.fsencode(error.filename)) if error.filename is not None else "a file"
    return CtxError(f"{shown}: cannot be read ({error.strerror}); check its permissions and the disk")


@contextmanager
def reading() -> Iterator[None]:
    """Raise what the system refuses to read as `unreadable` says it, apart from what it refuses to write."""
    try:
        yield
    except OSError as error:
        raise unreadable(error) from error


def say_unwritable(error: OSError) -> int:
    """Say that the answer could not be written and return the exit code."""
    say(f"standard output: cannot be written ({error.strerror}); check where it is redirected to")
    return EXIT_CANNOT


def leave_closed_pipe() -> None:
    """Point standard output at nothing, so that the interpreter's last flush does not complain."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)


def _unsaved_figure(services: Services) -> dict[str, int]:
    return {"unsaved_files": len(services.unsaved_paths)} if services.unsaved_paths else {}


def _cache_hit_rate(counters: dict[str, int]) -> float | None:
    hits = counters.get("ast_cache_hit_count", 0)
    total = hits + counters.get("ast_cache_miss_count", 0)
    return round(hits / total, 4) if total else None


@contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """Give a function to tell (done, total) to; draws a bar on a terminal's standard error, nothing in a pipe."""
    if not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    bar: Any = None
    task: Any = None
    shown = 0

    def tell(done: int, total: int) -> None:
        nonlocal bar, task, shown
        if total < PROGRESS_FILES_MIN:
            return
        if bar is None:
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

            bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            bar.start()
            task = bar.add_task(what, total=total)
        if done - shown >= _PROGRESS_STEP or done == total:
            shown = done
            bar.update(task, completed=done)

    try:
        yield tell
    finally:
        if bar is not None:
            bar.stop()


def refreshed(services: Services, *, whole: bool = False, anew: bool = False) -> RefreshReport:
    """Bring the index up to date, or build it anew, behind a bar and return what was done; a long wait is warned of."""

    def on_wait() -> None:
        services.warn("another ctx was writing the index; waited for it")

    with progress("indexing") as tell:
        if anew:
            return services.build_anew(on_progress=tell, on_wait=on_wait)
        return services.refresh(whole=whole, on_progress=tell, on_wait=on_wait)


def skipped_files(services: Services) -> list[tuple[str, str]]:
    """Return (path, reason) of everything that is not indexed: what was looked into, and what was not even opened."""
    import json  # late: a search does not count them

    not_read = services.store.meta("not_read")
    return services.store.skipped() + [(path, reason) for path, reason in json.loads(not_read or "[]")]


def token_figures(handed_on: int) -> dict[str, int]:
    """Return the token figures of an answer whose text was handed on as it was found."""
    return dict.fromkeys(("retrieved_tokens", "output_tokens", "total_tokens"), handed_on)


def printable(text: str) -> str:
    """Return an argument of the command line without the surrogates that stand for undecodable bytes."""
    return text if text.isascii() else text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def spelled(path: str) -> str:
    """Return a path of the command line with bytes that are no UTF-8 written as ids and JSON write them."""
    return path if path.isascii() or path == printable(path) else display_path(os.fsencode(path))
