"""A small segment, and sessions on it that do what a test wants."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

from ctx.infrastructure.agent.question import Answer, Question, json_of
from ctx.infrastructure.agent.tools import tool_named
from ctx.infrastructure.agent.worker import SegmentWorker
from ctx.infrastructure.host.session import HostSession
from ctx.infrastructure.services import Services
from ctx.infrastructure.tokenizer import BpeTokenCounter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ctx.application.refresh_index import RefreshReport

FILES = {
    "shop/cart.py": (
        "class Cart:\n    def add(self, n):\n        return self\n\n\ndef price(cart):\n    return len(cart)\n"
    ),
    "shop/jobs.py": "from shop.cart import Cart, price\n\n\ndef work(thing):\n    Cart().add(2)\n    price(thing)\n",
}


@pytest.fixture
def shop(fresh_segment: Path) -> Path:
    """Two files of a user without settings, no index yet."""
    for path, text in FILES.items():
        file = fresh_segment / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return fresh_segment


@pytest.fixture
def ask(shop: Path) -> Iterator[Callable[..., Answer]]:
    """Ask a tool with its arguments; neither form of the answer may cost more than `max_tokens`."""
    worker = SegmentWorker(str(shop))
    count = BpeTokenCounter().count

    def answer(tool: str, **arguments: Any) -> Answer:
        question = Question(tool, tool_named(tool).read(arguments))
        found = worker.submit(question).future.result(30.0)
        assert question.max_tokens >= count(json_of(found.document))
        assert question.max_tokens >= count(found.text)
        return found

    yield answer
    worker.stop(30.0)


class HeldServices(Services):
    """Services whose refresh tells three of ten files and goes on when it may."""

    is_held: threading.Event
    may_go_on: threading.Event

    def refresh(self, **options: Any) -> RefreshReport:
        """Wait, then refresh."""
        options["on_progress"](3, 10)
        self.is_held.set()
        self.may_go_on.wait()
        return super().refresh(**options)


class HeldSession(HostSession):
    """A session whose index takes as long as the test wants."""

    def __init__(self, segment: str) -> None:
        super().__init__(segment, face="mcp")
        self.is_held = threading.Event()
        self.may_go_on = threading.Event()

    @property
    def services(self) -> Services:
        """Services that are held."""
        found = super().services
        found.__class__ = HeldServices
        assert isinstance(found, HeldServices)
        found.is_held = self.is_held
        found.may_go_on = self.may_go_on
        return found
