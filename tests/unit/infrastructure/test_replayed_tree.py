"""Trees of a real history in a folder whose index follows, and a folder that is gone whatever happens."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.git_repository import GitRepository

from ctx.domain.errors import CtxError
from ctx.infrastructure.config import load_config
from ctx.infrastructure.git_history import GitHistory
from ctx.infrastructure.replayed_tree import ReplayedTree, source_reader, temporary_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ctx.infrastructure.config import Config


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without settings."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    """An empty repository."""
    return GitRepository(tmp_path / "repository")


def _config(changes: dict[str, str] | None = None) -> Config:
    return load_config("/nonexistent", changes or {})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the tree goes."""
    (tmp_path / "tree").mkdir()
    return tmp_path / "tree"


@pytest.fixture
def tree(repository: GitRepository, folder: Path) -> Iterator[ReplayedTree]:
    """A tree that is at no commit yet."""
    with GitHistory(str(repository.root)) as history:
        made = ReplayedTree(str(folder), history, _config({"CTX_INDEX_MAX_FILE_BYTES": "1000"}))
        yield made
        made.close()


def _files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): path.read_text()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {"_ctx", ".git"} & set(path.relative_to(folder).parts)
    }


def test_index_follows_from_tree_to_tree(repository: GitRepository, tree: ReplayedTree, folder: Path) -> None:
    """Edits of the same length, a file that becomes a folder and back, removals: files and index are the commit's."""
    one = {"a.py": "def one(): ...\n", "b": "text\n", "deep/er/c.py": "def gone(): ...\n"}
    first = repository.commit("One", one)
    for name in ("b", "deep/er/c.py"):
        (repository.root / name).unlink()
    two = {"a.py": "def two(): ...\n", "b/d.py": "def inside(): ...\n"}
    second = repository.commit("Two", two)
    arm = tree.arm(_config())
    for sha, files, names in (
        (first, one, {"one", "gone"}),
        (second, two, {"two", "inside"}),
        (second, two, {"two", "inside"}),
        (first, one, {"one", "gone"}),
    ):
        arm.move_to(sha)
        assert files == _files(folder)
        assert names == {stored.row.name for stored in tree.services.store.definitions()}
        assert set(files) == {path for path, *_rest in tree.services.store.files()}
    assert ["a.py"] == [hit.path for hit in arm.search("one")]
    assert (True, False) == (arm.is_indexed("a.py"), arm.is_indexed("b/d.py"))
    assert not (folder / "b").is_dir()
    assert 0 == tree.files_left_out


def test_hostile_and_unfit_entries_are_left_out(repository: GitRepository, tree: ReplayedTree, folder: Path) -> None:
    """Links, git's and ctx's own folders in any case, paths that climb, huge and missing files are never written."""
    oid = repository.git("hash-object", "-w", "--stdin", given=b"evil\n").strip()
    huge = repository.git("hash-object", "-w", "--stdin", given=b"x" * 1001).strip()

    def folder_of(*entries: str) -> str:
        return repository.git("mktree", "-z", "--missing", given="".join(f"{e}\0" for e in entries).encode()).strip()

    inner = folder_of(f"100644 blob {oid}\tevil.py")
    top = folder_of(
        f"040000 tree {inner}\t.GIT",
        f"040000 tree {inner}\t..",
        f"040000 tree {inner}\t_ctx",
        f"120000 blob {oid}\tlink.py",
        f"100644 blob {huge}\thuge.py",
        f"100644 blob {'1' * 40}\tmissing.py",
        f"100664 blob {oid}\told-mode.py",
        f"100644 blob {oid}\t{'n' * 300}.py",
    )
    tree.move_to(repository.git("commit-tree", "-m", "x", top).strip())
    assert {"old-mode.py": "evil\n"} == _files(folder)
    assert not (folder.parent / "evil.py").exists()
    assert not list(folder.glob("_ctx/evil.py")) + list(folder.glob(".[gG][iI][tT]/*"))
    assert 3 == tree.files_left_out


