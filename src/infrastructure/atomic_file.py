"""Writing a file whole or not at all."""

from __future__ import annotations

import os
from typing import Any

from ..domain.errors import CtxError


def write_json(path: str, document: Any) -> int:
    """Replace the file by the document as JSON (temporary file, fsync, rename) and return its size in bytes.

    Raises: CtxError when it cannot be written; the old file is then as it was.
    """
    import orjson

    return write_bytes(path, orjson.dumps(document, option=orjson.OPT_INDENT_2) + b"\n")


def write_bytes(path: str, raw: bytes) -> int:
    """Replace the file by these bytes (temporary file, fsync, rename) and return how many they are.

    Raises: CtxError when it cannot be written; the old file is then as it was.
    """
    temporary = f"{path}.{os.getpid()}.tmp"
    try:
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
        try:
            left = memoryview(raw)
            while left:
                left = left[os.write(fd, left) :]
            os.fsync(fd)
        finally:
            os.close(fd)
        os.replace(temporary, path)
    except OSError as error:
        name = os.path.basename(path)
        raise CtxError(f"{name}: cannot be written ({error.strerror}); check permissions and free space") from None
    finally:
        if os.path.exists(temporary):  # also after an interrupt
            os.unlink(temporary)
    return len(raw)
