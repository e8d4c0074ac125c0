"""Work-done progress: what takes long, shown by the editor where it can."""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING, Any

from lsprotocol import types

if TYPE_CHECKING:
    from collections.abc import Callable

    from .protocol import EditorProtocol

REPORT_EVERY_S = 0.1


class Progress:
    """One piece of work; `begin`, `report` and `end` may come in any number, and before the client has agreed."""

    _numbers = itertools.count(1)

    def __init__(self, protocol: EditorProtocol, title: str, *, is_wanted: Callable[[], bool]) -> None:
        """Ask for nothing yet; `is_wanted` tells whether the client shows progress and the user wants it."""
        self._protocol = protocol
        self._title = title
        self._is_wanted = is_wanted
        self._token = ""
        self._is_agreed = False
        self._is_over = False
        self._latest: dict[str, Any] = {}
        self._reported_s = 0.0

    @property
    def is_begun(self) -> bool:
        """Whether it was begun."""
        return bool(self._token)

    def begin(self, message: str = "") -> None:
        """Show it; does nothing the second time."""
        if self._token or not self._is_wanted():
            return
        self._token = f"ctx-{next(self._numbers)}"
        self._latest = {"message": message} if message else {}
        params = types.WorkDoneProgressCreateParams(token=self._token)
        future = self._protocol.send_request(types.WINDOW_WORK_DONE_PROGRESS_CREATE, params)
        future.add_done_callback(self._agreed)

    def report(self, message: str, percentage: int | None = None) -> None:
        """Say how far it is, at most ten times a second."""
        self._latest = {"message": message} | ({} if percentage is None else {"percentage": percentage})
        now_s = time.monotonic()
        if self._is_agreed and not self._is_over and now_s - self._reported_s >= REPORT_EVERY_S:
            self._reported_s = now_s
            self._tell({"kind": "report", **self._latest})

    def end(self, message: str = "") -> None:
        """Take it away; `begin` shows it anew."""
        if not self._token:
            return
        self._is_over = True
        self._latest = {"message": message} if message else {}
        if self._is_agreed:
            self._finish()

    def _agreed(self, future: Any) -> None:
        if future.cancelled() or future.exception() is not None:
            self._token = ""  # the client wants none of it
            return
        self._is_agreed = True
        self._tell({"kind": "begin", "title": self._title, "cancellable": False, **self._latest})
        if self._is_over:
            self._finish()

    def _finish(self) -> None:
        self._tell({"kind": "end", **{key: value for key, value in self._latest.items() if key == "message"}})
        self._token, self._is_agreed, self._is_over = "", False, False

    def _tell(self, value: dict[str, Any]) -> None:
        self._protocol.tell(types.PROGRESS, {"token": self._token, "value": value})
