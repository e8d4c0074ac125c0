"""`ctx daemon`: start, stop and look at the segment's warm host."""

from __future__ import annotations

import os
import select
import signal
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ...domain.errors import CtxError
from ..config import host_settings, load_config
from ..host.backend_link import BackendLink, LinkBrokenError
from ..host.handover import installation
from ..host.host_lock import HostRunsError
from ..host.host_log import HostLog
from ..host.launch import running_host, spawn_host
from ..segment import find_segment
from ..services import Services, say
from .runner import EXIT_NOTHING, EXIT_OK, Outcome, fail, show, telling_of_new_segment

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..host.places import HostPlace
    from .paint import Painter

SCHEMA = "ctx.daemon/1"
START_WAIT_S = 30.0
STOP_WAIT_S = 40.0
STATUS_WAIT_S = 5.0
LOG_LINES = 50
_LOOK_EVERY_S = 0.02
_LAST_LINES = 3


def run_start(*, segment: str | None, as_json: bool, foreground: bool = False, until_unused: bool = False) -> int:
    """`ctx daemon start`: start the host and wait until it answers; fine when it runs already."""
    start = lambda found: _start(found, foreground=foreground, until_unused=until_unused)  # noqa: E731
    return _run(start, segment, as_json=as_json)


def run_stop(*, segment: str | None, as_json: bool) -> int:
    """`ctx daemon stop`: end the host and wait until it and all it started are gone; fine when none runs."""
    return _run(_stop, segment, as_json=as_json)


def run_status(*, segment: str | None, as_json: bool) -> int:
    """`ctx daemon status`: what the host does; exit code 1 when none runs."""
    return _run(_status, segment, as_json=as_json)


def run_logs(*, segment: str | None, as_json: bool, lines: int = LOG_LINES) -> int:
    """`ctx daemon logs`: the last lines of the host's log."""
    return _run(lambda found: _logs(found, lines), segment, as_json=as_json)


def _run(body: Callable[[str], Outcome], segment: str | None, *, as_json: bool) -> int:
    try:
        given = os.environ.get("CTX_SEGMENT") or None if segment is None else segment
        found = find_segment(given)
        with telling_of_new_segment(found, is_named=given is not None):
            outcome = body(found)
        show(outcome, as_json=as_json)
    except (CtxError, KeyboardInterrupt) as error:
        return fail("daemon", error, as_json=as_json)
    return outcome.exit_code


# ---------------------------------------------------------------------- start


def _start(segment: str, *, foreground: bool, until_unused: bool) -> Outcome:
    from ..host.front import choose_place

    log = HostLog(Services(segment).state_folder, segment)
    if running_host(segment)[0] is not None:
        known = _wait_for_answer(segment, log)
        if known is not None:
            why = _why_replaced(segment, known, keeps_settings=foreground or until_unused)
            if not why and not until_unused and not known.get("is_kept"):
                why = _why_not_kept(segment)
                known["is_kept"] = True
            if not why:
                return _told(segment, "running", known, "the warm host runs already")
            say(f"the host that runs {why}; it is replaced")
            _end(known["front_pid"])
    if foreground:
        return _serve(segment, until_unused=until_unused)
    choose_place(segment)  # what is wrong with it is told here and not in a log
    try:
        child = spawn_host(segment)
    except OSError as error:
        raise CtxError(
            f"the warm host's process could not be made ({error.strerror}); commands work without"
        ) from error
    known = _wait_for_answer(segment, log, child)
    if known is None:
        raise CtxError(f"the warm host ended at its start; {_last_words(log, child)}")
    return _told(segment, "started", known, "the warm host is started")


def _why_replaced(segment: str, known: dict[str, Any], *, keeps_settings: bool) -> str:
    """Return what is wrong with the host that runs, "" when it is as one that is started now.

    `keeps_settings` is for a start that others ask for, from an environment of their own: only a person's changes that.
    """
    if known.get("installation") != os.fsdecode(installation()):
        return f"is of another ctx ({known.get('version')})"
    changed = [] if keeps_settings else changed_settings(segment, known)
    return f"has other settings ({', '.join(changed)})" if changed else ""


def changed_settings(segment: str, known: dict[str, Any]) -> list[str]:
    """Return the settings that a host with this status keeps from its start and that are other ones now."""
    try:
        ours = host_settings(load_config(segment, os.environ))
    except CtxError:
        return []  # whoever reads them will say so
    theirs = known.get("settings") or {}
    return [name for name, value in ours.items() if name in theirs and theirs[name] != value]


