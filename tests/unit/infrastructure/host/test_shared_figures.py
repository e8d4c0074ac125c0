"""Figures are seen by copies of the process."""

from __future__ import annotations

import os

from ctx.infrastructure.host.shared_figures import SharedFigures


def test_a_copy_sees_what_is_set_later() -> None:
    """A figure that was never set is 0; one set in a copy is seen here."""
    figures = SharedFigures()
    assert 0 == figures.get("served")
    figures.set("running", 3)
    pid = os.fork()
    if pid == 0:
        figures.set("served", figures.get("running") + 2**40)
        os._exit(0)
    os.waitpid(pid, 0)
    assert (2**40 + 3, 3) == (figures.get("served"), figures.get("running"))
