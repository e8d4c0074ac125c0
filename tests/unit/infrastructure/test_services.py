"""The wiring: what is kept between questions, what makes another index, and what the parsing processes are told."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from tests.fakes import ScriptedReplies, ServersOnly

from ctx.application.resolve import ResolveRequest
from ctx.domain.errors import CtxError
from ctx.domain.language_server import ServerPlace, ServerReply
from ctx.infrastructure import parse_pool, services
from ctx.infrastructure.host.session import HostSession
from ctx.infrastructure.parse_pool import ParsePool
from ctx.infrastructure.services import Services

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def segment(fresh_segment: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small segment of a user without settings."""
    monkeypatch.setenv("CTX_TELEMETRY_LEVEL", "off")
    (fresh_segment / "jobs.py").write_text("def run(): ...\n")
    (fresh_segment / "app.py").write_text("from jobs import run\n\nrun()\n")
    return fresh_segment


@pytest.fixture
def opened(segment: Path) -> Iterator[Services]:
    with Services(str(segment)) as found:
        found.refresh()
        yield found


def test_modules_and_trees_are_made_once_for_each_state_of_the_index(opened: Services, segment: Path) -> None:
    """They serve every question until something changes, and then know of it."""
    modules, trees = opened.modules(), opened.trees
    tree = trees("app.py")
    opened.refresh()
    assert (True, True, True) == (opened.modules() is modules, opened.trees is trees, opened.trees("app.py") is tree)
    assert () == modules.files_of("later", "python", "app.py")
    (segment / "later.py").write_text("def new(): ...\n")
    (segment / "app.py").write_text("from later import new\n\nnew()\n")
    opened.refresh()
    assert ("later.py",) == opened.modules().files_of("later", "python", "app.py")
    changed = opened.trees("app.py")
    assert changed is not None
    assert "new()" == changed.line_text(3)
    assert ["later.py"] == [c.path for c in opened.resolve()(ResolveRequest("app.py:3:1")).found]


class OwnServers(ScriptedReplies):
    """Servers of a command's own."""

    made: ClassVar[list[OwnServers]] = []

    def __init__(self, *_arguments: object, is_host: bool) -> None:
        place = ServerPlace("jobs.py", 1, 5, is_inside=True)
        super().__init__(definition=ServerReply("ty", "answered", (place,)))
        self.done = [f"is_host={is_host}"]
        self.made.append(self)

    def prepare(self, language: str, path: str) -> None:
        self.done.append(f"prepare {language} {path}")

    def close(self) -> None:
        self.done.append("close")


@pytest.fixture
def asking(segment: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Services]:
    """A segment that may ask servers."""
    from ctx.infrastructure.ast_lsp import language_servers

    monkeypatch.delenv("CTX_LSP_ENABLED")
    monkeypatch.setattr(language_servers, "LanguageServerPool", OwnServers)
    OwnServers.made.clear()
    with Services(str(segment)) as found:
        found.refresh()
        yield found


def test_a_question_about_a_place_makes_servers_that_are_ended(asking: Services) -> None:
    """Not a question about a name; prepared ones are those that answer."""
    asking.resolve()(ResolveRequest("run"))
    asking.resolve(asks_servers=False)(ResolveRequest("app.py:3:1"))
    assert [] == OwnServers.made
    asking.prepare_server("app.py")
    answer = asking.resolve()(ResolveRequest("app.py:3:1"))
    asking.refs()
    assert ("lsp:ty", "import") == (answer.resolved_by, answer.found[0].reason)
    asking.__exit__()
    asking.__exit__()
    (made,) = OwnServers.made
    assert ["is_host=False", "prepare python app.py", "close"] == made.done


