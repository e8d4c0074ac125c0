"""What git tracks, asked of indexes that git itself has written."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.git_repository import GitRepository

from ctx.infrastructure.git_index import is_surely_untracked

if TYPE_CHECKING:
    from pathlib import Path

FILES = {
    ".gitignore": ".venv/\n",
    "a/.venv-old/x": "",
    "a/.vent": "",
    "b.py": "",
    "docs/symlink": "",
    "z/" + "/".join(["n" * 200] * 3): "",
}
VERSIONS = (2, 3, 4)


@pytest.fixture(params=VERSIONS)
def repository(request: pytest.FixtureRequest, tmp_path: Path) -> GitRepository:
    """A repository whose index is of one version, with an environment that is left out."""
    made = GitRepository(tmp_path.resolve() / "shop")
    made.write(FILES | {"a/.venv/bin/python": "", "a/.venv/pyvenv.cfg": "", ".venv/pyvenv.cfg": ""})
    made.git("add", "--all")
    if request.param == 3:  # git writes it for entries with further flags only
        made.git("add", "--intent-to-add", "--force", ".gitignore")
        made.write({"later.py": "1"})
        made.git("add", "--intent-to-add", "later.py")
    else:
        made.git("update-index", f"--index-version={request.param}")
    assert request.param == int.from_bytes((made.root / ".git/index").read_bytes()[4:8], "big")
    return made


def test_what_is_left_out_is_untracked(repository: GitRepository) -> None:
    """At the top and in a folder, beside names that begin alike."""
    assert [True, True] == _asked(repository, ".venv", "a/.venv")


def test_what_is_added_by_force_is_tracked(repository: GitRepository) -> None:
    """One file of it is enough, whatever the ignore rules say, and only that folder's own."""
    repository.git("add", "--force", "a/.venv/bin/python")
    assert [True, False] == _asked(repository, ".venv", "a/.venv")


def test_a_tracked_link_is_tracked(repository: GitRepository) -> None:
    """A link is a file to git: its own name is the entry."""
    (repository.root / "env").symlink_to(".venv")
    assert [True] == _asked(repository, "env")
    repository.git("add", "env")
    assert [False] == _asked(repository, "env")


def test_letters_of_either_case_are_the_same(repository: GitRepository) -> None:
    """On some file systems they are, and a repository may be made on another."""
    repository.write({"VENV/pyvenv.cfg": ""})
    repository.git("add", "--force", "VENV")
    assert [False] == _asked(repository, "venv")


def test_a_linked_worktree_has_an_index_of_its_own(repository: GitRepository) -> None:
    """What is tracked in the one may not be in the other."""
    repository.git("add", "--force", "a/.venv/pyvenv.cfg")
    repository.commit("all", {})
    other = repository.root.parent / "other"
    repository.git("worktree", "add", "--quiet", "--detach", str(other))
    assert (other / ".git").is_file()
    assert (False, True) == (is_surely_untracked(str(other / "a/.venv")), is_surely_untracked(str(other / "b/.venv")))


def test_a_repository_inside_another_answers_for_its_own(repository: GitRepository) -> None:
    """The nearest one is asked."""
    inner = GitRepository(repository.root / "inner")
    inner.write({".venv/pyvenv.cfg": "", "x": ""})
    inner.git("add", "x")
    assert is_surely_untracked(str(inner.root / ".venv"))
    inner.git("add", "--force", ".venv")
    assert not is_surely_untracked(str(inner.root / ".venv"))


def test_sure_of_nothing_without_entries(tmp_path: Path) -> None:
    """Where nothing was ever added, nothing tells the user's own from what came along; nor where there is no git."""
    plain = tmp_path / "plain"
    (plain / ".venv").mkdir(parents=True)
    fresh = GitRepository(tmp_path / "fresh")
    assert (False, False) == (is_surely_untracked(str(plain / ".venv")), is_surely_untracked(str(fresh.root / ".venv")))
    fresh.write({"x": ""})
    fresh.git("add", "x")
    assert is_surely_untracked(str(fresh.root / ".venv"))
    fresh.git("rm", "--cached", "--quiet", "x")
    assert not is_surely_untracked(str(fresh.root / ".venv"))


def test_sure_of_nothing_when_entries_stand_elsewhere(tmp_path: Path) -> None:
    """A split index keeps most of them in another file."""
    made = GitRepository(tmp_path / "shop")
    made.write({"x": "", ".venv/pyvenv.cfg": ""})
    made.git("add", "--force", "x", ".venv")
    made.git("update-index", "--split-index")
    assert b".venv" not in (made.root / ".git/index").read_bytes()
    assert not is_surely_untracked(str(made.root / ".venv"))


def test_another_hash_is_read_as_far_as_it_matters(tmp_path: Path) -> None:
    """A path that stands nowhere in the file is no entry's; one that does cannot be told apart."""
    made = GitRepository(tmp_path / "shop", "--object-format=sha256")
    made.write({"x": "", ".venv/pyvenv.cfg": ""})
    made.git("add", "x")
    assert is_surely_untracked(str(made.root / ".venv"))
    made.git("add", "--force", ".venv")
    assert not is_surely_untracked(str(made.root / ".venv"))


@pytest.mark.parametrize("version", [2, 4])
def test_damage_is_no_answer(tmp_path: Path, version: int) -> None:
    """Cut off or overwritten anywhere, a tracked environment is never taken for an untracked one."""
    made = GitRepository(tmp_path / "shop")
    made.write({"a/b": "", "a/.venv/pyvenv.cfg": "", "link": ""})
    made.git("add", "--force", "a", "link")
    made.git("update-index", f"--index-version={version}")
    index = made.root / ".git/index"
    whole = index.read_bytes()
    said = []
    for length in range(0, len(whole), 7):
        index.write_bytes(whole[:length])
        said.append(b"a/.venv" in whole[:length] and is_surely_untracked(str(made.root / "a/.venv")))
    assert [] == [answer for answer in said if answer]


def test_what_is_no_file_is_no_answer(tmp_path: Path) -> None:
    """A pipe in the index's place would never end, and a pointer may lead nowhere."""
    made = GitRepository(tmp_path / "shop")
    os.mkfifo(made.root / ".git/index")
    assert not is_surely_untracked(str(made.root / ".venv"))
    for pointer in ("gitdir: /nowhere/at/all", "nothing", ""):
        folder = tmp_path / f"pointed{len(pointer)}"
        folder.mkdir()
        (folder / ".git").write_text(pointer)
        assert not is_surely_untracked(str(folder / ".venv"))


def _asked(repository: GitRepository, *paths: str) -> list[bool]:
    """Ask of each path, and check the answer against git's own."""
    answers = []
    for path in paths:
        answers.append(is_surely_untracked(str(repository.root / path)))
        assert ("" == repository.git("ls-files", "--", f":(icase){path}")) == answers[-1]
    return answers