def _why_not_kept(segment: str) -> str:
    """Have a host that a face started live on without one; return why it does not, "" when it does."""
    place, _pid = running_host(segment)
    if place is None:
        return "has ended"
    link = BackendLink(place.backend)
    try:
        said = link.call("keep", {}, wait_s=STATUS_WAIT_S)
    except LinkBrokenError as error:
        raise CtxError(f"the warm host did not answer ({error}); run the command again") from error
    finally:
        link.close()
    return "is about to end" if "error" in said else ""


def _serve(segment: str, *, until_unused: bool) -> Outcome:
    from ..host.front import Front, choose_place

    services = Services(segment)
    log = HostLog(services.state_folder, segment)
    os.chdir("/")  # whoever started us may want to remove or unmount where that was
    try:
        front = Front(
            segment,
            choose_place(segment),
            services.config,
            log,
            index_path=services.index_path,
            until_unused=until_unused,
        )
        why = front.serve()
    except HostRunsError:
        _place, pid = running_host(segment)
        return _told(segment, "running", {"front_pid": pid}, "the warm host runs already")
    except CtxError as error:
        log.write("front", f"cannot serve: {error}")
        raise
    return _told(segment, "ended", {}, f"the warm host has ended: {why}")


def _wait_for_answer(segment: str, log: HostLog, child: int = 0) -> dict[str, Any] | None:
    """Return the status of the host that runs, or that `child` is about to be; None when there is none any more.

    Raises: CtxError when it does not answer in time.
    """
    ends_s = time.monotonic() + START_WAIT_S
    while time.monotonic() < ends_s:
        place, _pid = running_host(segment)
        known = _asked_status(place) if place is not None else None
        if known is not None:
            return known
        if place is None and (not child or os.waitpid(child, os.WNOHANG)[0]):
            return None
        time.sleep(_LOOK_EVERY_S)
    raise CtxError(f"the warm host did not answer within {START_WAIT_S:g} s; {_last_words(log, child)}")


def _last_words(log: HostLog, child: int) -> str:
    """Return what the host that this command started wrote last; of any host when it found one."""
    lines = log.tail(LOG_LINES)
    if child:  # what one before it said would be taken for the reason
        lines = [line for line in lines if line.split(" ")[1:3] == ["front", str(child)]]
    lines = lines[-_LAST_LINES:]
    return "its log ends with: " + " | ".join(lines) if lines else "`ctx daemon start --foreground` shows why"


def host_status(segment: str) -> dict[str, Any] | None:
    """Return the status of a segment's host; None when none runs, or it does not answer."""
    place, _pid = running_host(segment)
    return _asked_status(place) if place is not None else None


def _asked_status(place: HostPlace) -> dict[str, Any] | None:
    link = BackendLink(place.backend)
    try:
        return link.call("status", {}, wait_s=STATUS_WAIT_S)
    except LinkBrokenError:
        return None
    finally:
        link.close()


# ---------------------------------------------------------------------- stop


def _stop(segment: str) -> Outcome:
    place, pid = running_host(segment)
    ends_s = time.monotonic() + STOP_WAIT_S
    while place is not None and not pid:  # it has just begun and is about to say which process it is
        if time.monotonic() > ends_s:
            raise CtxError(f"the warm host that is being started did not say within {STOP_WAIT_S:g} s who it is")
        time.sleep(_LOOK_EVERY_S)
        place, pid = running_host(segment)
    if place is None:
        return _told(segment, "not running", {}, "no warm host runs for this segment")
    _end(pid)
    return _told(segment, "stopped", {"front_pid": pid}, "the warm host is stopped")


def _end(pid: int) -> None:
    """End a host and wait until its process is gone, which it is after everything it started.

    Raises: CtxError when it does not end.
    """
    try:
        process = os.pidfd_open(pid)
    except (ProcessLookupError, OSError):
        return
    try:
        signal.pidfd_send_signal(process, signal.SIGTERM)
        if not select.select([process], [], [], STOP_WAIT_S)[0]:
            raise CtxError(
                f"the warm host (process {pid}) did not end within {STOP_WAIT_S:g} s; `kill -9 {pid}` ends it"
            )
    except ProcessLookupError:
        pass
    finally:
        os.close(process)


