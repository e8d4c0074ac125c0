"""NotifyWatcher: file system events by `watchfiles`, and a look now and then where the system has no more to give.

Owns the system's limits and the form of events. Which folders matter and what to do about a change is decided by
`application.watch_index`.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from watchfiles import Change
from watchfiles._rust_notify import RustNotify, WatchfilesRustInternalError  # documented for use by itself

from ..domain.file_events import FileEvents

if TYPE_CHECKING:
    from collections.abc import Iterable

DEBOUNCE_MS = 500
"""Changes that keep coming are handed on after this long all the same."""
QUIET_MS = 50
"""Changes are handed on when none came for this long."""
POLL_S = 2.0
_ATTEMPTS = 5
"""Folders may go while they are being watched one after the other."""
_LIMIT_NOTE = (
    "the system cannot watch all folders ({reason}); looking every {seconds:g} s instead "
    "(on Linux, raise fs.inotify.max_user_watches or max_user_instances)"
)


class NotifyWatcher:
    """Watches folders of one segment; `close` ends the thread behind it."""

    def __init__(self, root: str) -> None:
        """Take the segment's absolute path with its links resolved; nothing is watched yet."""
        self._root = os.fsencode(root)
        self._notify: RustNotify | None = None

    def __enter__(self) -> NotifyWatcher:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop watching; safe to call twice."""
        if self._notify is not None:
            self._notify.close()
            self._notify = None

    def watch(self, folders: Iterable[bytes]) -> str:
        """Watch these folders in place of those before; see `FileWatcher`."""
        self.close()
        wanted = [os.path.join(self._root, folder) for folder in folders]
        reason = "they keep going away"
        for _ in range(_ATTEMPTS):
            # What is no text cannot be handed to watchfiles; the regular look covers it, as it does what just went.
            paths = [path.decode("utf-8") for path in wanted if _is_text(path) and os.path.isdir(path)]
            try:
                # Permissions: a folder closed to us is none of the index's business until it is opened.
                self._notify = RustNotify(paths, False, False, 0, False, True)
            except FileNotFoundError:
                continue
            except (OSError, WatchfilesRustInternalError) as error:
                reason = " ".join(str(error).split())
                break
            else:
                return ""
        return _LIMIT_NOTE.format(reason=reason, seconds=POLL_S)

    def wait(self, timeout_s: float) -> FileEvents:
        """Wait for changes; see `FileWatcher`.

        Raises: KeyboardInterrupt when a signal's handler raised anything, which watchfiles keeps to itself.
        """
        if self._notify is None:
            time.sleep(min(timeout_s, POLL_S))
            return FileEvents(other=True)
        found = self._notify.watch(DEBOUNCE_MS, QUIET_MS, max(1, int(timeout_s * 1000)), None)
        if found == "timeout":
            return FileEvents()
        if isinstance(found, str):
            raise KeyboardInterrupt
        written: set[bytes] = set()
        other = False
        prefix = self._root.rstrip(b"/") + b"/"
        for change, path in found:
            os_path = os.fsencode(path)
            if change != Change.modified or "\N{REPLACEMENT CHARACTER}" in path or not os_path.startswith(prefix):
                other = True
            else:
                written.add(os_path.removeprefix(prefix))
        return FileEvents(frozenset(written), other)


def _is_text(path: bytes) -> bool:
    try:
        path.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
