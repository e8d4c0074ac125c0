"""One parsing process: paths in on standard input, records out on standard output, until either ends.

Started by `parse_pool` and `text_parser` as `python -P -m ctx.infrastructure.parse_worker` (-P: nothing is ever
imported from the folder that is being indexed). A frame is 8 bytes of length and that much `marshal`: both ends are
one interpreter. The end of standard input is the order to stop, so a killed parent leaves no process behind.
"""

from __future__ import annotations

import contextlib
import gc
import marshal
import os
import struct
import sys
from typing import TYPE_CHECKING, Any

from ..domain.index_records import ChunkRow, ChunkTerms, DefinitionRow, FileRecord, ImportRow
from .file_system import MAX_FILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import BinaryIO

    from .file_indexer import FileIndexer
    from .tokenizer import DeferredCounter

LENGTH = struct.Struct("<Q")
HELLO = "ready"
"""A worker's first frame: one that ends without it could not even start."""
MEMORY_PER_FILE_BYTE = 384
"""What no honest file needs: 2 MiB of C, Java, Python or C++ that is all tokens take up to 380 MB, 180 to a byte."""
MEMORY_EXIT_CODE = 71
"""How a worker ends when Python is refused memory; a grammar that is ends with a signal."""

ROWS: tuple[Callable[[Iterable[Any]], tuple[Any, ...]], ...] = (
    ChunkRow._make,
    ChunkTerms._make,
    DefinitionRow._make,
    ImportRow._make,
)
"""What makes the rows that the last fields of a `FileRecord` hold, in order."""


def read_frame(stream: BinaryIO) -> Any:
    """Return the next frame's value, or None at the end of the stream (also in the middle of a frame)."""
    head = stream.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    body = stream.read(length)
    return marshal.loads(body) if len(body) == length else None  # noqa: S302 - from our own child's pipe


def take_value(buffer: bytearray) -> Any:
    """Take the first frame off the front of a buffer and return its value, None while it is not whole."""
    if len(buffer) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack_from(buffer)
    if len(buffer) < LENGTH.size + length:
        return None
    value = marshal.loads(buffer[LENGTH.size : LENGTH.size + length])  # noqa: S302 - from our own child's pipe
    del buffer[: LENGTH.size + length]
    return value


def framed(value: Any) -> bytes:
    """Return one value as a frame."""
    body = marshal.dumps(value)
    return LENGTH.pack(len(body)) + body


def write_frame(stream: BinaryIO, value: Any) -> None:
    """Write one value as a frame and flush it."""
    rest = memoryview(framed(value))
    while rest:
        # Without a buffer a part may be all that goes: a full pipe's writer that is stopped (Ctrl-Z) returns with that.
        rest = rest[stream.write(rest) :]
    stream.flush()


def memory_limit_bytes(max_file_bytes: int) -> int:
    """Return how much memory a process may take that reads files up to that size."""
    return MEMORY_PER_FILE_BYTE * max(max_file_bytes, MAX_FILE_BYTES)


def limit_memory(limit_bytes: int) -> None:
    """Have the system refuse this process more data than that, where it can (Linux); a lower limit stays.

    Data and not address space: a copy of a process that has the index mapped starts with much of the latter.
    """
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    lowest = min((limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY), default=limit_bytes)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_DATA, (min(lowest, limit_bytes), hard))


def main(arguments: Sequence[str]) -> int:
    """Serve one parent: the arguments are root, tokenizer, the size limit in bytes and 1 to measure skeletons."""
    with os.fdopen(os.dup(1), "wb") as out:
        # A stray print in a library must not land between frames.
        os.dup2(2, 1)
        try:
            texts = _GivenText()
            serve(_indexer(texts, *arguments), sys.stdin.buffer, out, texts=texts)
        except BrokenPipeError:
            out.raw.close()  # what is left in the buffer has nowhere to go
    return 0


class _GivenText:
    """The text that a parent sent in place of a file's, for `UnsavedFiles`; one at a time."""

    def __init__(self) -> None:
        self.files: dict[bytes, tuple[int, int]] = {}
        self._data = b""

    def hold(self, os_path: bytes, data: bytes, mtime_ns: int) -> None:
        self.files = {os_path: (len(data), mtime_ns)}
        self._data = data

    def data(self, os_path: bytes) -> bytes | None:
        return self._data if os_path in self.files else None


def _indexer(texts: _GivenText, root: str, encoding: str, max_file_bytes: str, with_skeleton_size: str) -> FileIndexer:
    from .file_indexer import FileIndexer
    from .null_telemetry import NullTelemetry
    from .tokenizer import BpeTokenCounter
    from .unsaved_files import UnsavedFiles

    limit_memory(memory_limit_bytes(int(max_file_bytes)))
    files = UnsavedFiles(root, texts, telemetry=NullTelemetry(), max_file_bytes=int(max_file_bytes))
    return FileIndexer(files, BpeTokenCounter(encoding), with_skeleton_size=with_skeleton_size == "1")


def serve(
    indexer: FileIndexer,
    paths: BinaryIO,
    out: BinaryIO,
    deferred: DeferredCounter | None = None,
    texts: _GivenText | None = None,
) -> None:
    """Answer each frame of paths with a frame for each record, until the end of the stream.

    With `texts` (those that the indexer's files are overlaid with) a path may come as (path, bytes, time): then these
    bytes stand for the file.

    With `deferred` (the indexer's counter) the texts it noted go before each record, in a frame with a list.

    Ends the process with `MEMORY_EXIT_CODE` when Python is refused memory.

    Raises: BrokenPipeError when the parent is gone.
    """
    # Records hold no cycles, and looking for some in ten thousands of tuples costs 5 % of the whole.
    gc.disable()
    write_frame(out, HELLO)
    while (batch := read_frame(paths)) is not None:
        for item in batch:
            path = item
            if texts is not None and isinstance(item, tuple):
                path = item[0]
                texts.hold(*item)
            try:
                record = _plain(indexer.index(path))
                if deferred is not None:
                    write_frame(out, deferred.take())
                write_frame(out, record)
            except MemoryError:
                os._exit(MEMORY_EXIT_CODE)  # there may be too little even to end in the usual way


def _plain(record: Any) -> tuple[Any, ...]:
    """Return a record as plain tuples, which is what `marshal` carries."""
    return (*record[: -len(ROWS)], *(tuple([tuple(row) for row in rows]) for rows in record[-len(ROWS) :]))


def record_of(values: Sequence[Any]) -> FileRecord:
    """Return the record that a worker sent as plain tuples."""
    rows = (tuple(map(make, plain)) for make, plain in zip(ROWS, values[-len(ROWS) :], strict=True))
    return FileRecord(*values[: -len(ROWS)], *rows)


def counted(record: FileRecord, texts: Sequence[str], count: Callable[[str], int]) -> FileRecord:
    """Return a record with the counts that a `DeferredCounter` left out; `texts` are those it noted."""
    if not texts:
        return record
    counts = [count(text) for text in texts]
    chunks = tuple(
        [
            row._replace(
                tokens=row.tokens if row.tokens >= 0 else counts[-row.tokens - 1],
                snippet_tokens=row.snippet_tokens if row.snippet_tokens >= 0 else counts[-row.snippet_tokens - 1],
            )
            for row in record.chunks
        ]
    )
    return record._replace(chunks=chunks, tokens=sum(row.tokens for row in chunks))


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)