# ---------------------------------------------------------------------- status and logs


def _status(segment: str) -> Outcome:
    place, pid = running_host(segment)
    if place is None:
        return _told(segment, "not running", {}, "no warm host runs for this segment", exit_code=EXIT_NOTHING)
    known = _asked_status(place)
    if known is None:
        return _told(
            segment, "silent", {"front_pid": pid}, "the warm host does not answer (yet)", exit_code=EXIT_NOTHING
        )
    return _told(segment, "running", known, "the warm host runs")


def _logs(segment: str, lines: int) -> Outcome:
    log = HostLog(Services(segment).state_folder, segment)
    found = log.tail(lines)
    document = {"schema": SCHEMA, "lines": found}
    text = "\n".join(found) or "the warm host has written no log here"
    return Outcome(document, lambda paint: paint.safe(text), EXIT_OK if found else EXIT_NOTHING)


def _told(segment: str, state: str, known: dict[str, Any], sentence: str, *, exit_code: int = EXIT_OK) -> Outcome:
    figures = {key: value for key, value in known.items() if key not in {"id", "installation", "settings"}}
    document = {"schema": SCHEMA, "state": state, "segment": os.path.basename(segment), **figures}
    document |= {"changed_settings": changed_settings(segment, known)} if "settings" in known else {}
    document |= {"faces": [_dated(face) for face in figures["faces"]]} if "faces" in figures else {}
    for name in ("started_unix_ns", "idle_until_unix_ns"):
        if figures.get(name):
            shown = datetime.fromtimestamp(figures[name] / 1e9, UTC).isoformat(timespec="seconds")
            document[name.removesuffix("_unix_ns")] = shown
            del document[name]
    return Outcome(document, lambda paint: _text(sentence, document, paint), exit_code)


def _dated(face: dict[str, Any]) -> dict[str, Any]:
    since = datetime.fromtimestamp(face["since_unix_ns"] / 1e9, UTC).isoformat(timespec="seconds")
    return {"face": face["face"], "pid": face["pid"], "since": since}


def _text(sentence: str, document: dict[str, Any], paint: Painter) -> str:
    lines = [sentence]
    rows = [
        ("processes", " ".join(str(document[key]) for key in ("front_pid", "backend_pid") if document.get(key))),
        ("version", document.get("version")),
        ("since", document.get("started")),
        ("commands", f"{document['served']} served, {document['running']} running" if "served" in document else None),
        ("memory", _memory(document)),
        ("index", _index(document)),
        ("ends", _end_of(document)),
        ("settings", _settings(document)),
    ]
    lines += [f"  {paint('quiet', name)} {value}" for name, value in rows if value]
    for face in document.get("faces", ()):
        lines.append(f"  {paint('quiet', 'face')} {paint('name', face['face'])} {face['pid']} since {face['since']}")
    for path in document.get("unsaved", ()):
        lines.append(f"  {paint('quiet', 'unsaved')} {paint('path', path)}")
    for server in document.get("servers", ()):
        root = server.get("root", ".")
        lines.append(f"  {paint('quiet', 'server')} {paint('name', server['server'])} {root}: {server['state']}")
    return "\n".join(lines)


def _settings(document: dict[str, Any]) -> str | None:
    changed = ", ".join(document.get("changed_settings", ()))
    return f"{changed} changed since it started; `ctx daemon start` takes that over" if changed else None


def _end_of(document: dict[str, Any]) -> str | None:
    if "is_kept" in document and not document["is_kept"]:
        return "when no editor or agent uses it any more"
    if document.get("faces"):
        return "not while an editor or agent uses it"
    return f"at {document['idle_until']} unless used" if "idle_until" in document else None


def _memory(document: dict[str, Any]) -> str | None:
    if "host_memory_bytes" not in document:
        return None
    host, servers = document["host_memory_bytes"] >> 20, document["servers_memory_bytes"] >> 20
    return f"{host} MiB, its language servers {servers} MiB"


def _index(document: dict[str, Any]) -> str | None:
    index = document.get("index")
    if not index:
        return None
    if not (index["ended"] or index["generation"] or index["updates"]):
        return "its first look is under way; commands look themselves meanwhile"
    if index["ended"] or not index["is_exact"]:
        return "not watched; commands look themselves"
    return "watched and up to date" if index["is_clean"] else "watched; being brought up to date"
