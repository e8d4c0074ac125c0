"""Which directory a command works on, and the commit read from `.git`."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from ctx.domain.errors import CtxError, UsageError
from ctx.infrastructure.segment import find_segment, is_no_project, repository_sha

if TYPE_CHECKING:
    from pathlib import Path

_SHA = "0123456789abcdef0123456789abcdef01234567"


def test_the_given_directory_is_taken_with_its_links_resolved(tmp_path: Path) -> None:
    """Whatever lies above it."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert str(tmp_path / "real") == find_segment(str(tmp_path / "link"))


@pytest.mark.parametrize(("name", "what"), [("file", "is not a directory"), ("none", "does not exist")])
def test_a_given_path_that_is_no_directory_is_refused(tmp_path: Path, name: str, what: str) -> None:
    """The message says which of the two it is."""
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match=f"{name}: {what}; give the directory"):
        find_segment(str(tmp_path / name))


def test_an_empty_path_is_not_the_current_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes of an unset variable, and means no directory."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="--segment is empty; give the directory to work on, or leave it out"):
        find_segment("")


def test_bytes_that_are_no_text_are_spelled_out(tmp_path: Path) -> None:
    """As in every other message."""
    with pytest.raises(UsageError, match=r"--segment .*/caf\\xe9: does not exist"):
        find_segment(f"{tmp_path}/caf\udce9")


@pytest.mark.parametrize("mark", ["_ctx", ".git"])
def test_the_nearest_marked_parent_is_the_segment(tmp_path: Path, mark: str) -> None:
    """A folder of ctx's or a repository, whichever is nearer."""
    (tmp_path / ".git").mkdir()
    (tmp_path / "a" / mark).mkdir(parents=True)
    (tmp_path / "a/b/c").mkdir(parents=True)
    assert str(tmp_path / "a") == find_segment(start=str(tmp_path / "a/b/c"))
    assert str(tmp_path / "a") == find_segment(start=str(tmp_path / "a"))


def test_a_worktrees_git_file_marks_and_a_file_named_ctx_does_not(tmp_path: Path) -> None:
    """`.git` is a file in a linked worktree; `_ctx` is always a folder."""
    (tmp_path / "a/b").mkdir(parents=True)
    (tmp_path / "a/.git").write_text("gitdir: elsewhere\n")
    (tmp_path / "a/b/_ctx").write_text("")
    assert str(tmp_path / "a") == find_segment(start=str(tmp_path / "a/b"))


def test_without_any_mark_the_current_directory_is_the_segment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing above it is taken for a project."""
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path) == find_segment()


def test_a_home_directory_is_a_project_where_it_has_a_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Faces that are started by programs take no such directory for one, any other they do."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    assert [True, False] == [is_no_project(str(path)) for path in (home, tmp_path)]
    (home / "_ctx").mkdir()
    assert not is_no_project(str(home))


def test_a_deleted_current_directory_is_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says what to do."""
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    with pytest.raises(CtxError, match=r"was deleted.*--segment"):
        find_segment()


# --- the commit ------------------------------------------------------------------------------------------------------


def git(folder: Path, *arguments: str) -> str:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment = kept | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    names = ["-c", "user.name=n", "-c", "user.email=e@example.org", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True, env=environment
    )
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    git(root, "init", "-q")
    git(root, "commit", "-q", "--allow-empty", "-m", "one")
    return root


def test_the_commit_of_a_branch_is_read_from_everywhere_in_the_repository(repository: Path) -> None:
    """From a folder below, after packing, and detached."""
    sha = git(repository, "rev-parse", "HEAD")
    (repository / "pkg/sub").mkdir(parents=True)
    assert sha == repository_sha(str(repository)) == repository_sha(str(repository / "pkg/sub"))
    git(repository, "pack-refs", "--all")
    assert sha == repository_sha(str(repository))
    git(repository, "checkout", "-q", "--detach")
    assert sha == repository_sha(str(repository))


def test_the_commit_of_a_linked_worktree_is_its_own(repository: Path) -> None:
    """Its HEAD lies in the worktree's folder, its branch in the common one."""
    worktree = repository.parent / "worktree"
    git(repository, "worktree", "add", "-q", "-b", "topic", str(worktree))
    git(worktree, "commit", "-q", "--allow-empty", "-m", "two")
    assert git(worktree, "rev-parse", "HEAD") == repository_sha(str(worktree)) != repository_sha(str(repository))
    git(repository, "pack-refs", "--all")
    assert git(worktree, "rev-parse", "HEAD") == repository_sha(str(worktree))


def test_without_a_commit_there_is_none(tmp_path: Path) -> None:
    """No repository, an empty one, and files that are none of git's."""
    assert repository_sha(str(tmp_path)) is None
    git(tmp_path, "init", "-q")
    assert repository_sha(str(tmp_path)) is None
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/.git").write_text("no pointer\n")
    assert repository_sha(str(tmp_path / "odd")) is None
    (tmp_path / "odd/.git").write_text("gitdir: nowhere\n")
    assert repository_sha(str(tmp_path / "odd")) is None


@pytest.mark.parametrize("head", ["ref: ../secret", "ref: /{root}/secret", "my password", "ref: refs/heads/odd"])
def test_only_a_commit_is_ever_read(tmp_path: Path, head: str) -> None:
    """A repository from elsewhere may point its HEAD at any file of ours: what is no hash is not handed on."""
    (tmp_path / ".git/refs/heads").mkdir(parents=True)
    (tmp_path / "secret").write_text("my password\n")
    (tmp_path / ".git/refs/heads/odd").write_text("ref: ../../../secret\n")
    (tmp_path / ".git/HEAD").write_text(head.format(root=str(tmp_path)) + "\n")
    assert repository_sha(str(tmp_path)) is None
    (tmp_path / ".git/HEAD").write_text(_SHA + "\n")
    assert _SHA == repository_sha(str(tmp_path))
