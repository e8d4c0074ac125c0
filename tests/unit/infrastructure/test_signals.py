"""Ending on request."""

from __future__ import annotations

import os
import signal

import pytest

from ctx.infrastructure.signals import terminable


def test_termination_interrupts_and_is_told_apart() -> None:
    """As Ctrl-C does; what was in force before is so again after it."""
    before = signal.getsignal(signal.SIGTERM)
    with terminable() as is_terminated:
        assert not is_terminated()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGTERM)
        assert is_terminated()
    assert before == signal.getsignal(signal.SIGTERM)