def test_the_hosts_servers_are_asked_in_place_of_own_ones(asking: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are not ours to start or to end."""
    theirs = ScriptedReplies(definition=ServerReply("basedpyright", "answered", (), is_cached=True))
    monkeypatch.setattr(asking, "_host", ServersOnly(theirs))
    asking.prepare_server("app.py")
    answer = asking.resolve()(ResolveRequest("app.py:3:1"))
    assert answer.server is not None
    assert ("basedpyright", 1, []) == (answer.server.server, len(theirs.questions), OwnServers.made)


def test_disabled_servers_are_none(opened: Services) -> None:
    """Tree-sitter answers, and no server is spoken of."""
    opened.prepare_server("app.py")
    assert (None, None) == (opened.servers, opened.resolve()(ResolveRequest("app.py:3:1")).server)


def test_a_rebuilt_index_is_another_state(opened: Services, segment: Path) -> None:
    """Its generations count from 1 again, which must not be taken for the old ones."""
    modules = opened.modules()
    (segment / "jobs.py").unlink()
    opened.rebuild()
    opened.refresh(whole=True)
    assert modules is not opened.modules()
    assert () == opened.modules().files_of("jobs", "python", "app.py")


def test_manifests_are_read_through_the_segment(opened: Services, segment: Path) -> None:
    """A Go module's name leads to its files."""
    (segment / "go.mod").write_text("module example.org/shop\n")
    (segment / "cart").mkdir()
    (segment / "cart/cart.go").write_text("package cart\n")
    opened.refresh()
    assert ("cart/cart.go",) == opened.modules().files_of("example.org/shop/cart", "go", "main.go")


def test_nearness_is_that_of_the_typed_files(opened: Services) -> None:
    """Nothing typed is nothing near, and no list of files is read for it."""
    assert {"jobs.py": 1.0, "app.py": 0.5} == opened.nearness(["./jobs.py"])
    assert {} == opened.nearness([])
    with pytest.raises(CtxError, match="no such file"):
        opened.nearness(["gone.py"])


def test_another_release_extracts_anew(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What an older one stored may not mean the same; the same release reads nothing again."""
    for version, added in (("1.0", 2), ("1.0", 0), ("1.1", 2)):
        monkeypatch.setattr(services, "__version__", version)
        with Services(str(segment)) as opened:
            assert added == opened.refresh().files_added, version


def test_workers_get_memory_for_the_files_they_may_read(segment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool knows the size limit of the configuration."""
    told: list[int] = []

    class NotedPool(ParsePool):
        def __init__(self, *arguments: Any, max_file_bytes: int, **options: Any) -> None:
            told.append(max_file_bytes)
            super().__init__(*arguments, max_file_bytes=max_file_bytes, **options)

    monkeypatch.setattr(parse_pool, "ParsePool", NotedPool)
    monkeypatch.setenv("CTX_INDEX_MAX_FILE_BYTES", "123456")
    with Services(str(segment)) as opened:
        assert 2 == opened.refresh().files_added
    assert [123456] == told


def test_a_segment_that_goes_away_is_not_made_again(opened: Services, segment: Path) -> None:
    """However late: its index is about to be opened, or thrown away."""
    segment.rename(segment.with_name("elsewhere"))
    for work in (opened.refresh, opened.rebuild):
        with pytest.raises(CtxError, match="segment's directory cannot be opened"):
            work()
    assert not segment.exists()


def test_an_index_built_anew_replaces_the_old_one_at_once(opened: Services, segment: Path) -> None:
    """Another reader sees the old index until the new one is whole, and what fails leaves the old one."""
    with Services(str(segment)) as reader:
        (segment / "late.py").write_text("def late(): ...\n")
        seen: list[int] = []
        report = opened.build_anew(on_progress=lambda _done, _total: seen.append(reader.store.file_count()))
        assert {2} == set(seen)
        assert (3, 3) == (report.files_added, reader.store.file_count())

        def fail(_done: int, _total: int) -> None:
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            opened.build_anew(on_progress=fail)
        assert (3, "1") == (reader.store.file_count(), reader.store.meta("complete"))


def test_a_damaged_index_is_built_anew_all_the_same(opened: Services, segment: Path) -> None:
    """There is no old one to answer from; the file is thrown away."""
    opened.store.close()
    with open(opened.index_path, "r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 8192)
    with Services(str(segment)) as again:
        assert 2 == again.build_anew().files_added
        assert "ok" == again.store.check()


@pytest.mark.parametrize(("is_terminal", "expected"), [(True, "ctx: a\ufffd[31mb\n"), (False, "ctx: a\x1b[31mb\n")])
def test_what_is_said_steers_no_terminal(is_terminal: bool, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages quote names out of files; a pipe gets them as they are."""
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: is_terminal)
    monkeypatch.setattr(services.sys, "stderr", stream)
    services.say("a\x1b[31mb")
    assert expected == stream.getvalue()


@pytest.mark.parametrize(
    ("changes", "expected"),
    [(0, (["v0 v0"], True)), (1, (["v0 v1", "v1 v1"], True)), (9, (["v0 v1", "v1 v2", "v2 v3"], False))],
)
def test_an_answer_is_of_one_text(
    segment: Path, monkeypatch: pytest.MonkeyPatch, changes: int, expected: tuple[list[str], bool]
) -> None:
    """One that a text changed under is made again; whoever types without a pause gets one that is known to be mixed."""
    monkeypatch.setenv("CTX_DAEMON", "off")
    session = HostSession(str(segment), face="lsp")
    session.open()
    session.set_unsaved("jobs.py", "v0 = 0\n")
    opened = session.services
    opened.refresh()
    answers: list[str] = []

    def answer() -> list[str]:
        record = opened.store.file("jobs.py")
        assert record is not None
        if len(answers) < changes:
            session.set_unsaved("jobs.py", f"v{len(answers) + 1} = 0\n")
        source = opened.trees.source("jobs.py")
        assert source is not None
        answers.append(f"{record.chunks[0].signature[:2]} {source[:2].decode()}")
        return answers

    assert expected == opened.steadied(answer)
    session.close()


@pytest.mark.parametrize(("saves", "expected"), [(1, (["run", "late"], True)), (9, (["run", "late", "late"], False))])
def test_an_answer_is_of_one_state_of_a_file(
    opened: Services, segment: Path, saves: int, expected: tuple[list[str], bool]
) -> None:
    """What is saved between the look at the index and the look at the file has the question answered again."""
    answers: list[str] = []

    def answer() -> list[str]:
        record = opened.store.file("jobs.py")
        assert record is not None
        if len(answers) < saves:
            (segment / "jobs.py").write_text("def late(): ...\n" + "# saved\n" * len(answers))
        assert opened.trees("jobs.py") is not None
        answers.append(record.chunks[0].name)
        return answers

    assert expected == opened.steadied(answer)


@pytest.mark.parametrize(("others", "expected"), [(1, ([0, 1], True)), (9, ([0, 0, 0], False))])
def test_an_index_that_another_makes_anew_is_not_one_of_nothing(
    opened: Services, segment: Path, monkeypatch: pytest.MonkeyPatch, others: int, expected: tuple[list[int], bool]
) -> None:
    """One of other settings (another release, say) empties it in the middle of an answer: that is made again."""
    answers: list[int] = []

    def answer() -> list[int]:
        if len(answers) < others:
            with monkeypatch.context() as other:
                other.setenv("CTX_INDEX_MAX_FILE_BYTES", "123456")
                with Services(str(segment)) as another:
                    assert "" == another.store.meta("complete")
        answers.append(len(opened.store.definitions_named("run", 5)))
        return answers

    assert expected == opened.steadied(answer)
    opened.refresh()
    assert opened.settings_mark == opened.store.meta("settings")
