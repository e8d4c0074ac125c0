"""The host's log: one line an event with its time and process, redacted like telemetry, in one file of bounded size."""

from __future__ import annotations

import fcntl
import os
from datetime import UTC, datetime

from ...domain.telemetry.redaction import PathRedactor
from ..regular_file import open_regular
from ..secrets import redact_value

LOG_FILE = "daemon.log"
LOG_BYTES_MAX = 1024 * 1024
_LINE_CHARS_MAX = 2000


class HostLog:
    """Appends to `<folder>/daemon.log`; a full one becomes `daemon.log.1`, which replaces the one before."""

    def __init__(self, folder: str, segment: str, *, bytes_max: int = LOG_BYTES_MAX) -> None:
        """Write nothing yet."""
        self.path = os.path.join(folder, LOG_FILE)
        home = os.path.expanduser("~")
        homes = [home, os.path.realpath(home)] if os.path.isabs(home) else []
        self._redactor = PathRedactor((os.path.realpath(segment), segment), homes, secrets=redact_value)
        self._bytes_max = bytes_max

    def write(self, who: str, text: str) -> None:
        """Append one line; one that cannot be written is lost, the host works on."""
        said = self._redactor.text(" ".join(text.split()))[:_LINE_CHARS_MAX]
        line = f"{datetime.now(UTC).isoformat(timespec='milliseconds')} {who} {os.getpid()} {said}\n"
        # A repository can ship a link of that name, an archive a pipe.
        try:
            log = open_regular(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(log, line.encode("utf-8", "backslashreplace"))
                if os.fstat(log).st_size > self._bytes_max:
                    self._rotate(log)
            finally:
                os.close(log)
        except OSError:
            pass

    def _rotate(self, log: int) -> None:
        """Put a full log aside, unless another process of the host has done that: what is there now is not full."""
        fcntl.flock(log, fcntl.LOCK_EX)
        if os.path.samestat(os.fstat(log), os.stat(self.path)):
            os.replace(self.path, self.path + ".1")

    def tail(self, lines: int) -> list[str]:
        """Return the last lines, the newest last; none when nothing was ever written."""
        found: list[str] = []
        for path in (self.path, self.path + ".1"):
            try:
                with open(open_regular(path, os.O_RDONLY), encoding="utf-8", errors="replace") as file:
                    found = file.read().splitlines() + found
            except OSError:
                continue
            if len(found) >= lines:
                break
        return found[-lines:] if lines > 0 else []
