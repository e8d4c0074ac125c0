"""Which indexed files no process of a command may parse, and why.

A grammar that crashed, hung or ran out of memory on a file did so in a worker, which could be lost. The command's own
process cannot, so whoever wants to parse asks here first.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..domain.index_records import SYNTAX_ERRORS

if TYPE_CHECKING:
    from ..domain.index_records import FileRecord
    from ..domain.ports import IndexPort

UNPARSED_STATUSES = frozenset({"failed", "skipped"})


def why_unparsed(record: FileRecord) -> str:
    """Return why a file must not be parsed, "" when it may be."""
    return (record.reason or record.status) if record.status in UNPARSED_STATUSES else ""


def failed_files(index: IndexPort) -> dict[str, str]:
    """Return {path: reason} of the files that are indexed as text because their parse failed, by path."""
    return {path: reason for path, reason in index.partial() if reason != SYNTAX_ERRORS}


def unparsed_files(index: IndexPort) -> dict[str, str]:
    """Return {path: reason} of every known file that must not be parsed."""
    return {**failed_files(index), **dict(index.skipped())}
