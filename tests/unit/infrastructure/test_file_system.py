"""The files of a segment: what is walked, probed, read and handed on, and what never is."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ignore  # noqa: F401 - imported while every directory is readable, see `unprivileged`
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import RecordingTelemetry

from ctx.domain.errors import CtxError, NotFoundError, OutsideSegmentError, UsageError
from ctx.domain.source_files import Changes, Skipped, SourceText, Walk
from ctx.infrastructure.file_system import FileSystemAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_NOBODY = 65534


class Segment:
    """A directory to fill, and the adapter on it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.telemetry = RecordingTelemetry()

    def put(self, path: str | bytes, content: bytes | str = b"x = 1\n") -> bytes:
        os_path = os.fsencode(path)
        full = os.path.join(os.fsencode(self.root), os_path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        return os_path

    def files(self, **options: Any) -> FileSystemAdapter:
        return FileSystemAdapter(str(self.root), telemetry=self.telemetry, **options)

    def walk(self, **options: Any) -> Walk:
        return self.files(**options).walk()

    def walked(self, **options: Any) -> list[str]:
        return [os.fsdecode(found[0]) for found in self.walk(**options).files]

    def read(self, path: str | bytes, **options: Any) -> SourceText | Skipped:
        return self.files(**options).read_source(os.fsencode(path))

    def read_text(self, path: str | bytes, **options: Any) -> SourceText:
        source = self.read(path, **options)
        assert isinstance(source, SourceText), source
        return source

    def skip_reason(self, path: str | bytes, **options: Any) -> str:
        source = self.read(path, **options)
        assert isinstance(source, Skipped)
        assert os.fsencode(path) == source.os_path
        return source.reason


@pytest.fixture(autouse=True)
def _no_global_excludes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "home/config"))


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    (tmp_path / "seg").mkdir()
    return Segment(tmp_path / "seg")


@pytest.fixture
def open_segment() -> Iterator[Segment]:
    """A segment that users other than root can reach; pytest's own directories are closed to them."""
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        before = os.umask(0o022)
        try:
            yield Segment(Path(directory))
        finally:
            os.umask(before)


@contextmanager
def unprivileged() -> Iterator[None]:
    """Drop root's power over permission bits for a while; other users never had it."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(_NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def hook_once(monkeypatch: pytest.MonkeyPatch, name: str, *, before: Callable[..., object]) -> None:
    """Run `before` with the arguments of the first call of `os.<name>`, then let calls through."""
    real, calls = getattr(os, name), []

    def hooked(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        if len(calls) == 1:
            before(*args)
        return real(*args, **kwargs)

    monkeypatch.setattr(os, name, hooked)


# --- walk ------------------------------------------------------------------------------------------------------------


def test_walk_gives_sorted_files_directories_and_their_stats(segment: Segment) -> None:
    """Files with size and mtime, every directory with its mtime, the segment itself as b""."""
    segment.put("b/two.py", b"12345")
    segment.put("a.py", b"123")
    (segment.root / "b/empty").mkdir()
    found = segment.walk()
    expected = [(path, (segment.root / path).stat()) for path in ("a.py", "b/two.py")]
    assert tuple((path.encode(), stat.st_size, stat.st_mtime_ns) for path, stat in expected) == found.files
    directories = ["", "b", "b/empty"]
    assert tuple((d.encode(), (segment.root / d).stat().st_mtime_ns) for d in directories) == found.directories
    assert found.skipped == ()


def test_an_empty_segment_has_only_itself(segment: Segment) -> None:
    """No file is no error."""
    found = segment.walk()
    assert (found.files, [d[0] for d in found.directories], found.skipped) == ((), [b""], ())


@pytest.mark.parametrize("has_git", [True, False])
def test_ignore_files_are_honoured(segment: Segment, has_git: bool) -> None:
    """.gitignore with and without a repository, nested ones, .ignore and .ctxignore, which wins."""
    if has_git:
        segment.put(".git/HEAD")
    segment.put(".gitignore", "*.log\nbuild/\nkeep.me\n")
    segment.put("sub/.gitignore", "/only_here.py\n!important.log\n")
    segment.put(".ignore", "by_ignore.py\n")
    segment.put(".ctxignore", "by_ctxignore.py\n!keep.me\n")
    for path in ("a.log", "build/x.py", "sub/only_here.py", "by_ignore.py", "sub/by_ctxignore.py"):
        segment.put(path)
    kept = ["keep.me", "only_here.py", "sub/important.log", "sub/ok.py"]
    for path in kept:
        segment.put(path)
    rule_files = [".ctxignore", ".gitignore", ".ignore", "sub/.gitignore"]
    assert sorted(rule_files + kept) == segment.walked()


def test_git_excludes_are_honoured(segment: Segment, tmp_path: Path) -> None:
    """.git/info/exclude and the user's global excludes count."""
    segment.put(".git/info/exclude", "local.py\n")
    (tmp_path / "home/config/git").mkdir(parents=True)
    (tmp_path / "home/config/git/ignore").write_text("*.swp\n")
    segment.put("local.py")
    segment.put("a.swp")
    segment.put("ok.py")
    assert segment.walked() == ["ok.py"]


def test_a_segment_inside_a_repository_has_its_rules_and_no_others(tmp_path: Path) -> None:
    """.gitignore counts up to the repository's root, not beyond it."""
    (tmp_path / ".gitignore").write_text("beyond.py\n")
    repository = Segment(tmp_path / "repo")
    repository.put(".git/info/exclude", "excluded.py\n")
    repository.put(".gitignore", "ignored.py\n/part/anchored.py\n")
    for name in ("beyond", "excluded", "ignored", "anchored", "ok"):
        repository.put(f"part/{name}.py")
    part = Segment(tmp_path / "repo/part")
    assert part.walked() == ["beyond.py", "ok.py"]
    rules = [b"../.gitignore", b"../.git/info/exclude"]
    assert [b"", *rules] == [directory[0] for directory in part.walk().directories]


