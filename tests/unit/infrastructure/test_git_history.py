"""Histories read by the real git: odd repositories, odd settings, odd names."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.git_repository import GitRepository

from ctx.domain.errors import CtxError, UsageError
from ctx.domain.evaluation import LineRun
from ctx.infrastructure.git_history import GitHistory

BIG = 1 << 20


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A user without settings."""
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GIT_CONFIG_GLOBAL", raising=False)


@pytest.fixture
def repository(tmp_path: Path) -> GitRepository:
    """An empty repository."""
    return GitRepository(tmp_path / "repository")


def _complaint(segment: Path) -> str:
    with pytest.raises(CtxError) as caught, GitHistory(str(segment)) as history:
        history.commits("", "", 10)
    return str(caught.value)


def test_commits_are_told_newest_first_with_parents_and_words(repository: GitRepository) -> None:
    """Subjects are one line whatever the message; the limit counts the newest."""
    first = repository.commit("Begin", {"a.py": "x = 1\n"}, author="Ann Smith <ann@example.org>")
    second = repository.commit("Two\nlines\n\nand a body", {"a.py": "x = 2\n"})
    with GitHistory(str(repository.root)) as history:
        newest, oldest = history.commits("", "", 10)
        assert [newest] == history.commits("", "", 1)
    assert (second, (first,), "Two lines") == (newest.sha, newest.parents, newest.subject)
    assert (first, (), "Ann Smith <ann@example.org>") == (oldest.sha, oldest.parents, oldest.author)
    assert 0 < oldest.time_s < newest.time_s


def test_revisions_bound_the_history(repository: GitRepository) -> None:
    """`since` is excluded, `until` is not; branches, tags and a detached HEAD work; others are refused by name."""
    one, two, three = (repository.commit(f"Commit {n}", {"a.py": f"{n}\n"}) for n in (1, 2, 3))
    repository.git("tag", "v1", one)
    with GitHistory(str(repository.root)) as history:
        assert [two] == [c.sha for c in history.commits("v1", two, 10)]
        for since, until in (("nowhere", ""), ("", "--all"), ("", "a\0b")):
            with pytest.raises(UsageError, match="no commit of that name here"):
                history.commits(since, until, 10)
    repository.git("checkout", "--quiet", "--detach", two)
    with GitHistory(str(repository.root)) as history:
        assert [two, one] == [c.sha for c in history.commits("", "", 10)]
        assert three not in [c.sha for c in history.commits("", "", 10)]


def test_changes_name_what_was_edited(repository: GitRepository) -> None:
    """Edits of regular files are told from new, removed and linked ones; a new mode alone is no change."""
    old = {"edited.py": "1\n", "gone.py": "2\n", "mode.py": "3\n", "link.py": "4\n", "naïve name\n.py": "5\n"}
    repository.commit("Begin", old)
    (repository.root / "gone.py").unlink()
    (repository.root / "mode.py").chmod(0o755)
    (repository.root / "link.py").unlink()
    (repository.root / "link.py").symlink_to("edited.py")
    sha = repository.commit("Change", {"edited.py": "9\n", "new.py": "6\n", "naïve name\n.py": "7\n"})
    empty = repository.commit("Nothing", {})
    with GitHistory(str(repository.root)) as history:
        none, changes = history.changes([empty, sha])
        assert () == none
        assert {
            b"edited.py": True,
            b"gone.py": False,
            b"link.py": False,
            b"new.py": False,
            "naïve name\n.py".encode(): True,
        } == {change.os_path: change.is_edit for change in changes}
        by_path = {change.os_path: change.old_oid for change in changes}
        assert b"1\n" == history.blob(by_path[b"edited.py"], BIG)
        assert history.blob(by_path[b"new.py"], BIG) is None
        assert history.blob(by_path[b"edited.py"], 1) is None


def test_line_runs_are_those_of_the_old_side(repository: GitRepository) -> None:
    """Replaced and removed lines by number, insertions by the line before; lines that look like hunks are lines."""
    lines = [f"line {n}" for n in range(1, 21)]
    lines[9] = "@@ -1,5 +1,5 @@"
    parent = repository.commit("Begin", {"a.py": "\n".join(lines)})
    new = [*lines[:1], "changed", *lines[2:5], "inserted", *lines[5:9], "-@@ -3 +4 @@", *lines[10:15], *lines[17:]]
    sha = repository.commit("Change", {"a.py": "\n".join(new) + "\n"})
    with GitHistory(str(repository.root)) as history:
        assert (LineRun(2, 1), LineRun(5, 0), LineRun(10, 1), LineRun(16, 2), LineRun(20, 1)) == history.line_runs(
            parent, sha, b"a.py"
        )