def test_file_that_outgrows_the_limit_goes(repository: GitRepository, tree: ReplayedTree, folder: Path) -> None:
    """An earlier text of it must not be searched."""
    first = repository.commit("One", {"a.py": "def one(): ...\n"})
    second = repository.commit("Two", {"a.py": "x = 1\n" * 1000})
    tree.move_to(first)
    tree.move_to(second)
    assert {} == _files(folder)


def test_name_that_is_taken_is_left_out(repository: GitRepository, tree: ReplayedTree, folder: Path) -> None:
    """On a disk that folds case the second of two names is the first one's file, which must stay as it is."""
    sha = repository.commit("One", {"Name.py": "def two(): ...\n", "other.py": "def three(): ...\n"})
    (folder / "Name.py").write_text("def first(): ...\n")
    tree.move_to(sha)
    assert {"Name.py": "def first(): ...\n", "other.py": "def three(): ...\n"} == _files(folder)
    assert 1 == tree.files_left_out


def test_full_disk_is_named(repository: GitRepository, tree: ReplayedTree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A tree with files missing would measure something else."""
    sha = repository.commit("One", {"a.py": "x\n"})

    def full(*_arguments: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ctx.infrastructure.replayed_tree.os.write", full)
    with pytest.raises(CtxError, match=r"No space left.*TMPDIR"):
        tree.move_to(sha)


def test_ignore_rules_of_the_tree_hold(repository: GitRepository, tree: ReplayedTree) -> None:
    """A file that is tracked against a rule is not indexed, as in the repository itself."""
    repository.write({".gitignore": "build/\n", "build/a.py": "x = 1\n", "b.py": "y = 1\n"})
    repository.git("add", "--force", "build/a.py")
    tree.move_to(repository.commit("One", {}))
    arm = tree.arm(_config())
    assert (False, True) == (arm.is_indexed("build/a.py"), arm.is_indexed("b.py"))


def test_source_reader_knows_sources_and_their_functions() -> None:
    """Functions of any language with a grammar; text, secrets and what is never written are no sources."""
    reader = source_reader(_config())
    paths = (b"a.py", b"b.go", b"README.md", b"data.json", b".env", b"x/.git/hook.py", b"caf\xe9.py")
    assert ["a.py", "b.go", "", "", "", "", "caf\\xe9.py"] == [reader.source_path(path) for path in paths]
    source = b"class A:\n    def m(self):\n        return 1\n\n\ndef f(): ...\n"
    functions = reader.functions_of("a.py", source)
    assert functions is not None
    assert [("A.m", 2, 3), ("f", 6, 6)] == [(f.qualname, f.start_line, f.end_line) for f in functions]
    assert reader.functions_of("a.py", b"\0binary") is None
    assert reader.functions_of("page.ts", b"<!doctype html>\n") is None


def test_source_whose_parser_gives_up_has_no_functions(monkeypatch: pytest.MonkeyPatch) -> None:
    """A parse past its deadline is no end of the evaluation."""
    reader = source_reader(_config())

    def slow(*_arguments: object) -> None:
        raise CtxError("took too long")

    monkeypatch.setattr("ctx.infrastructure.ast_lsp.SkeletonMapBuilder.extract", slow)
    assert reader.functions_of("a.py", b"def f(): ...\n") is None


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_temporary_folder_goes_with_every_end(number: signal.Signals) -> None:
    """A signal becomes KeyboardInterrupt, the folder is removed, the handlers are what they were."""
    before = [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    made: list[Path] = []

    def work() -> None:
        with temporary_folder() as folder:
            made.append(Path(folder))
            (made[0] / "file").write_text("x")
            os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not made[0].exists()
    assert before == [signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]


def test_temporary_folder_that_cannot_be_made_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The remedy is another place."""

    def full(**_arguments: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("ctx.infrastructure.replayed_tree.tempfile.mkdtemp", full)
    with pytest.raises(CtxError, match=r"No space left.*TMPDIR"), temporary_folder():
        pytest.fail("there is no folder to work in")


def test_ignored_signals_stay_ignored() -> None:
    """A job started with nohup is not ended by a hang-up."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with temporary_folder():
            os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