def test_a_gitignore_above_a_segment_without_repository_does_not_count(segment: Segment) -> None:
    """A stray ~/.gitignore hides nothing."""
    (segment.root.parent / ".gitignore").write_text("*\n")
    segment.put("ok.py")
    assert segment.walked() == ["ok.py"]


def test_a_segment_its_repository_ignores_wholly_is_walked_anyway(tmp_path: Path) -> None:
    """Dotfiles kept in the home directory under `*` do not empty a project below it."""
    home = Segment(tmp_path / "dotfiles")
    home.put(".git/HEAD")
    home.put(".gitignore", "*\n")
    home.put("project/ok.py")
    assert Segment(tmp_path / "dotfiles/project").walked() == ["ok.py"]


def test_hidden_files_are_walked_but_no_metadata_and_no_junk(segment: Segment) -> None:
    """Version control, ctx's own folders (a nested segment's, too) and tools' folders are never entered."""
    kept = [".github/ci.yml", ".hidden.py", "node_modules.py", "venv/honest.py"]
    for path in kept:
        segment.put(path)
    never = [
        ".git",
        ".hg",
        ".svn",
        "_ctx",
        "deep/_ctx",
        "deep/.git",
        "node_modules",
        "deep/node_modules",
        "__pycache__",
        ".venv",
    ]
    never += ["deep/.tox", ".nox", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".eggs"]
    for directory in never:
        segment.put(f"{directory}/x.py")
    segment.put("linked/.git", "gitdir: elsewhere\n")
    found = segment.walk()
    assert sorted(kept) == [os.fsdecode(file[0]) for file in found.files]
    directories = {b"", b".github", b"deep", b"linked", b"venv"}
    assert directories == {directory[0] for directory in found.directories}


def test_virtual_environments_are_left_out_at_any_depth(segment: Segment) -> None:
    """A venv is one by its pyvenv.cfg; its name alone is no reason."""
    for venv in ("venv", "sub/env"):
        segment.put(f"{venv}/pyvenv.cfg")
        segment.put(f"{venv}/lib/x.py")
        segment.put(f"{venv}/.env")
    segment.put("other/pyvenv.cfg")
    segment.put("sub/environment.py")
    found = segment.walk()
    assert [file[0] for file in found.files] == [b"other/pyvenv.cfg", b"sub/environment.py"]
    # The environments themselves are watched: without its pyvenv.cfg each is a directory like others.
    assert [directory[0] for directory in found.directories] == [b"", b"other", b"sub", b"sub/env", b"venv"]
    assert found.skipped == ()


def test_extra_ignores(segment: Segment) -> None:
    """Patterns from the configuration act as in a .gitignore at the root that nothing overrules."""
    segment.put(".gitignore", "!a.gen\n")
    for path in ("a.gen", "sub/b.gen", "docs/x.html", "sub/docs/x.html"):
        segment.put(path)
    assert segment.walked(extra_ignores=["*.gen", "/docs/", "", "# comment"]) == [".gitignore", "sub/docs/x.html"]


@pytest.mark.parametrize("pattern", ["!back.py", "[z"])
def test_an_extra_ignore_that_is_no_pattern_is_named(segment: Segment, pattern: str) -> None:
    """A wrong pattern is the user's to correct, with its text in the message."""
    with pytest.raises(UsageError, match=r"index\.ignore") as caught:
        segment.walk(extra_ignores=[pattern])
    assert pattern in str(caught.value)


@pytest.mark.parametrize("name", [b"a b.py", b"new\nline.py", b"bad\xff.py", "日本.py".encode(), b"back\\slash"])
@pytest.mark.parametrize("directory", [b"", b"d/", b"d\xfe/"])
def test_names_are_exact_bytes(segment: Segment, name: bytes, directory: bytes) -> None:
    """Spaces, newlines and undecodable bytes in names survive walking, probing and reading."""
    os_path = segment.put(directory + name, b"text\n")
    files = segment.files()
    found = files.walk()
    assert [os_path] == [file[0] for file in found.files]
    assert files.probe(found.files, found.directories).is_empty
    assert segment.read_text(os_path).text == "text\n"


def test_a_segment_whose_own_name_is_not_utf8(tmp_path: Path) -> None:
    """The root may have undecodable bytes; rules and junk count there as elsewhere."""
    root = Segment(Path(os.fsdecode(os.fsencode(tmp_path) + b"/r\xff")))
    root.put(".gitignore", "*.log\n")
    for path in ("a.log", "sub/ok.py", "_ctx/x", "sub/node_modules/x", "venv/pyvenv.cfg"):
        root.put(path)
    assert root.walked() == [".gitignore", "sub/ok.py"]


