"""HostAccess: a host's backend as the services of another process ask it, over one connection of their own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from ..warm_host import HostLook, UnsavedIndex
from .backend_link import BackendLink, LinkBrokenError
from .remote_servers import RemoteServers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ...domain.source_files import OsPath

CLEAN_WAIT_S = 1.0
"""A backend that is stopped must not hold a command up for longer; one that is busy answers in time."""
FACES_WAIT_S = 5.0
"""Where editors or agents use the host: what they have not saved is worth more than a second."""
SILENT_S = 5.0
"""For how long a backend that did not answer in time is not asked again: a command asks three times in a row."""
UNSAVED_WAIT_S = 12.0
"""As long as the backend itself waits for unsaved texts to be taken in, and a little more."""


class HostAccess:
    """Implements `WarmHost`; a backend that cannot be reached knows nothing. For one thread."""

    def __init__(
        self, backend_path: str, deadline_ms: int, *, clean_wait_s: float = CLEAN_WAIT_S, has_faces: bool = False
    ) -> None:
        """Connect to nothing yet.

        `deadline_ms` is what a question to a language server has in the backend, `has_faces` whether somebody uses the
        host who may hold unsaved texts.
        """
        self._clean_wait_s = clean_wait_s
        self._has_faces = has_faces
        self._backend_path = backend_path
        self._deadline_ms = deadline_ms
        self._link = BackendLink(backend_path)
        self._silent_until_s = 0.0

    def look(self, settings_mark: str) -> HostLook:
        """Return what is known now; see `WarmHost`."""
        try:
            if not self._is_silent():
                return self.try_look(settings_mark)
        except LinkBrokenError as error:
            self._note(error)
        return HostLook(is_unknown=self._has_faces)

    def try_look(self, settings_mark: str) -> HostLook:
        """Return what is known now.

        Raises: LinkBrokenError when the backend does not answer.
        """
        about = {"settings": settings_mark}
        said = self._link.call("clean", about, wait_s=self._clean_wait_s)
        if said.get("has_unsaved"):
            said = self._link.call("unsaved", about, wait_s=UNSAVED_WAIT_S)
        return look_of(said)

    def has_texts_of(self, version: int, settings_mark: str) -> bool:
        """Tell whether the texts are still those; see `WarmHost`."""
        if self._is_silent():
            return False
        try:
            said = self._link.call("clean", {"settings": settings_mark}, wait_s=self._clean_wait_s)
        except LinkBrokenError as error:
            self._note(error)
            return False
        return said.get("version") == version

    def unsaved_data(self, os_path: OsPath) -> bytes | None:
        """Return an unsaved text; see `WarmHost`."""
        from ..unsaved_files import data_of

        try:
            text = self._link.call("text", {"path": os_path.hex()}, wait_s=UNSAVED_WAIT_S).get("text")
        except LinkBrokenError:
            return None
        return data_of(text, os_path) if isinstance(text, str) else None

    def renew_unsaved(self) -> None:
        """Have the index over unsaved texts made anew."""
        self._tell("renew", {})

    def servers(self) -> RemoteServers:
        """Return the host's language servers."""
        return RemoteServers(self._backend_path, self._deadline_ms, is_silent=self._is_silent)

    def prepare(self, language: str, path: str) -> None:
        """Have a server started."""
        self._tell("prepare", {"language": language, "path": path})

    def close(self) -> None:
        """Let go of the connection."""
        self._link.close()

    def _tell(self, verb: str, content: Mapping[str, Any]) -> None:
        if self._is_silent():
            return
        try:
            self._link.call(verb, content, wait_s=self._clean_wait_s)
        except LinkBrokenError as error:
            self._note(error)

    def _is_silent(self) -> bool:
        return time.monotonic() < self._silent_until_s

    def _note(self, error: LinkBrokenError) -> None:
        """Remember a backend that let time pass; one that has just ended is another one soon."""
        if isinstance(error.__cause__, TimeoutError):
            self._silent_until_s = time.monotonic() + SILENT_S


def look_document(look: HostLook) -> dict[str, Any]:
    """Return a look as JSON carries it."""
    document: dict[str, Any] = {"mark": look.mark, "is_pending": look.is_pending, "is_unknown": look.is_unknown}
    if look.unsaved is not None:
        files = [[path.hex(), size, mtime] for path, (size, mtime) in look.unsaved.files.items()]
        unsaved = look.unsaved
        document["unsaved"] = {
            "index": unsaved.path,
            "files": files,
            "stale": list(unsaved.stale),
            "version": unsaved.version,
        }
    return document


def look_of(content: Mapping[str, Any]) -> HostLook:
    """Return the look in a document.

    Raises: LinkBrokenError for one that holds none.
    """
    try:
        said = content.get("unsaved")
        unsaved = None
        if said is not None:
            files = {bytes.fromhex(path): (size, mtime) for path, size, mtime in said["files"]}
            unsaved = UnsavedIndex(said["index"], files, tuple(said["stale"]), said["version"])
        marks = {name: bool(content.get(name)) for name in ("is_pending", "is_unknown")}
        return HostLook(str(content.get("mark", "")), unsaved, **marks)
    except (KeyError, TypeError, ValueError) as error:
        raise LinkBrokenError(f"no look: {error}") from error
