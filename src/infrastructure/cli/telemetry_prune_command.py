"""`ctx telemetry prune`: remove what was recorded."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ...domain.errors import UsageError
from ...domain.source_files import display_path
from ...domain.telemetry.moments import moment_us
from ...domain.telemetry.selection import age_of
from ..event_sink import KEEP_ROTATED
from ..telemetry_pruning import Pruned, PrunePlan, folders_of, prune
from .runner import EXIT_CANNOT, EXIT_OK, Outcome, look_and_show

if TYPE_CHECKING:
    from .paint import Painter

COMMAND = "telemetry prune"
SCHEMA = "ctx.telemetry_prune/1"


@dataclass(frozen=True, slots=True)
class PruneOptions:
    """What `ctx telemetry prune` was asked for."""

    places: tuple[str, ...]
    keep: int | None
    older_than: str
    everything: bool
    dry_run: bool
    recursive: bool


def run_prune(options: PruneOptions, *, segment: str | None, as_json: bool) -> int:
    """`ctx telemetry prune`: remove old events; fine when there are none."""
    return look_and_show(COMMAND, lambda: _prune(options, segment), as_json=as_json)


def _prune(options: PruneOptions, segment: str | None) -> Outcome:
    plan = _plan(options, datetime.now(UTC))
    pruned = Pruned()
    for folder in folders_of(options.places, segment, is_recursive=options.recursive):
        prune(folder, plan, pruned)
    document = {
        "schema": SCHEMA,
        "dry_run": plan.is_dry,
        "removed": [{"path": _shown(path), "bytes": size} for path, size in pruned.removed],
        "files": len(pruned.removed),
        "bytes": pruned.size_bytes,
        "left": [{"path": _shown(path), "reason": reason} for path, reason in pruned.left],
    }
    code = EXIT_CANNOT if pruned.left else EXIT_OK
    notes = [f"{_shown(path)}: left as it is ({reason})" for path, reason in pruned.left]
    return Outcome(document, lambda painter: _text(pruned, painter, is_dry=plan.is_dry), code, notes=notes)


def _plan(options: PruneOptions, now: datetime) -> PrunePlan:
    if options.everything and (options.keep is not None or options.older_than):
        raise UsageError("--all removes everything; leave out --keep and --older-than, or --all")
    if not options.older_than:
        keep = KEEP_ROTATED if options.keep is None else options.keep
        return PrunePlan(keep, None, options.everything, options.dry_run)
    try:
        age = age_of(options.older_than)
        before = now - age if age is not None else None
    except OverflowError:
        before = datetime.min.replace(tzinfo=UTC)
    if before is None:
        raise UsageError(f"--older-than must be an age (12h, 7d, 2w), found {options.older_than[:60]!r}")
    return PrunePlan(options.keep or 0, moment_us(before.isoformat()), is_dry=options.dry_run)


def _text(pruned: Pruned, painter: Painter, *, is_dry: bool) -> str:
    if not pruned.removed:
        return painter("quiet", "nothing to remove")
    done = "would be removed" if is_dry else "removed"
    lines = [
        f"{painter('path', _shown(path))}  {painter('number', f'{size:,}')} bytes" for path, size in pruned.removed
    ]
    count = len(pruned.removed)
    total = f"{count} file{'' if count == 1 else 's'}, {pruned.size_bytes:,} bytes {done}"
    undo = "; once removed, they cannot be brought back" if is_dry else "; they cannot be brought back"
    return "\n".join([*lines, total + undo])


def _shown(path: str) -> str:
    return display_path(os.fsencode(path))