def test_links_are_never_followed(segment: Segment, tmp_path: Path) -> None:
    """A link inside is silently left out, one that leads outside or nowhere is listed, loops end."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.py").write_text("x")
    segment.put("real/a.py")
    for link, target in {
        "again.py": "real/a.py",
        "dir_again": "real",
        "broken": "nowhere",
        "loop": "loop",
        "up": "..",
        "self": ".",
        "out.py": str(outside / "secret.py"),
        "out_dir": str(outside),
    }.items():
        (segment.root / link).symlink_to(target)
    found = segment.walk()
    assert [file[0] for file in found.files] == [b"real/a.py"]
    leaves = "link leads outside the segment"
    expected = [(b"broken", "broken link"), (b"loop", "broken link")]
    expected += [(b"out.py", leaves), (b"out_dir", leaves), (b"up", leaves)]
    assert tuple(expected) == found.skipped


def test_a_link_that_may_not_be_read_leads_nowhere(segment: Segment, refuse_link: Callable[[Path], None]) -> None:
    """It costs nothing but itself."""
    segment.put("a.py")
    (segment.root / "link.py").symlink_to("nowhere.py")
    refuse_link(segment.root / "link.py")
    found = segment.walk()
    assert [b"a.py"] == [file[0] for file in found.files]
    assert ((b"link.py", "broken link"),) == found.skipped
    with pytest.raises(NotFoundError, match=r"link\.py: no such file in the segment"):
        segment.files().resolve_inside("link.py")


def test_secrets_and_special_files_are_listed_as_skipped(segment: Segment) -> None:
    """Keys, FIFOs and sockets are no files to index; nothing is opened to find that out."""
    segment.put("conf/.env")
    segment.put("server.pem")
    segment.put(".env.example")
    os.mkfifo(segment.root / "pipe")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(segment.root / "sock"))
        found = segment.walk()
    assert [file[0] for file in found.files] == [b".env.example"]
    expected = [(b"conf/.env", "secrets file"), (b"pipe", "not a regular file")]
    expected += [(b"server.pem", "secrets file"), (b"sock", "not a regular file")]
    assert tuple(expected) == found.skipped


def test_a_directory_that_cannot_be_listed_is_named_and_the_rest_walked(open_segment: Segment) -> None:
    """Permission denied skips the directory with its reason; so does one that may be listed and not entered."""
    open_segment.put("a/ok.py")
    open_segment.put("locked/in.py")
    open_segment.put("unentered/in.py")
    open_segment.put("z/ok.py")
    (open_segment.root / "locked").chmod(0)
    (open_segment.root / "unentered").chmod(0o744)
    with unprivileged():
        found = open_segment.walk()
    (open_segment.root / "locked").chmod(0o755)
    assert [file[0] for file in found.files] == [b"a/ok.py", b"z/ok.py"]
    denied = "not readable: Permission denied"
    assert ((b"locked", denied), (b"unentered/in.py", denied)) == found.skipped


def test_a_file_that_vanishes_during_the_walk_is_left_out(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    """An entry that is gone when it is looked at was not there."""
    segment.put("a.py")
    segment.put("b.py")
    real = os.stat

    def stat(path: Any, **kwargs: Any) -> os.stat_result:
        if path == b"a.py":
            (segment.root / "a.py").unlink(missing_ok=True)
        return real(path, **kwargs)

    monkeypatch.setattr(os, "stat", stat)
    found = segment.walk()
    assert ([file[0] for file in found.files], found.skipped) == ([b"b.py"], ())


def test_a_segment_behind_a_link_is_the_directory_itself(segment: Segment) -> None:
    """The root may be named through a link."""
    segment.put("a.py")
    link = Segment(segment.root.parent / "link")
    link.root.symlink_to(segment.root)
    assert link.walked() == ["a.py"]
    assert str(segment.root) == link.files().root


# --- probe -----------------------------------------------------------------------------------------------------------


def test_probe_finds_nothing_when_nothing_moved(segment: Segment) -> None:
    """Reading a file is no change."""
    segment.put("a/b.py")
    files = segment.files()
    found = files.walk()
    files.read_source(b"a/b.py")
    assert files.probe(found.files, found.directories).is_empty


def test_probe_tells_changed_removed_and_touched(segment: Segment) -> None:
    """Size or mtime, disappearance, and directories whose entries moved."""
    for path in ("size.py", "time.py", "same.py", "sub/gone.py", "dead/in.py", "sub/became_dir", "grows/x.py"):
        segment.put(path)
    files = segment.files()
    found = files.walk()
    segment.put("size.py", b"longer than before\n")
    os.utime(segment.root / "time.py", ns=(1, 1))
    (segment.root / "sub/gone.py").unlink()
    (segment.root / "sub/became_dir").unlink()
    (segment.root / "sub/became_dir").mkdir()
    (segment.root / "dead/in.py").unlink()
    (segment.root / "dead").rmdir()
    segment.put("grows/new.py")
    for directory in ("", "sub", "grows"):
        os.utime(segment.root / directory, ns=(2, 2))  # not left to the tick of the file system's clock
    changes = files.probe(found.files, found.directories)
    assert changes.changed == (b"size.py", b"time.py")
    assert changes.removed == (b"dead/in.py", b"sub/became_dir", b"sub/gone.py")
    assert changes.touched_directories == (b"", b"dead", b"grows", b"sub")


def test_a_parent_that_became_a_file_removes_what_was_in_it(segment: Segment) -> None:
    """A file where a directory was is no error."""
    segment.put("d/a.py")
    files = segment.files()
    found = files.walk()
    (segment.root / "d/a.py").unlink()
    (segment.root / "d").rmdir()
    segment.put("d")
    assert files.probe(found.files, ()).removed == (b"d/a.py",)


def test_a_changed_ignore_file_touches_its_directory(segment: Segment) -> None:
    """New rules change what belongs to the index, although no directory entry moved."""
    for name in (".gitignore", "sub/.ctxignore"):
        segment.put(name, "a\n")
    files = segment.files()
    found = files.walk()
    directories = [(path, (segment.root / os.fsdecode(path)).stat()) for path, _ in found.directories]
    segment.put(".gitignore", "bbb\n")
    segment.put("sub/.ctxignore", "bbb\n")
    for path, stat in directories:
        os.utime(segment.root / os.fsdecode(path), ns=(stat.st_atime_ns, stat.st_mtime_ns))
    changes = files.probe(found.files, found.directories)
    assert (changes.changed, changes.touched_directories) == ((b".gitignore", b"sub/.ctxignore"), (b"", b"sub"))


@pytest.mark.parametrize("rule_file", [".git/info/exclude", ".gitignore"])
def test_a_rule_file_that_is_not_walked_is_watched(segment: Segment, rule_file: str) -> None:
    """git's own exclude file and an ignore file that hides itself touch the segment when they change."""
    segment.put(".git/HEAD")
    segment.put(rule_file, ".gitignore\n")
    files = segment.files()
    found = files.walk()
    assert (rule_file.encode() in dict(found.directories), ()) == (True, found.files)
    os.utime(segment.root / rule_file, ns=(1, 1))
    assert files.probe(found.files, found.directories).touched_directories == (b"",)


def before_and_changes(segment: Segment, edit: Callable[[], object]) -> tuple[Walk, Changes]:
    """Walk, edit and probe; folders get old times first, so that an edit in the same tick of the clock shows."""
    for at, (folder, _names, _files) in enumerate(os.walk(segment.root)):
        os.utime(folder, ns=(at, at))
    before = segment.walk()
    edit()
    return before, segment.files().probe(before.files, before.directories)