def test_blobs_come_in_order_over_several_batches(repository: GitRepository) -> None:
    """More ids than fit one question, a huge one and a missing one among them."""
    texts = {f"f{n}.txt": f"text {n}\n" * (1 + n % 7) for n in range(450)} | {"huge.txt": "x" * 5000}
    sha = repository.commit("Begin", texts)
    with GitHistory(str(repository.root)) as history:
        oid_of = {entry.os_path.decode(): entry.oid for entry in history.tree_changes("", sha)}
        names = sorted(texts)
        found = list(history.blobs([*(oid_of[name] for name in names), "0" * 40], 1000))
        assert [None if name == "huge.txt" else texts[name].encode() for name in names] + [None] == found
        assert b"x" * 5000 == history.blob(oid_of["huge.txt"], 5000)


def test_tree_changes_lead_from_one_tree_to_another(repository: GitRepository) -> None:
    """What is no regular file any more has no object; submodules never had one."""
    one = repository.commit("Begin", {"a/b.py": "1\n", "c.py": "2\n"})
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{one},sub")
    repository.git("rm", "--quiet", "c.py")
    (repository.root / "c.py").symlink_to("/etc/passwd")
    two = repository.commit("Change", {"d.py": "3\n"})
    with GitHistory(str(repository.root)) as history:
        assert [b"a/b.py", b"c.py"] == sorted(entry.os_path for entry in history.tree_changes("", one))
        assert {b"c.py": False, b"d.py": True} == {e.os_path: bool(e.oid) for e in history.tree_changes(one, two)}
        assert {b"a/b.py": True, b"c.py": False, b"d.py": True, b"sub": False} == {
            e.os_path: bool(e.oid) for e in history.tree_changes("", two)
        }


def test_subfolder_sees_its_own_commits_and_paths(repository: GitRepository) -> None:
    """Paths are relative to the segment; commits elsewhere are not there; names with wildcards mean themselves."""
    one = repository.commit("Begin", {"p[1]/a.py": "1\n", "p1/a.py": "1\n", "b.py": "1\n"})
    repository.commit("Elsewhere", {"p1/a.py": "2\n", "b.py": "2\n"})
    two = repository.commit("Both", {"p[1]/a.py": "3\n", "p1/a.py": "3\n"})
    with GitHistory(str(repository.root / "p[1]")) as history:
        assert "p[1]/" == history.prefix
        assert [two, one] == [c.sha for c in history.commits("", "", 10)]
        assert [[b"a.py"]] == [[c.os_path for c in changes] for changes in history.changes([two])]
        assert [b"a.py"] == [entry.os_path for entry in history.tree_changes("", two)]
        assert [b"a.py"] == [entry.os_path for entry in history.tree_changes(one, two)]
        assert (LineRun(1, 1),) == history.line_runs(one, two, b"a.py")


