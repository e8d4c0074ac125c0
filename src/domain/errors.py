"""The one tree of errors ctx raises on purpose.

    CtxError                 something ctx cannot do; exit code 3
    +-- UsageError           the caller asked for something that makes no sense; exit code 2
    |   +-- OutsideSegmentError   a path that leaves the segment
    |   +-- StaleIdError     an id whose content changed
    +-- NotFoundError        the thing asked for is not there; exit code 1
    +-- IndexDamagedError    the index file cannot be read as one
    +-- IndexBusyError       another process is writing the index

A message names the thing, what was expected, what was found, where, and the next step, in one line.
A broken *result* (a partial skeleton, a fallback) is a value, not an error.
"""

from __future__ import annotations


class CtxError(Exception):
    """Something ctx cannot do; the message is one line for a person."""

    exit_code = 3


class UsageError(CtxError):
    """The request itself is wrong."""

    exit_code = 2


class OutsideSegmentError(UsageError):
    """A path that leads outside the segment."""


class StaleIdError(UsageError):
    """An id whose content is no longer what the id's hash says."""


class NotFoundError(CtxError):
    """The thing asked for does not exist here."""

    exit_code = 1


class IndexDamagedError(CtxError):
    """The index exists and cannot be read."""


class IndexBusyError(CtxError):
    """Another process holds the writer's lock."""