def whole_and_touched(segment: Segment, edit: Callable[[], object]) -> tuple[Walk, Walk | None]:
    """Return what a whole walk and one of what was touched find after an edit."""
    before, changes = before_and_changes(segment, edit)
    touched = segment.files().walk_touched(before, changes)
    return segment.walk(), touched


def assert_same(whole: Walk, touched: Walk) -> None:
    assert touched.listed is not None
    assert whole.files == touched.files
    assert whole.directories == touched.directories
    assert whole.repositories == touched.repositories
    listed = [found for found in whole.skipped if found[0].rpartition(b"/")[0] in touched.listed]
    assert listed == list(touched.skipped)


def test_saving_by_rename_lists_the_folder_and_those_above_it(segment: Segment) -> None:
    """Only what lies on the way is listed, not the thousands beside it; the answer is that of a whole walk."""
    for path in ("a.py", "pkg/a.py", "pkg/sub/b.py", "pkg/sub/deep/c.py", "docs/d.md", "odd[1]*/e.py", "!neg/f.py"):
        segment.put(path)
    segment.put(".gitignore", "*.tmp\n")

    def save() -> None:
        segment.put("pkg/sub/b.py.tmp", b"x = 2\n")
        (segment.root / "pkg/sub/b.py.tmp").rename(segment.root / "pkg/sub/b.py")

    whole, touched = whole_and_touched(segment, save)
    assert touched is not None
    assert_same(whole, touched)
    assert {b"", b"pkg", b"pkg/sub"} <= touched.listed <= {b"", b"pkg", b"pkg/sub", b"pkg/sub/deep"}


def test_a_new_folder_is_listed_to_its_end(segment: Segment) -> None:
    """What is below a folder nobody knew counts as new, under the rules of the folders above it."""
    segment.put("pkg/a.py")
    segment.put("other/b.py")
    segment.put("pkg/.gitignore", "*.log\n")

    def add() -> None:
        for path in ("pkg/new/c.py", "pkg/new/deep/d.py", "pkg/new/deep/e.log"):
            segment.put(path)

    whole, touched = whole_and_touched(segment, add)
    assert touched is not None
    assert_same(whole, touched)
    assert {b"pkg/new/c.py", b"pkg/new/deep/d.py"} <= {found[0] for found in touched.files}
    assert touched.listed == {b"", b"pkg", b"pkg/new", b"pkg/new/deep"}


@pytest.mark.parametrize(
    "path", [".gitignore", "pkg/.ctxignore", "pkg/.git/HEAD", ".git/HEAD", "pkg/env/pyvenv.cfg", "pkg/sub/.ignore"]
)
def test_new_rules_take_a_whole_walk(segment: Segment, path: str) -> None:
    """An ignore file, repository or virtual environment that comes or goes may change what untouched folders say."""
    segment.put("pkg/a.py")
    segment.put("pkg/sub/b.py")
    segment.put("pkg/env/c.py")
    _whole, touched = whole_and_touched(segment, lambda: segment.put(path, "*.md\n"))
    assert touched is None
    gone = segment.root / path.removesuffix("/HEAD")
    _whole, touched = whole_and_touched(segment, lambda: shutil.rmtree(gone) if gone.is_dir() else gone.unlink())
    assert touched is None


_TREE = ("a.py", "pkg/a.py", "pkg/sub/b.py", "pkg/sub/deep/c.py", "docs/d.md", "docs/env/e.py", "lib/.env", "lib/f.txt")
_FOLDERS = ("pkg", "pkg/sub", "pkg/sub/deep", "docs", "docs/env", "lib", "new", "pkg/new")
_edit = st.one_of(
    st.tuples(st.just("put"), st.sampled_from((*_TREE, "new/g.py", "pkg/new/h.py")), st.just("y = 2\n")),
    st.tuples(
        st.just("put"),
        st.sampled_from((".gitignore", "pkg/.gitignore", "docs/.ctxignore", "pkg/sub/.gitignore")),
        st.sampled_from(("", "*.py\n", "sub/\n", "/a.py\n", ".gitignore\n*.md\n", "!b.py\n")),
    ),
    st.tuples(st.just("put"), st.sampled_from((".git/HEAD", "pkg/.git/HEAD", "docs/env/pyvenv.cfg")), st.just("x\n")),
    st.tuples(st.just("save"), st.sampled_from(_TREE), st.just("saved = 3\n")),
    st.tuples(st.just("delete"), st.sampled_from((*_TREE, *_FOLDERS, ".git", "pkg/.git", ".gitignore")), st.just("")),
    st.tuples(st.just("rename"), st.sampled_from((*_TREE, *_FOLDERS)), st.sampled_from((*_TREE, *_FOLDERS))),
    st.tuples(st.just("link"), st.sampled_from((*_TREE, *_FOLDERS)), st.sampled_from((*_TREE, *_FOLDERS))),
)


def perform(segment: Segment, edit: tuple[str, str, str]) -> None:
    """Do one thing to the tree; what makes no sense just then is left."""
    kind, path, more = edit
    full = segment.root / path
    with contextlib.suppress(OSError):
        match kind:
            case "put":
                segment.put(path, more)
            case "save":
                segment.put(f"{path}~", more)
                (segment.root / f"{path}~").rename(full)
            case "delete":
                shutil.rmtree(full) if full.is_dir() and not full.is_symlink() else full.unlink()
            case "rename":
                full.rename(segment.root / more)
            case "link":
                full.symlink_to(segment.root / more)


@settings(max_examples=150)
@given(st.lists(st.lists(_edit, min_size=1, max_size=4), min_size=1, max_size=4))
def test_a_walk_of_what_was_touched_is_a_whole_walk(batches: list[list[tuple[str, str, str]]]) -> None:
    """After any edits both find the same; the short one may only decline."""
    with tempfile.TemporaryDirectory() as folder:
        segment = Segment(Path(folder))
        for path in _TREE:
            segment.put(path)
        for edits in batches:
            whole, touched = whole_and_touched(segment, lambda edits=edits: [perform(segment, edit) for edit in edits])
            if touched is not None:
                assert_same(whole, touched)