def test_settings_and_attributes_of_the_user_do_not_matter(
    repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pagers, colours, prefixes, textconv, external diffs, replacements, grafts and GIT_ variables change nothing."""
    one = repository.commit("Begin", {"a.py": "1\n", ".gitattributes": "*.py diff=odd\n"})
    two = repository.commit("Change", {"a.py": "2\n"})
    three = repository.commit("Change again", {"a.py": "3\n"})
    marker = tmp_path / "ran"
    run = f"touch {marker}; false"
    for name, value in {
        "color.ui": "always",
        "core.pager": run,
        "core.quotePath": "true",
        "diff.noprefix": "true",
        "diff.external": run,
        "diff.odd.textconv": run,
        "diff.odd.command": run,
        "diff.renames": "copies",
        "diff.relative": "true",
        "log.showSignature": "true",
        "log.decorate": "full",
        "core.fsmonitor": run,
        "i18n.logOutputEncoding": "utf-16",
    }.items():
        subprocess.run(["git", "config", "--global", name, value], check=True)
    repository.git("replace", three, one)
    (repository.root / ".git/info").mkdir(exist_ok=True)
    (repository.root / ".git/info/grafts").write_text(f"{three}\n")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", run)
    monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "index"))
    with GitHistory(str(repository.root)) as history:
        commits = history.commits("", "", 10)
        assert [(three, (two,)), (two, (one,)), (one, ())] == [(c.sha, c.parents) for c in commits]
        assert "Change again" == commits[0].subject
        assert [1, 1] == [len(changes) for changes in history.changes([three, two])]
        assert (LineRun(1, 1),) == history.line_runs(one, two, b"a.py")
    assert not marker.exists()


def test_subjects_in_latin_1_are_read(repository: GitRepository) -> None:
    """A message that names its encoding is converted by git, one that does not is taken for latin-1."""
    repository.git("config", "i18n.commitEncoding", "iso-8859-1")
    repository.commit("Façade named", {"a.py": "1\n"}, encoding="latin-1")
    repository.git("config", "--unset", "i18n.commitEncoding")
    repository.commit("Façade unnamed", {"a.py": "2\n"}, encoding="latin-1")
    with GitHistory(str(repository.root)) as history:
        assert ["Façade unnamed", "Façade named"] == [c.subject for c in history.commits("", "", 10)]


def test_sha256_repositories_worktrees_and_bare_ones_are_read(tmp_path: Path) -> None:
    """Object ids of 64 digits, a .git that is a file, and a repository without a tree."""
    repository = GitRepository(tmp_path / "r", "--object-format=sha256")
    sha = repository.commit("Begin", {"a.py": "1\n"})
    assert 64 == len(sha)
    repository.git("worktree", "add", "--quiet", "--detach", str(tmp_path / "tree"))
    repository.git("clone", "--quiet", "--bare", ".", str(tmp_path / "bare"))
    for segment in (repository.root, tmp_path / "tree", tmp_path / "bare"):
        with GitHistory(str(segment)) as history:
            assert [sha] == [c.sha for c in history.commits("", "", 10)]
            assert (segment.name == "bare") == history.is_bare
            (entry,) = history.tree_changes("", sha)
            assert b"1\n" == history.blob(entry.oid, BIG)


def test_shallow_clone_ends_where_it_was_cut(repository: GitRepository, tmp_path: Path) -> None:
    """The oldest commit of a shallow clone has no parent to ask."""
    for n in range(4):
        repository.commit(f"Commit {n}", {"a.py": f"{n}\n"})
    repository.git("clone", "--quiet", "--depth=2", f"file://{repository.root}", str(tmp_path / "clone"))
    with GitHistory(str(tmp_path / "clone")) as history:
        assert history.is_shallow
        assert [1, 0] == [len(c.parents) for c in history.commits("", "", 10)]


def test_partial_clone_is_named_and_nothing_is_fetched(repository: GitRepository, tmp_path: Path) -> None:
    """Missing contents are an error with what to do, also for a git that would fetch them."""
    repository.git("config", "uploadpack.allowFilter", "true")
    repository.commit("Begin", {"a.py": "old\n"})
    repository.commit("Change", {"a.py": "new\n"})
    clone = tmp_path / "clone"
    repository.git("clone", "--quiet", "--filter=blob:none", "--no-checkout", f"file://{repository.root}", str(clone))
    with GitHistory(str(clone)) as history:
        newest, _oldest = history.commits("", "", 10)
        ((change,),) = history.changes([newest.sha])
        with pytest.raises(CtxError, match=r"partial clone.*--refetch"):
            history.blob(change.old_oid, BIG)


def test_what_is_no_usable_repository_is_named(
    repository: GitRepository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No repository, no commits, a damaged one, no git: each in one line with the next step."""
    (tmp_path / "plain").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    assert "not in a git repository" in _complaint(tmp_path / "plain")
    assert "has no commits yet" in _complaint(repository.root)
    sha = repository.commit("Begin", {"a.py": "1\n"})
    (repository.root / ".git/objects" / sha[:2] / sha[2:]).unlink()
    assert "cannot read the commit that is checked out; try git fsck" in _complaint(repository.root)
    monkeypatch.setenv("PATH", str(tmp_path / "plain"))
    assert "git is not installed" in _complaint(repository.root)


def test_repository_of_another_user_is_refused_until_trusted(repository: GitRepository) -> None:
    """git's own refusal comes through with its remedy, and the remedy works."""
    if os.geteuid() != 0:
        pytest.skip("only root can give a repository away")
    sha = repository.commit("Begin", {"a.py": "1\n"})
    for path in (repository.root, repository.root / ".git"):
        os.chown(path, 12345, 12345)
    complaint = _complaint(repository.root)
    assert f"safe.directory {repository.root}" in complaint
    subprocess.run(["git", "config", "--global", "--add", "safe.directory", str(repository.root)], check=True)
    with GitHistory(str(repository.root)) as history:
        assert [sha] == [c.sha for c in history.commits("", "", 10)]
