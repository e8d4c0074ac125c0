"""Tests of ctx.infrastructure.editor.roots: which segments are open and which one is meant, without a host."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.editor_parts import HeardProtocol, OwnSession

from ctx.domain.errors import UsageError
from ctx.infrastructure.editor import root as root_module
from ctx.infrastructure.editor.client import EditorClient
from ctx.infrastructure.editor.documents import Documents
from ctx.infrastructure.editor.options import EditorOptions, options_of
from ctx.infrastructure.editor.protocol import AnsweredError
from ctx.infrastructure.editor.root import Answer, Asked
from ctx.infrastructure.editor.roots import Roots
from ctx.infrastructure.editor.status import StatusDisplay

if TYPE_CHECKING:
    from collections.abc import Callable

PATIENCE_S = 60.0


class Workspace:
    """Roots, what they are made of, and what they say."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.protocol, self.documents = HeardProtocol(), Documents()
        self.client = EditorClient(self.protocol)  # type: ignore[arg-type]  # what is used of a protocol
        self.sessions: list[OwnSession] = []
        self.options: list[EditorOptions] = []
        status = StatusDisplay(self.client, loop)
        self.roots = Roots(loop, self.client, self.documents, status, self._session)

    def _session(self, segment: str, options: EditorOptions) -> OwnSession:
        is_open = threading.Event()
        is_open.set()
        self.options.append(options)
        self.sessions.append(OwnSession(Path(segment), is_open))
        return self.sessions[-1]

    def names(self) -> list[str]:
        return [root.name for root in self.roots]

    def notes(self) -> list[str]:
        return [params["message"] for method, params in self.protocol.told if method == "window/logMessage"]


@pytest.fixture
def shop(fresh_segment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A segment with a folder that is a segment of its own, and as much time for its index as a busy machine takes."""
    for name in ("WAIT_LARGE_S", "WAIT_UNKNOWN_S", "WAIT_SMALL_S"):
        monkeypatch.setattr(root_module, name, PATIENCE_S)
    for folder in (fresh_segment, fresh_segment / "inner"):
        (folder / "_ctx").mkdir(parents=True)
        (folder / "a.py").write_text("def a():\n    return 1\n")
    (fresh_segment / "part").mkdir()
    return fresh_segment


def run(visit: Callable[[Workspace], Any]) -> Any:
    """Visit a workspace without folders, and close it."""

    async def whole() -> Any:
        workspace = Workspace(asyncio.get_running_loop())
        try:
            return await visit(workspace)
        finally:
            workspace.roots.end(0, is_hasty=False)

    return asyncio.run(whole())


def test_segment_is_open_once_and_as_long_as_one_of_its_folders_is(shop: Path) -> None:
    """However many folders of the workspace lie in it, and however their URIs are spelled."""

    async def visit(workspace: Workspace) -> Any:
        roots = workspace.roots
        first, second = roots.add_folder(shop.as_uri()), roots.add_folder((shop / "part").as_uri() + "/")
        steps = [first is second, workspace.names()]
        for folder in (shop, shop, shop / "part"):
            roots.drop_folder(folder.as_uri())
            steps.append(workspace.names())
        return steps

    assert [True, ["segment"], ["segment"], ["segment"], []] == run(visit)


@pytest.mark.parametrize(
    ("uri", "note"),
    [
        ("untitled:Untitled-1", "untitled:Untitled-1 is no folder on disk"),
        ("file:///no/such/folder", "its documents are answered from their text alone"),
    ],
)
def test_folder_without_a_segment_is_noted(uri: str, note: str) -> None:
    """The person is told, and nothing is opened."""

    async def visit(workspace: Workspace) -> Any:
        return workspace.roots.add_folder(uri), len(workspace.roots), [note in one for one in workspace.notes()]

    assert (None, 0, [True]) == run(visit)


def test_file_is_in_the_innermost_root(shop: Path, tmp_path: Path) -> None:
    """Also by another way to it; a file outside is in none."""
    link = tmp_path / "link"
    link.symlink_to(shop)

    async def visit(workspace: Workspace) -> Any:
        for folder in (shop, shop / "inner"):
            workspace.roots.add_folder(folder.as_uri())
        paths = (shop / "a.py", shop / "inner/a.py", link / "inner/b.py", tmp_path / "c.py")
        found = [workspace.roots.at(str(path).encode()) for path in paths]
        return [(root.name if root is not None else "", path) for root, path in (*found, workspace.roots.at(b""))]

    assert [("segment", "a.py"), ("inner", "a.py"), ("inner", "b.py"), ("", ""), ("", "")] == run(visit)


def test_root_is_named_in_many_ways(shop: Path) -> None:
    """By its name, its path, its URI or that of a file in it; nothing said means the first one."""

    async def visit(workspace: Workspace) -> Any:
        with pytest.raises(AnsweredError) as nothing_open:
            workspace.roots.named(None)
        for folder in (shop, shop / "inner"):
            workspace.roots.add_folder(folder.as_uri())
        inner = shop / "inner"
        wanted = ("inner", str(inner), inner.as_uri(), (inner / "a.py").as_uri(), None)
        with pytest.raises(UsageError) as unknown:
            workspace.roots.named("outer")
        return nothing_open.value.code, [workspace.roots.named(one).name for one in wanted], str(unknown.value)

    code, names, message = run(visit)
    assert (-32803, ["inner", "inner", "inner", "inner", "segment"]) == (code, names)
    assert message.endswith("there are: segment, inner")


def test_restart_opens_with_the_options_of_now(shop: Path) -> None:
    """The folders keep their segment, the session before it is closed."""

    async def visit(workspace: Workspace) -> Any:
        workspace.roots.add_folder(shop.as_uri())
        before = workspace.roots.named(None)
        await before.ask(Asked("ctx.test"), lambda _services: Answer(None))
        workspace.client.options = options_of({"lsp": {"enabled": False}})[0]
        workspace.roots.restart(workspace.roots)
        again = workspace.roots.named(None)
        await again.ask(Asked("ctx.test"), lambda _services: Answer(None))
        workspace.roots.drop_folder(shop.as_uri())
        return before is again, [dict(options.lsp) for options in workspace.options], workspace.names()

    assert (False, [{}, {"enabled": False}], []) == run(visit)


def test_new_root_is_told_of_what_is_open(shop: Path) -> None:
    """An editor opens documents before their folder is added, too; a text restored by it counts."""

    async def visit(workspace: Workspace) -> Any:
        workspace.documents.open((shop / "a.py").as_uri(), "python", 1, "x = 1\n")
        workspace.documents.open("untitled:Untitled-1", "python", 1, "")
        workspace.roots.add_folder(shop.as_uri())
        await workspace.roots.named(None).ask(Asked("ctx.test"), lambda _services: Answer(None))
        return workspace.sessions[0].unsaved

    assert [("a.py", "x = 1\n")] == run(visit)