def test_probe_leaves_what_it_cannot_look_at_to_the_reader(open_segment: Segment) -> None:
    """Permission denied is a change to be named, not a removal."""
    open_segment.put("d/a.py")
    files = open_segment.files()
    found = files.walk()
    (open_segment.root / "d").chmod(0)
    with unprivileged():
        changes = files.probe(found.files, found.directories)
        source = files.read_source(b"d/a.py")
    (open_segment.root / "d").chmod(0o755)
    assert (changes.changed, changes.removed) == ((b"d/a.py",), ())
    assert Skipped(b"d/a.py", "not readable: Permission denied") == source


def test_stat_is_that_of_the_walk(segment: Segment) -> None:
    """Size and mtime of one file, zeros when it is gone."""
    segment.put("a.py")
    files = segment.files()
    assert files.walk().files == ((b"a.py", *files.stat(b"a.py")),)
    assert files.stat(b"gone.py") == (0, 0)


# --- read_source -----------------------------------------------------------------------------------------------------


def test_read_source_gives_text_hash_and_stat(segment: Segment) -> None:
    """Everything the index keeps comes from one reading, which is counted."""
    data = "é = 1\r\n".encode()
    segment.put("pkg/a.py", data)
    stat = (segment.root / "pkg/a.py").stat()
    expected = SourceText(
        text="é = 1\r\n",
        encoding="utf-8",
        content_sha=hashlib.sha256(data).hexdigest()[:32],
        size_bytes=len(data),
        mtime_ns=stat.st_mtime_ns,
        generated=False,
        utf8=data,
    )
    assert expected == segment.read("pkg/a.py")
    assert {"index_read_bytes_total": len(data)} == segment.telemetry.counters
    assert segment.telemetry.events == []


def test_read_source_decodes_and_says_generated(segment: Segment) -> None:
    """The hash is of the bytes on disk, the text without the mark."""
    data = "\ufeff// @generated\r\n".encode("utf-16-le")
    segment.put("a.ts", data)
    source = segment.read_text("a.ts")
    assert (source.text, source.encoding, source.generated) == ("// @generated\r\n", "utf-16-le", True)
    assert hashlib.sha256(data).hexdigest()[:32] == source.content_sha
    assert source.utf8 == b"// @generated\r\n"


@pytest.mark.parametrize(
    ("path", "content", "reason"),
    [
        ("a.bin", b"ab\0cd", "binary"),
        ("a.js", b"x" * 30_000, "minified"),
        ("big.py", b"#" * 4_097, "larger than 4 KiB"),
        (".env", b"KEY=1", "secrets file"),
    ],
)
def test_read_source_says_why_not(segment: Segment, path: str, content: bytes, reason: str) -> None:
    """What is not indexed has its reason in one phrase."""
    segment.put(path, content)
    limit = 4_096 if path == "big.py" else 2 * 1024 * 1024
    assert reason == segment.skip_reason(path, max_file_bytes=limit)


def test_a_file_of_exactly_the_limit_is_read(segment: Segment) -> None:
    """The limit is inclusive; an odd one is told in bytes."""
    segment.put("a.py", b"#" * 4_097)
    assert segment.read_text("a.py", max_file_bytes=4_097).size_bytes == 4_097
    segment.put("a.py", b"#" * 4_098)
    assert segment.skip_reason("a.py", max_file_bytes=4_097) == "larger than 4097 bytes"


