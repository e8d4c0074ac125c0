"""GitHistory: the commits of the repository around a segment, read by git's own plumbing, nothing written.

Owns every git process: what it may see of the user's settings, what it may do, what its complaints mean. Only plumbing
commands are used, and they are told whatever a setting could change. The user's and the system's configuration are
still read, because `safe.directory` counts only there and is the user's decision.

No network: a partial clone would fetch missing objects by itself; every transport is refused.
"""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
from typing import TYPE_CHECKING

from ..domain.errors import CtxError, UsageError
from ..domain.evaluation import Commit, FileChange, LineRun
from ..domain.source_files import display_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import IO

_OPTIONS = (
    "--no-pager",
    "--literal-pathspecs",
    "--no-optional-locks",
    "--no-replace-objects",
    *("-c", "core.quotePath=false"),
    *("-c", "core.attributesFile=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "color.ui=false"),
    *("-c", "diff.external="),
    *("-c", "log.showSignature=false"),
)
_RAW = ("-r", "-z", "--raw", "--no-abbrev", "--no-renames", "--ignore-submodules=all")
_FORMAT = "--format=%H%n%P%n%ct%n%an <%ae>%n%s"
_HUNK = re.compile(rb"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")
_BATCH = 200
"""Object ids asked for at once: fewer bytes than a pipe holds, so that both sides never wait for each other."""
_COPY_BYTES = 1 << 16
_REGULAR = b"100"
"""What the mode of every regular file begins with, group-writable ones of old repositories included."""


class TreeEntry:
    """One path of a tree that differs from another: `oid` is "" for what is not a regular file there."""

    __slots__ = ("oid", "os_path")

    def __init__(self, os_path: bytes, oid: str) -> None:
        self.os_path = os_path
        self.oid = oid


class GitHistory:
    """The history as the segment sees it: commits that touch it, paths relative to it; use as a context manager."""

    def __init__(self, segment: str) -> None:
        """Find the repository.

        Raises: CtxError when git is missing, there is no repository, or git refuses to read it.
        """
        self._segment = segment
        self._reader: subprocess.Popen[bytes] | None = None
        self._sizer: subprocess.Popen[bytes] | None = None
        # `--show-prefix` is last: it prints an empty line at the top of the tree, and a name may hold a line feed.
        found = self._output("rev-parse", "--is-bare-repository", "--is-shallow-repository", "--show-prefix")
        bare, shallow, prefix = found.split(b"\n", 2)
        self.is_bare = bare == b"true"
        self.is_shallow = shallow == b"true"
        self._prefix = prefix.removesuffix(b"\n")

    def __enter__(self) -> GitHistory:
        return self

    def __exit__(self, *_exc: object) -> None:
        for process in (self._reader, self._sizer):
            if process is not None:
                process.kill()
                _close(process)
        self._reader = self._sizer = None

    @property
    def prefix(self) -> str:
        """The segment's path from the top of the repository, with a slash at its end; "" for the whole of it."""
        return display_path(self._prefix)

    # --- commits ----------------------------------------------------------------------------------------------------

    def commits(self, since: str, until: str, limit: int) -> list[Commit]:
        """Return the commits from `until` ("": what is checked out) back to `since` (excluded), the newest first.

        In a subfolder of the repository those that touch it.

        Raises: UsageError for a revision that names no commit; CtxError for a repository without commits.
        """
        newest = self._commit_id("--until", until) if until else self._head()
        excluded = (f"^{self._commit_id('--since', since)}",) if since else ()
        within = ("--", ".") if self._prefix else ("--",)
        raw = self._output("rev-list", f"--max-count={limit}", "--encoding=UTF-8", _FORMAT, newest, *excluded, *within)
        # Six lines each: `commit <id>`, then the five asked for. None of the fields can hold a line feed.
        lines = raw.split(b"\n")
        found = []
        for at in range(0, len(lines) - 5, 6):
            sha, parents, seconds, author, subject = lines[at + 1 : at + 6]
            found.append(
                Commit(sha.decode(), tuple(parents.decode().split()), int(seconds), _text(author), _text(subject))
            )
        return found

    def _head(self) -> str:
        try:
            return self._resolved("HEAD^{commit}")
        except CtxError:
            is_named = False
        with contextlib.suppress(CtxError):
            is_named = bool(self._resolved("HEAD"))  # says what HEAD names, whether or not that is there
        if is_named:
            raise CtxError(f"{self._shown}: git cannot read the commit that is checked out; try git fsck")
        raise CtxError(
            f"{self._shown}: the repository has no commits yet; commit something, or name a branch with --until"
        )

    def _commit_id(self, option: str, revision: str) -> str:
        try:
            return self._resolved(f"{revision}^{{commit}}")
        except CtxError:
            raise UsageError(
                f"{option} {revision[:80]}: no commit of that name here; give a branch, a tag or a commit id"
            ) from None

    def _resolved(self, revision: str) -> str:
        if "\0" in revision:
            raise CtxError("no revision holds NUL")
        return self._output("rev-parse", "--verify", "--quiet", "--end-of-options", revision).decode().strip()

    def changes(self, shas: Sequence[str]) -> Iterator[tuple[FileChange, ...]]:
        """Yield what each commit changed against its one parent inside the segment, in the order given."""
        for at in range(0, len(shas), _BATCH):
            batch = shas[at : at + _BATCH]
            given = "".join(f"{sha}\n" for sha in batch).encode()
            raw = self._output("diff-tree", "--stdin", *_RAW, *self._within, given=given)
            by_sha: dict[str, list[FileChange]] = {}
            latest: list[FileChange] = []
            fields = iter(raw.split(b"\0"))
            for field in fields:
                if field.startswith(b":"):
                    old_mode, new_mode, old_oid, new_oid, _status = field[1:].split(b" ")
                    is_edit = old_mode.startswith(_REGULAR) and new_mode.startswith(_REGULAR) and old_oid != new_oid
                    if old_oid != new_oid:  # else only its permissions
                        latest.append(FileChange(self._inside(next(fields)), old_oid.decode(), is_edit))
                    else:
                        next(fields)
                elif field:
                    latest = by_sha.setdefault(field.decode(), [])
            for sha in batch:
                yield tuple(by_sha.get(sha, ()))

    def line_runs(self, parent: str, sha: str, os_path: bytes) -> tuple[LineRun, ...]:
        """Return which lines of the parent's side of a file the commit replaces."""
        options = "-p -U0 --no-renames --no-ext-diff --no-textconv --text --no-color --diff-algorithm=myers".split()
        patch = self._output("diff-tree", "-r", *options, parent, sha, "--", os.fsdecode(os_path))
        runs = []
        lines = iter(patch.split(b"\n"))
        for line in lines:
            hunk = _HUNK.match(line)
            if hunk is None:
                continue
            old_count, new_count = int(hunk[2] or 1), int(hunk[3] or 1)
            runs.append(LineRun(int(hunk[1]), old_count))
            # A changed line may itself look like a hunk: all of them are passed over by number.
            left = old_count + new_count
            while left:
                left -= not next(lines).startswith(b"\\")
        return tuple(runs)

    # --- trees ------------------------------------------------------------------------------------------------------

    def tree_changes(self, before: str, after: str) -> Iterator[TreeEntry]:
        """Yield the paths of the segment that differ between the trees of two commits; all of them for `before` ""."""
        if before:
            fields = iter(self._output("diff-tree", *_RAW, before, after, *self._within).split(b"\0"))
            for field in fields:
                if field:
                    _old_mode, new_mode, _old_oid, new_oid, _status = field[1:].split(b" ")
                    yield _entry(self._inside(next(fields)), new_mode, new_oid)
            return
        at_prefix = ("--", os.fsdecode(self._prefix)) if self._prefix else ()
        for row in self._output("ls-tree", "-r", "-z", "--full-tree", after, *at_prefix).split(b"\0"):
            if row:
                head, _, os_path = row.partition(b"\t")
                mode, _kind, oid = head.split(b" ")
                yield _entry(self._inside(os_path), mode, oid)

    def blob(self, oid: str, max_bytes: int) -> bytes | None:
        """Return a file's content by its object id; None when it is larger or not in the repository."""
        return next(self.blobs([oid], max_bytes))

    def blobs(self, oids: Sequence[str], max_bytes: int) -> Iterator[bytes | None]:
        """Yield contents as `blob` does, in the order given; to be taken to the end."""
        for at in range(0, len(oids), _BATCH):
            batch = oids[at : at + _BATCH]
            sizes = list(self._sizes(batch))
            wanted = [oid for oid, size in zip(batch, sizes, strict=True) if size is not None and size <= max_bytes]
            contents = self._contents(wanted)
            for size in sizes:
                yield next(contents) if size is not None and size <= max_bytes else None

    def _sizes(self, oids: Sequence[str]) -> Iterator[int | None]:
        if self._sizer is None:
            self._sizer = self._start("cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)")
        stream = self._ask(self._sizer, oids)
        for _ in oids:
            answer = self._answer(self._sizer, stream)
            yield int(answer[2]) if len(answer) == 3 and answer[1] == b"blob" else None

    def _contents(self, oids: Sequence[str]) -> Iterator[bytes]:
        if not oids:
            return
        if self._reader is None:
            self._reader = self._start("cat-file", "--batch")
        stream = self._ask(self._reader, oids)
        for _ in oids:
            size = int(self._answer(self._reader, stream)[2])
            content = stream.read(size + 1)
            if len(content) <= size:
                raise self._lost(self._reader)
            yield content[:-1]

    def _ask(self, process: subprocess.Popen[bytes], oids: Iterable[str]) -> IO[bytes]:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write("".join(f"{oid}\n" for oid in oids).encode())
            process.stdin.flush()
        except BrokenPipeError:
            raise self._lost(process) from None
        return process.stdout

    def _answer(self, process: subprocess.Popen[bytes], stream: IO[bytes]) -> list[bytes]:
        line = stream.readline()
        if not line:
            raise self._lost(process)
        return line.split()

    def _lost(self, process: subprocess.Popen[bytes]) -> CtxError:
        assert process.stderr is not None
        return self._complaint(process.stderr.read())

    # --- git --------------------------------------------------------------------------------------------------------

    @property
    def _shown(self) -> str:
        return display_path(os.fsencode(self._segment))

    @property
    def _within(self) -> tuple[str, ...]:
        return ("--", ".") if self._prefix else ()

    def _inside(self, os_path: bytes) -> bytes:
        return os_path.removeprefix(self._prefix)

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                ["git", *_OPTIONS, *arguments],
                cwd=self._segment,
                env=_environment(),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                # A terminal's Ctrl-C is ours to handle: git dying of it first would look like a damaged repository.
                process_group=0,
            )
        except FileNotFoundError:
            raise CtxError("git is not installed or not on PATH; install it: the history is read through it") from None
        except OSError as error:
            raise CtxError(f"git cannot be started ({error.strerror}); check `git --version`") from None

    def _output(self, *arguments: str, given: bytes = b"") -> bytes:
        process = self._start(*arguments)
        try:
            out, err = process.communicate(given)
        except BaseException:
            process.kill()
            _close(process)
            raise
        if process.returncode:
            raise self._complaint(err)
        return out

    def _complaint(self, err: bytes) -> CtxError:
        """Return git's complaint as one line with what to do; its own words where they are not known."""
        said = " ".join(err.decode("utf-8", "replace").split())
        folded = said.lower()
        if "not a git repository" in folded:
            return CtxError(
                f"{self._shown}: not in a git repository; ctx eval asks its commits: name one with --segment"
            )
        if "dubious ownership" in folded or "unsafe repository" in folded:
            return CtxError(
                f"{self._shown}: git refuses a repository that belongs to somebody else; when you trust it: "
                f"git config --global --add safe.directory {self._shown}"
            )
        if any(word in folded for word in ("promisor remote", "lazy fetch", "transport", "could not fetch")):
            return CtxError(
                f"{self._shown}: a partial clone, and files of its history are not here; get them with "
                "`git fetch --refetch --no-filter`, or clone without --filter"
            )
        return CtxError(f"{self._shown}: git cannot read the history ({said[:300] or 'no reason given'}); try git fsck")


def _entry(os_path: bytes, mode: bytes, oid: bytes) -> TreeEntry:
    return TreeEntry(os_path, oid.decode() if mode.startswith(_REGULAR) else "")


def _environment() -> dict[str, str]:
    """Return what git sees: nothing of another repository's, no translation, no prompt, no network."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment.pop("LANGUAGE", None)
    return environment | {
        "LC_ALL": "C",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_NO_REPLACE_OBJECTS": "1",
        "GIT_GRAFT_FILE": os.devnull,
        "GIT_NO_LAZY_FETCH": "1",
        # Older gits do not know the variable above: they fetch, and find every transport forbidden.
        "GIT_ALLOW_PROTOCOL": "none",
        "GIT_TERMINAL_PROMPT": "0",
    }


def _text(raw: bytes) -> str:
    """Decode what a commit says of itself; one that names no encoding and is no UTF-8 was most likely latin-1."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _close(process: subprocess.Popen[bytes]) -> None:
    for stream in (process.stdin, process.stdout, process.stderr):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()
    process.wait()
