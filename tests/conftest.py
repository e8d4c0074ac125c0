"""What holds for every test."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

# A tree that passed passes again, however busy the machine; `make test-all` looks for what no run has met yet.
_UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("repeatable", _UNTIMED, derandomize=True)
settings.register_profile("exploring", _UNTIMED, max_examples=1000, print_blob=True)
settings.load_profile("repeatable")


_AS_AT_LOGIN = (signal.SIGHUP, signal.SIGQUIT, signal.SIGALRM, signal.SIGTERM, signal.SIGCHLD, signal.SIGIO)


@pytest.fixture(autouse=True, scope="session")
def _signals_do_what_they_are_for() -> Iterator[None]:
    """Undo what is handed down to us, and by us to children: a shell's background and `nohup` ignore signals.

    Whoever ignores SIGCHLD keeps no child's end, and no test could ask for one.
    """
    ignored = [number for number in _AS_AT_LOGIN if signal.getsignal(number) is signal.SIG_IGN]
    before = {number: signal.signal(number, signal.SIG_DFL) for number in ignored}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