def test_a_huge_file_is_not_read_at_all(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    """50 MB are refused by their size alone."""
    segment.put("huge.py")
    os.truncate(segment.root / "huge.py", 50_000_000)

    def pread(*_: object) -> bytes:
        raise AssertionError("the file was read")

    monkeypatch.setattr(os, "pread", pread)
    assert segment.skip_reason("huge.py") == "larger than 2 MiB"
    assert segment.telemetry.counters == {}


def test_special_files_are_never_opened(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A FIFO would block or wake its writer; a directory, a link and a device are no files either."""
    segment.put("real.py")
    os.mkfifo(segment.root / "pipe")
    (segment.root / "link.py").symlink_to("real.py")
    (segment.root / "dir").mkdir()
    opened = []
    real = os.open

    def open_(path: Any, *args: Any, **kwargs: Any) -> int:
        opened.append(path)
        return real(path, *args, **kwargs)

    monkeypatch.setattr(os, "open", open_)
    for name in ("pipe", "link.py", "dir"):
        assert segment.skip_reason(name) == "not a regular file"
    assert {os.fsencode(segment.root)} == set(opened)


def test_a_link_swapped_in_between_check_and_open_is_not_followed(
    segment: Segment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last moment is covered too: neither the file nor a directory on the way may turn into a link."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a.py").write_text("secret")
    segment.put("d/a.py")
    real = os.open

    def swapping(target: str, path: Path) -> None:
        def open_(name: Any, *args: Any, **kwargs: Any) -> int:
            if os.fsencode(name) == os.fsencode(path.name) and not path.is_symlink():
                path.rename(path.with_suffix(".moved"))
                path.symlink_to(target)
            return real(name, *args, **kwargs)

        monkeypatch.setattr(os, "open", open_)

    swapping(str(tmp_path / "outside/a.py"), segment.root / "d/a.py")
    assert segment.skip_reason("d/a.py") == "not a regular file"
    swapping(str(tmp_path / "outside"), segment.root / "d")
    assert segment.skip_reason("d/a.py") in {"gone", "not a regular file"}


@pytest.mark.parametrize("path", ["missing.py", "no/dir.py", "a.py/below", "../seg/a.py", "/etc/passwd", "./a.py", ""])
def test_what_no_walk_gave_is_gone(segment: Segment, path: str) -> None:
    """Paths that are not there, or not in the form a walk writes, read nothing."""
    segment.put("a.py")
    assert segment.skip_reason(path) == "gone"


def test_a_file_deleted_before_it_is_opened_is_gone(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    """Deletion between the walk and the reading is no error."""
    segment.put("a.py")
    files = segment.files()
    assert len(files.walk().files) == 1
    hook_once(monkeypatch, "open", before=lambda *_: (segment.root / "a.py").unlink())
    assert Skipped(b"a.py", "gone") == files.read_source(b"a.py")


@pytest.mark.parametrize("content", [b"longer than it was before\n", b"", b"y = 2\n"])
def test_a_file_that_changes_while_it_is_read_is_read_once_more(
    segment: Segment, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    """Growth, truncation and an edit of the same size all end in the new text under the new stat."""
    segment.put("a.py", b"x = 1\n")
    real, readings = os.pread, []

    def pread(*args: Any) -> bytes:
        data = real(*args)
        readings.append(data)
        if len(readings) == 1:
            segment.put("a.py", content)
            os.utime(segment.root / "a.py", ns=(5, 5))
        return data

    monkeypatch.setattr(os, "pread", pread)
    source = segment.read_text("a.py")
    assert (content.decode(), len(content), 5) == (source.text, source.size_bytes, source.mtime_ns)
    assert len(readings) == 2


def test_a_file_that_keeps_growing_is_cut_off_at_the_limit(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log written to all the time costs one byte past the limit, not its whole length."""
    segment.put("a.log", b"x" * 10)
    real, most = os.pread, []

    def pread(fd: int, n: int, offset: int) -> bytes:
        with open(segment.root / "a.log", "ab") as file:
            file.write(b"y" * 100)
        data = real(fd, n, offset)
        most.append(offset + len(data))
        return data

    monkeypatch.setattr(os, "pread", pread)
    assert segment.skip_reason("a.log", max_file_bytes=50) == "larger than 50 bytes"
    assert max(most) == 51


def test_an_unreadable_file_says_why(open_segment: Segment) -> None:
    """The system's own words for the reason."""
    open_segment.put("a.py")
    (open_segment.root / "a.py").chmod(0)
    with unprivileged():
        assert open_segment.skip_reason("a.py") == "not readable: Permission denied"


# --- the gate --------------------------------------------------------------------------------------------------------


def test_resolve_inside_takes_every_spelling(segment: Segment) -> None:
    """Relative, absolute, displayed, with dots and through links that stay inside."""
    segment.put("d/a.py")
    segment.put(b"bad\xff\n.py")
    segment.put(rb"real\nbackslash")
    (segment.root / "link").symlink_to("d")
    (segment.root.parent / "alias").symlink_to(segment.root)
    resolve = segment.files().resolve_inside
    absolute = str(segment.root)
    for path in ("d/a.py", "./d//a.py", "d/../d/a.py", f"{absolute}/d/a.py", "link/a.py", f"{absolute}/../seg/d/a.py"):
        assert resolve(path) == b"d/a.py"
    assert resolve(str(segment.root.parent / "alias/d/a.py")) == b"d/a.py"
    assert b"bad\xff\n.py" == resolve(r"bad\xff\n.py") == resolve(os.fsdecode(b"bad\xff\n.py"))
    assert resolve(r"real\nbackslash") == rb"real\nbackslash"
    assert (resolve("."), resolve(absolute), resolve("d/")) == (b"", b"", b"d")


@pytest.mark.parametrize(
    "path",
    [
        "../../etc/passwd",
        "..",
        "d/../../x",
        "/etc/passwd",
        "/nonexistent/file",
        "{root}-twin/x.py",
        "out/secret.py",
        "out/missing.py",
        "out_file",
        "d/out",
        "a\0b",
    ],
)
def test_resolve_inside_refuses_what_leads_outside(segment: Segment, tmp_path: Path, path: str) -> None:
    """Dots, absolute paths, links at any place and NUL, whether or not anything is there."""
    (tmp_path / "seg-twin").mkdir()
    (tmp_path / "seg-twin/x.py").write_text("x")
    (tmp_path / "secret.py").write_text("x")
    segment.put("d/a.py")
    (segment.root / "out").symlink_to(tmp_path)
    (segment.root / "out_file").symlink_to(tmp_path / "secret.py")
    (segment.root / "d/out").symlink_to("../..")
    with pytest.raises(OutsideSegmentError) as caught:
        segment.files().resolve_inside(path.replace("{root}", str(segment.root)))
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    "path", ["missing.py", "a.py/below", "loop/x", "loop", "broken", "\ud800", "n" * 5_000, "~", r"\x2e\x2e/../x"]
)
def test_resolve_inside_says_not_found(segment: Segment, path: str) -> None:
    """What is not there is told in one short line that names the place asked for and no other."""
    segment.put("a.py")
    (segment.root / "loop").symlink_to("loop")
    (segment.root / "broken").symlink_to("nowhere")
    with pytest.raises(NotFoundError) as caught:
        segment.files().resolve_inside(path)
    message = str(caught.value)
    assert (message.isprintable(), len(message) < 300, str(segment.root) in message) == (True, True, False)


@pytest.mark.parametrize("path", [".env", "renamed.txt", "innocent.pem"])
def test_secrets_are_refused_by_name_and_by_target(segment: Segment, path: str) -> None:
    """Neither a link to a secrets file nor a link named like one passes; a directory named like one does."""
    segment.put(".env")
    segment.put("plain.txt")
    (segment.root / "renamed.txt").symlink_to(".env")
    (segment.root / "innocent.pem").symlink_to("plain.txt")
    (segment.root / "keys.pem").mkdir()
    with pytest.raises(UsageError, match="secrets file"):
        segment.files().resolve_inside(path)
    assert segment.files().resolve_inside("keys.pem") == b"keys.pem"


@pytest.fixture(scope="module")
def maze(tmp_path_factory: pytest.TempPathFactory) -> FileSystemAdapter:
    """A segment full of links in, out, up and around."""
    segment = Segment(tmp_path_factory.mktemp("maze") / "seg")
    segment.put("d/e/a.py")
    segment.put("..py")
    for link, target in {
        "out": "/",
        "up": "..",
        "in": "d/e",
        "loop": "loop",
        "d/back": "../..",
        "d/e/top": "../..",
    }.items():
        (segment.root / link).symlink_to(target)
    return segment.files()


@given(
    st.lists(
        st.sampled_from(
            ["..", ".", "", "d", "e", "a.py", "..py", "out", "up", "in", "loop", "back", "top", "etc", "seg"]
        )
        | st.sampled_from([r"\x2e\x2e", r"\n", "missing", "~", "\0"]),
        max_size=8,
    ).map("/".join)
    | st.text(max_size=12)
)
def test_resolve_inside_never_leaves_the_root(maze: FileSystemAdapter, path: str) -> None:
    """Whatever the way through the maze, the result is the real path of something in it, or an error of ours."""
    try:
        os_path = maze.resolve_inside(path)
    except CtxError:
        return
    root = os.fsencode(maze.root)
    full = os.path.join(root, os_path).rstrip(b"/")
    assert full == os.path.realpath(full)
    assert full == root or full.startswith(root + b"/")


# --- reading for people and agents -----------------------------------------------------------------------------------


def test_read_file_at_mode_accounts_for_what_it_hands_on(segment: Segment) -> None:
    """The event has the bytes handed on and the bytes on disk; the sums are kept by mode."""
    data = "\ufeffdef é():\r\n    pass\r\n".encode()
    segment.put("a.py", data)
    files = segment.files()
    raw = files.read_file_at_mode(str(segment.root / "a.py"), "raw")
    short = files.read_file_at_mode("a.py", "skeleton", lambda text: text.splitlines()[0])
    assert ("def é():\r\n    pass\r\n", len(data) - 3, len(data)) == (raw.text, raw.bytes, raw.file_bytes)
    assert (short.text, short.bytes, short.encoding) == ("def é():", 9, "utf-8-sig")
    assert hashlib.sha256(data).hexdigest()[:32] == raw.content_sha == short.content_sha
    assert {"skeleton": 9, "excerpt": 0, "raw": raw.bytes} == files.bytes_by_mode
    assert 9 + raw.bytes == files.total_bytes_read
    cmd, args, result, timing_ms, extra = segment.telemetry.events[1]
    assert (cmd, args) == ("file.read", {"file": "a.py", "mode": "skeleton"})
    assert {"bytes": 9, "file_bytes": len(data), "status": "ok"} == result
    assert extra["duration_ns"] > 0
    assert extra["duration_ns"] // 1_000_000 == timing_ms
    assert [event[1]["file"] for event in segment.telemetry.events] == ["a.py", "a.py"]
    assert segment.telemetry.counters == {}


@pytest.mark.parametrize(
    ("path", "error", "status"),
    [
        ("missing.py", NotFoundError, "not_found"),
        ("../x", OutsideSegmentError, "outside"),
        (".env", UsageError, "refused"),
        ("a.bin", UsageError, "refused"),
        ("dir", UsageError, "refused"),
        ("big.py", UsageError, "refused"),
    ],
)
def test_a_failed_reading_is_told_and_counts_nothing(
    segment: Segment, path: str, error: type[CtxError], status: str
) -> None:
    """The error is one line, the event has its status and no bytes."""
    segment.put(".env")
    segment.put("a.bin", b"\0")
    segment.put("dir/x.py")
    segment.put("big.py", b"#" * 2_000)
    files = segment.files(max_file_bytes=1_024)
    with pytest.raises(error) as caught:
        files.read_file_at_mode(path, "raw")
    assert error is type(caught.value)
    assert str(caught.value).isprintable()
    assert [("file.read", {"bytes": 0, "file_bytes": 0, "status": status})] == [
        (event.cmd, event.result) for event in segment.telemetry.events
    ]
    assert files.total_bytes_read == 0


def test_a_minified_file_is_handed_on_when_asked_for(segment: Segment) -> None:
    """What is not worth indexing may still be looked at."""
    segment.put("a.js", b"x" * 30_000)
    assert segment.files().read_file_at_mode("a.js", "raw").bytes == 30_000


def test_an_unknown_mode_is_named(segment: Segment) -> None:
    """The three modes are in the message; nothing is read."""
    with pytest.raises(UsageError, match='"full" is not one of skeleton, excerpt, raw'):
        segment.files().read_file_at_mode("a.py", "full")
    assert segment.telemetry.events == []


def test_a_selection_that_fails_is_told_as_an_error(segment: Segment) -> None:
    """The selector's own exception passes through, after its event."""
    segment.put("a.py", b"12345")

    def fail(_text: str) -> str:
        raise RuntimeError("selector")

    with pytest.raises(RuntimeError, match="selector"):
        segment.files().read_file_at_mode("a.py", "excerpt", fail)
    assert segment.telemetry.events[0][2] == {"bytes": 0, "file_bytes": 5, "status": "error"}


def test_a_file_deleted_after_the_gate_is_not_found(segment: Segment, monkeypatch: pytest.MonkeyPatch) -> None:
    """The gap between the gate and the opening ends in a plain message."""
    segment.put("a.py")
    hook_once(monkeypatch, "open", before=lambda *_: (segment.root / "a.py").unlink())
    with pytest.raises(NotFoundError, match=r"^a\.py: there is no such file in the segment any more"):
        segment.files().read_file_at_mode("a.py", "raw")


def test_an_unreadable_file_cannot_be_handed_on(open_segment: Segment) -> None:
    """Permission denied is neither wrong use nor not found, for a file as for a directory on the way."""
    open_segment.put("a.py")
    open_segment.put("d/a.py")
    (open_segment.root / "a.py").chmod(0)
    (open_segment.root / "d").chmod(0)
    with unprivileged():
        for path in ("a.py", "d/a.py"):
            with pytest.raises(CtxError, match="not readable: Permission denied; check its permissions") as caught:
                open_segment.files().read_file_at_mode(path, "raw")
            assert caught.value.exit_code == 3
    (open_segment.root / "d").chmod(0o755)
    assert [event[2]["status"] for event in open_segment.telemetry.events] == ["error", "error"]


# --- the segment itself ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "use",
    [
        lambda files: files.walk(),
        lambda files: files.probe([(b"a.py", 1, 1)], [(b"", 1)]),
        lambda files: files.read_source(b"a.py"),
        lambda files: files.resolve_inside("a.py"),
        lambda files: files.read_file_at_mode("a.py", "raw"),
    ],
    ids=["walk", "probe", "read_source", "resolve_inside", "read_file_at_mode"],
)
def test_a_segment_deleted_during_the_run_is_named(
    segment: Segment, use: Callable[[FileSystemAdapter], object]
) -> None:
    """Every use says in one line that the segment's directory is gone, also when a file took its place."""
    files = segment.files()
    segment.root.rmdir()
    with pytest.raises(
        CtxError, match=r"the segment's directory cannot be opened \(No such file or directory\)"
    ) as gone:
        use(files)
    assert (CtxError, True) == (type(gone.value), str(gone.value).isprintable())
    segment.root.write_text("now a file")
    with pytest.raises(CtxError, match=r"cannot be opened \(Not a directory\)"):
        use(files)


