"""Where a person wants something written: a file that is there whole or not at all, or standard output."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from typing import TYPE_CHECKING

from ..domain.errors import CtxError, UsageError
from ..domain.source_files import display_path
from .regular_file import open_regular
from .state_folder import CTX_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import BinaryIO

STDOUT = "-"
OUTPUT = "--output"
_BUFFER_BYTES = 1 << 20
_NAME_CHARS_MAX = 50
"""At most 200 bytes: with what stands around it a name has 255."""
_PART = re.compile(r"(?P<pid>[0-9]{1,10})\.part(?:\.rows|-journal|-wal)?")


def check_target(path: str, *, replaces: bool, own: bytes = b"", option: str = OUTPUT) -> str:
    """Return the real path of a file to be written, links followed; `option` is what named it.

    With `own` a file that is there is replaced when it is empty or begins so: it is one of those that are written.

    Raises: UsageError when it is a directory, no regular file, in no directory, in a telemetry folder, or there already
    and not to be replaced.
    """
    stdout = f", or {STDOUT} for standard output" if option == OUTPUT else ""
    if not path:
        raise UsageError(f"{option} is empty; give a file{stdout}")
    named = f"{option} {display_path(os.fsencode(path))}"
    real = ""
    try:
        real = os.path.realpath(path)
        found = os.stat(path)  # and not `real`: of /dev/stdout that is no path
    except FileNotFoundError:
        if not real:
            raise UsageError(
                f"{named}: the current directory was deleted; change to one that exists, or give the whole path"
            ) from None
        if path.endswith("/") or not os.path.isdir(os.path.dirname(real)):
            raise UsageError(f"{named}: there is no such directory; make it first") from None
        return _outside_telemetry(real, named)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"{named}: cannot be looked at ({reason}); give another file") from None
    if stat.S_ISDIR(found.st_mode):
        raise UsageError(f"{named}: is a directory; give a file in it")
    if not stat.S_ISREG(found.st_mode):
        raise UsageError(f"{named}: is no regular file; give a file{stdout}")
    if own and not _begins(real, own):
        raise UsageError(f"{named}: is there already and is something else; give another name")
    if not replaces and not own:
        raise UsageError(f"{named}: is there already; give another name, or --force to replace it")
    return _outside_telemetry(real, named)


def check_apart(path: str, read_paths: Iterable[str]) -> None:
    """Raise UsageError when a file to be written is one of those that are read."""
    for each in read_paths:
        with contextlib.suppress(OSError):
            if os.path.samefile(path, each):
                shown = display_path(os.fsencode(path))
                raise UsageError(f"--output {shown}: is read for this, and would be gone; give another name")


@contextlib.contextmanager
def temporary_beside(path: str, *, replaces: bool, option: str = OUTPUT) -> Iterator[str]:
    """Give the name of a file to write; what is there when the block ends becomes `path`, after an error nothing does.

    `path` is what `check_target` returned. A file that came to be there meanwhile is kept unless `replaces`.

    Raises: CtxError when the disk refuses (full, read-only, no permission); UsageError for a file that came meanwhile.
    """
    named = f"{option} {display_path(os.fsencode(path))}"
    folder, name = os.path.split(path)
    begin = f".{name[:_NAME_CHARS_MAX]}."
    temporary = os.path.join(folder, f"{begin}{os.getpid()}.part")
    _remove_left(folder, begin)
    try:
        yield temporary
        _sync(temporary)
        if replaces:
            os.replace(temporary, path)
        else:
            _name_unless_there(temporary, path)
    except FileExistsError:
        raise UsageError(f"{named}: came to be there meanwhile; --force replaces it") from None
    except OSError as error:
        if isinstance(error, BrokenPipeError):
            raise
        reason = error.strerror or str(error)
        raise CtxError(f"{named}: cannot be written ({reason}); check permissions and free space") from error
    finally:
        _remove_left(folder, begin)


@contextlib.contextmanager
def output_stream(path: str, *, replaces: bool, own: bytes = b"", option: str = OUTPUT) -> Iterator[BinaryIO]:
    """Give a stream of bytes to `path`, whole or not at all, or to standard output for `-`.

    What `path` is, is looked at once more: what took long may have been overtaken.

    Raises: as `check_target` and `temporary_beside`; OSError of standard output, BrokenPipeError among them.
    """
    if path == STDOUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = check_target(path, replaces=replaces, own=own, option=option)
    with temporary_beside(target, replaces=replaces, option=option) as temporary:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
        with open(os.open(temporary, flags, 0o644), "wb", buffering=_BUFFER_BYTES) as file:
            yield file


def interrupted_text(path: str) -> str:
    """Return what an interrupt left of what was to be written."""
    return "interrupted" if path == STDOUT else "interrupted; nothing was written"


def _remove_left(folder: str, begin: str) -> None:
    """Remove what this process left of a file half-written, and what those left that were killed."""
    try:
        names = os.listdir(folder)
    except OSError:
        return
    for name in names:
        part = _PART.fullmatch(name[len(begin) :]) if name.startswith(begin) else None
        if part is not None and (int(part["pid"]) == os.getpid() or not _is_alive(int(part["pid"]))):
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(folder, name))


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except OSError:
        return True  # somebody else's
    return True


def _outside_telemetry(real: str, named: str) -> str:
    """Return the path; raises UsageError for one among the events, where it would replace or pass for some."""
    folder, name = os.path.split(os.path.dirname(real))
    if name == "telemetry" and os.path.basename(folder) == CTX_FOLDER:
        raise UsageError(f"{named}: is in a telemetry folder, which is for events alone; give another place")
    return real


def _begins(path: str, own: bytes) -> bool:
    try:
        with open(open_regular(path, os.O_RDONLY), "rb") as file:
            found = file.read(len(own))
    except OSError:
        return False
    return found in {b"", own}


def _name_unless_there(temporary: str, path: str) -> None:
    try:
        os.link(temporary, path)  # fails when it is there; a rename would replace it
    except FileExistsError:
        raise
    except OSError:  # a file system without second names
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        os.rename(temporary, path)


def _sync(path: str) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
