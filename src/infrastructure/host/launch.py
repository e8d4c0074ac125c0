"""Finding the host that runs for a segment, and starting one as a process of its own."""

from __future__ import annotations

import os
import sys

from .host_lock import holder_of
from .places import HostPlace, can_host, is_private, places

STARTER_VARIABLE = "CTX_HOST_STARTER"
"""Has the process id of who starts a host: by the time the host looks who its parent is, that one may be gone."""


def running_host(segment: str) -> tuple[HostPlace | None, int]:
    """Return where the segment's host is and its process id; (None, 0) when none runs."""
    for place in places(os.stat(segment)):
        pid = holder_of(place.lock) if is_private(place.folder) else None
        if pid is not None:
            return place, pid
    return None, 0


def spawn_host(segment: str, *, until_unused: bool = False) -> int:
    """Start a host in a session of its own and return its process id; whether it can serve is seen later.

    `until_unused` is for a host that lives as long as a face or a command uses it.

    It keeps nothing of this process but its environment. Raises: OSError when no process can be made.
    """
    actions: list[tuple[int, ...] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    # A pipe that somebody's shell or make had open would stay open for as long as the host lives.
    actions += [(os.POSIX_SPAWN_CLOSE, number) for number in _inherited()]
    # -P: nothing is imported from the folder that is worked on. posix_spawn: `subprocess` takes 13 ms to import.
    command = [sys.executable, "-P", "-m", __name__.partition(".")[0]]
    command += ["daemon", "start", "--foreground", "--segment", segment]
    if until_unused:
        command.append("--until-unused")
    environment = {**os.environ, STARTER_VARIABLE: str(os.getpid())}
    return os.posix_spawn(sys.executable, command, environment, file_actions=actions, setsid=True)


def start_unless_running(segment: str) -> None:
    """Start a host when there is none, and do not wait for it; what goes wrong is in its log."""
    try:
        if can_host() and running_host(segment)[0] is None:
            spawn_host(segment)
    except OSError:
        pass  # nobody asked for it, and the answer is printed


def _inherited() -> list[int]:
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            if int(name) > 2 and os.get_inheritable(int(name)):
                found.append(int(name))
        except OSError:  # the listing's own
            continue
    return found