def test_a_segment_deleted_during_the_walk_is_not_an_empty_one(
    segment: Segment, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a walk would empty the index; it is an error instead."""
    segment.put("a.py")

    def delete(*_: object) -> None:
        (segment.root / "a.py").unlink()
        segment.root.rmdir()

    files = segment.files()
    hook_once(monkeypatch, "stat", before=delete)
    with pytest.raises(CtxError, match="the segment's directory cannot be opened"):
        files.walk()


def open_descriptors() -> set[tuple[int, int, int]]:
    """Return what this process has open; what earlier tests left may be closed at any time."""
    found = set()
    for name in os.listdir("/proc/self/fd" if os.path.isdir("/proc/self/fd") else "/dev/fd"):
        with contextlib.suppress(OSError):  # the listing's own is gone
            stat = os.fstat(int(name))
            found.add((int(name), stat.st_dev, stat.st_ino))
    return found


def test_no_descriptor_stays_open(segment: Segment) -> None:
    """Everything opened is closed again, on the ways that fail too."""
    segment.put("d/a.py")
    segment.put("b.bin", b"\0")
    os.mkfifo(segment.root / "pipe")
    files = segment.files()
    before = open_descriptors()
    found = files.walk()
    files.probe(found.files, found.directories)
    for path in (b"d/a.py", b"b.bin", b"pipe", b"d/missing", b"missing/x", b"d"):
        files.read_source(path)
    assert set() == open_descriptors() - before


@pytest.mark.parametrize("name", [".gitignore", ".ignore", ".ctxignore"])
def test_a_rule_file_without_end_is_refused(segment: Segment, name: str) -> None:
    """A link to a device or a pipe; one to a file is read as git reads it, a folder of that name is none."""
    (segment.root / name).symlink_to("/dev/zero")
    with pytest.raises(CtxError, match=rf"\{name}: not a file that can be read to its end; remove it"):
        segment.walk()
    (segment.root / name).unlink()
    os.mkfifo(segment.root / name)
    with pytest.raises(CtxError, match="not a file that can be read"):
        segment.walk()
    (segment.root / name).unlink()
    (segment.root / name).mkdir()
    segment.put("a.py")
    assert "a.py" in segment.walked()


@pytest.mark.parametrize("name", [".gitignore", ".ignore", ".ctxignore"])
def test_a_folder_with_a_rule_file_without_end_is_not_entered(segment: Segment, name: str) -> None:
    """Reading its rules would never come to an end; it is named, everything else is walked, also what lies around."""
    for path in ("a.py", "pipe/x.py", "deep/er/x.py", "deep/y.py", "deep/er!/*/x.py", "folder/z.py", "null/n.py"):
        segment.put(path)
    segment.put("bound/s.py")
    os.mkfifo(segment.root / "pipe" / name)
    (segment.root / "deep/er" / name).symlink_to("/dev/zero")
    os.mkfifo(segment.root / "deep/er!/*" / name)
    (segment.root / "folder" / name).mkdir()
    (segment.root / "null" / name).symlink_to(os.devnull)
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as listener, contextlib.chdir(segment.root / "bound"):
        listener.bind(name)
    os.utime(segment.root / "pipe", ns=(1, 1))  # not left to the tick of the file system's clock
    found = segment.walk()
    why = f"not entered: the {name} in it is a pipe or a device"
    assert [b"a.py", b"bound/s.py", b"deep/y.py", b"folder/z.py", b"null/n.py"] == [each[0] for each in found.files]
    assert {b"deep/er": why, b"deep/er!/*": why, b"pipe": why}.items() <= dict(found.skipped).items()
    (segment.root / "pipe" / name).unlink()
    touched = segment.files().probe(found.files, found.directories).touched_directories
    assert (b"pipe",) == touched, "the folder is looked at again once its rules can be read"
    assert "pipe/x.py" in segment.walked()


def test_a_rule_file_without_end_is_refused_where_nothing_can_be_left_out(tmp_path: Path) -> None:
    """Of a folder whose name no pattern can hold, and of those above the segment: the walker reads them first."""
    segment = Segment(tmp_path / "above/seg")
    for name in (b"\xff", b"back\\"):
        pipe = os.path.join(os.fsencode(segment.root), name, b".gitignore")
        segment.put(name + b"/a.py")
        os.mkfifo(pipe)
        with pytest.raises(CtxError, match=r"\.gitignore: not a file that can be read to its end; remove it"):
            segment.walk()
        os.unlink(pipe)
    for name in (".gitignore", ".ignore", ".ctxignore"):
        os.mkfifo(tmp_path / "above" / name)
        with pytest.raises(CtxError, match=rf"^\.\./\{name}: not a file that can be read to its end"):
            segment.walk()
        (tmp_path / "above" / name).unlink()
    assert 2 == len(segment.walked())
