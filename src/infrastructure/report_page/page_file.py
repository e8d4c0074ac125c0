"""Where the page goes: a file of its own, never in the place of somebody else's."""

from __future__ import annotations

import os
import stat

from ...domain.errors import UsageError
from ...domain.source_files import display_path
from ..output_file import outside_telemetry
from ..regular_file import open_regular
from .page import START

_START = START.encode()


def page_place(path: str) -> str:
    """Return the real path of the page to be written, links followed.

    A file that is there is replaced when it is empty or a report of ours; what else it holds is kept.

    Raises: UsageError.
    """
    shown = display_path(os.fsencode(path))
    if path == "-":
        raise UsageError("--html -: standard output has the report as text; name a file, such as --html report.html")
    real = ""
    try:
        real = os.path.realpath(path)
        found = os.stat(path)  # and not `real`: of /dev/stdout that is no path
    except FileNotFoundError:
        if not real:
            raise UsageError(
                f"--html {shown}: the current directory was deleted; change to one that exists, or name the whole path"
            ) from None
        if path.endswith("/") or not os.path.isdir(os.path.dirname(real)):
            raise UsageError(f"--html {shown}: there is no such directory; make it first") from None
        return outside_telemetry(real, shown, "--html")
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"--html {shown}: cannot be looked at ({reason}); name another file") from None
    if stat.S_ISDIR(found.st_mode):
        raise UsageError(f"--html {shown}: is a directory; name a file in it")
    if not stat.S_ISREG(found.st_mode) or (found.st_size and not _is_ours(real)):
        raise UsageError(f"--html {shown}: is there and is no report of ctx; remove it, or name another file")
    return outside_telemetry(real, shown, "--html")


def _is_ours(path: str) -> bool:
    try:
        with open(open_regular(path, os.O_RDONLY), "rb") as file:
            return file.read(len(_START)) == _START
    except OSError:
        return False
