"""Watch: keep the index up to date while files change.

Owns when to look. The watched folders are those of the index, each by itself: what is ignored (dependencies, version
control, our own `_ctx/`) is not watched and cannot wake us. What a look does is `refresh_index`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from ..domain.errors import CtxError, IndexBusyError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ..domain.file_events import FileEvents
    from ..domain.ports import Clock, FileWatcher, IndexPort
    from .refresh_index import RefreshReport

LOOK_EVERY_S = 30.0
"""Between looks without an event: network folders send none, and some rule files are not in a watched folder."""
RETRY_S = 1.0
GIVE_UP_AFTER_S = 5.0
"""As long as every look fails before the watch ends with the reason."""


@dataclass(frozen=True, slots=True)
class Update:
    """One refresh that changed the index."""

    report: RefreshReport
    duration_ns: int


@dataclass(frozen=True, slots=True)
class WatchIndex:
    """The use case; `index` gives the index as it is open now, for a refresh may have replaced it."""

    refresh: Callable[[], RefreshReport]
    index: Callable[[], IndexPort]
    watcher: FileWatcher
    clock: Clock

    def updates(
        self,
        on_note: Callable[[str], None],
        *,
        on_look: Callable[[], None] = lambda: None,
        on_settled: Callable[[], bool] = lambda: True,
    ) -> Iterator[Update]:
        """Yield every refresh that changed something, for ever; notes are told once each.

        `on_look` is called before each look, and `on_settled` after one that left nothing to do while every folder of
        the index was watched since before it; a False from there asks for another look at once.

        Raises: CtxError when the segment is gone or the index cannot be written, for as long as `GIVE_UP_AFTER_S`.
        """
        folders: frozenset[bytes] = frozenset()
        told: set[str] = set()

        def note(text: str) -> None:
            if text and text not in told:
                told.add(text)
                on_note(text)

        must_look = True
        failing_since_ns: int | None = None
        while True:
            if not must_look:
                must_look = self._may_matter(self.watcher.wait(LOOK_EVERY_S))
                continue
            started_ns = self.clock.perf_counter_ns()
            try:
                on_look()
                report = self._refreshed()
                found = frozenset(path for path, _mtime in self.index().directories())
            except CtxError:
                # Somebody may be deleting the folder of the index at this very moment.
                failing_since_ns = started_ns if failing_since_ns is None else failing_since_ns
                if started_ns - failing_since_ns > GIVE_UP_AFTER_S * 1e9:
                    raise
                self.watcher.wait(RETRY_S)
                continue
            failing_since_ns = None
            if report is None:
                note("another ctx is writing the index; what changed is taken in after it")
                self.watcher.wait(RETRY_S)
                continue
            must_look = found != folders  # what happened before a folder was watched woke nobody
            if must_look:
                folders = found
                note(self.watcher.watch(sorted(folders)))
            else:
                must_look = not on_settled()
            if report.did_anything:
                yield Update(report, self.clock.perf_counter_ns() - started_ns)

    def _refreshed(self) -> RefreshReport | None:
        """Refresh; None when another process writes and something is left to do."""
        try:
            report = self.refresh()
        except IndexBusyError:
            return None
        return None if report.stale else report

    def _may_matter(self, events: FileEvents) -> bool:
        """Tell whether to look: writing to a file that the index does not know, a log say, changes nothing in it."""
        if not events:
            return True  # time for a look
        if events.other:
            return True
        try:
            index = self.index()
            known = {path for path, _size, _mtime in index.stats()}
            known.update(path for path, _mtime in index.directories())  # rule files that are not indexed stand there
        except CtxError:
            return True  # the look will find out what is wrong
        return not known.isdisjoint(events.written)
