"""A small segment of a user without settings, for commands run in the tests' own process."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import pytest
from tests.event_lines import ToldRun, resolve_with_server, write_segment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import ModuleType

FILES = {
    "shop/cart.py": (
        "class Cart:\n    def add(self, n):\n        return self\n\n\ndef price(cart):\n    return len(cart)\n"
    ),
    "shop/jobs.py": (
        "from shop.cart import Cart, price\n\n\ndef work(thing):\n    thing.add(1)\n    Cart().add(2)\n"
        "    price(thing)\n    price(thing)\n    unknown_thing.run()\n"
    ),
    "shop/other.py": "class Cart: ...\n",
}


@pytest.fixture
def shop(fresh_segment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three files, no index yet."""
    monkeypatch.setenv("CTX_TELEMETRY_LEVEL", "off")
    for path, text in FILES.items():
        file = fresh_segment / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return fresh_segment


@pytest.fixture
def says_unreadable(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[ModuleType, str, Callable[[], int]], None]:
    """A check that a command names what it may not read, and not its output: exit code 3 and the place."""

    def check(module: ModuleType, finder: str, run: Callable[[], int]) -> None:
        def refuse(*_given: object, **_options: object) -> None:
            raise PermissionError(13, "Permission denied", "/shop/_ctx")

        monkeypatch.setattr(module, finder, refuse)
        assert 3 == run()
        assert "ctx: /shop/_ctx: cannot be read (Permission denied); check its permissions and the disk\n" == (
            capfd.readouterr().err
        )

    return check


@pytest.fixture
def on_refusing_outputs(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], int]], list[int]]:
    """Run a command whose standard output nobody reads, then one whose output's disk is full; return the exit codes."""

    def run_on_each(run: Callable[[], int]) -> list[int]:
        reader, writer = os.pipe()
        os.close(reader)
        codes = []
        for fd in (writer, os.open("/dev/full", os.O_WRONLY)):
            with open(fd, "w", encoding="utf-8") as stream, monkeypatch.context() as patch:
                patch.setattr(sys, "stdout", stream)
                codes.append(run())
        return codes

    return run_on_each


@pytest.fixture
def two_runs(fresh_segment: Path) -> Path:
    """A segment with two runs of 12 and 2 events, the one with a language server first."""
    later = ToldRun("run_1767323050_00000001", pid=7).begin("search", 9_000_000)
    later.end("search", 9_100_000, took_us=100_000)
    write_segment(fresh_segment, resolve_with_server().events, later.events)
    return fresh_segment
