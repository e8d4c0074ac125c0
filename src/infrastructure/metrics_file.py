"""`metrics.json`, the counters of all runs: many processes add at once and no increment is lost."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import time
from fcntl import LOCK_EX, LOCK_NB, flock
from typing import TYPE_CHECKING

from .regular_file import open_regular, read_all, replace_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

METRICS_FILE = "metrics.json"
LAST_RUN_FILE = "last_run.json"

# Held for some hundred microseconds by each; this long only behind a stopped process.
LOCK_PATIENCE_NS = 5_000_000_000
_POLL_S = 0.001


@contextlib.contextmanager
def metrics_lock(directory: str) -> Iterator[None]:
    """Hold the exclusive lock under which metrics.json and last_run.json are replaced.

    Raises:
        OSError: the lock file cannot be opened (TimeoutError: another process holds it for seconds).
    """
    fd = open_regular(os.path.join(directory, METRICS_FILE + ".lock"), os.O_RDWR | os.O_CREAT)
    try:
        begun = time.perf_counter_ns()
        while True:
            try:
                flock(fd, LOCK_EX | LOCK_NB)
                break
            except BlockingIOError:
                if time.perf_counter_ns() - begun >= LOCK_PATIENCE_NS:
                    raise TimeoutError(errno.ETIMEDOUT, "another process holds the lock", directory) from None
                time.sleep(_POLL_S)
        yield
    finally:
        os.close(fd)


def add_counters(directory: str, delta: Mapping[str, int], *, on_damage: Callable[[], Mapping[str, int]]) -> None:
    """Add the increments to metrics.json; the caller holds `metrics_lock`.

    A file that is not a flat object of integers is kept aside as `metrics.json.damaged-<n>`, never overwritten;
    `on_damage` is told and returns the increments to write, the damage counted among them.

    Raises:
        OSError: nothing was added.
    """
    path = os.path.join(directory, METRICS_FILE)
    totals = read_counters(directory)
    if totals is None:
        os.rename(path, _free_name(path + ".damaged-"))
        totals, delta = {}, on_damage()
    for name, increment in delta.items():
        if increment or name not in totals:
            totals[name] = totals.get(name, 0) + increment
    replace_file(path, json.dumps(totals, indent=2, sort_keys=True).encode() + b"\n")


def read_counters(directory: str) -> dict[str, int] | None:
    """Return the counters of all runs; empty when there is no file, None when it is not one of ours.

    Raises:
        OSError: the file exists and cannot be opened for a reason that says nothing about its content.
    """
    try:
        fd = open_regular(os.path.join(directory, METRICS_FILE), os.O_RDONLY)
    except FileNotFoundError:
        return {}
    except OSError as error:
        if error.errno in {errno.EINVAL, errno.ELOOP, errno.EISDIR}:  # a FIFO, a link, a directory
            return None
        raise
    try:
        content = json.loads(read_all(fd))
    except IsADirectoryError:
        return None
    except (ValueError, RecursionError):
        return None
    finally:
        os.close(fd)
    if isinstance(content, dict) and all(type(total) is int for total in content.values()):
        return content
    return None


def _free_name(prefix: str) -> str:
    number = 1
    while os.path.lexists(f"{prefix}{number}"):
        number += 1
    return f"{prefix}{number}"
