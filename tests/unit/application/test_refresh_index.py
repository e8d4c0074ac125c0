"""Refreshing: an index brought up to date is the index a fresh one would be, and nothing unchanged is read."""

from __future__ import annotations

import fcntl
import json
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes import RecordingTelemetry, SegmentOnDisk

from ctx.application import refresh_index
from ctx.application.refresh_index import RefreshIndex, RefreshReport
from ctx.application.search import SearchRequest, search
from ctx.domain.errors import IndexBusyError
from ctx.domain.index_records import FileRecord

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[SegmentOnDisk]:
    (tmp_path / "seg").mkdir()
    with SegmentOnDisk(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        yield opened


def paths(segment: SegmentOnDisk) -> list[str]:
    return [path for path, *_ in segment.store.files()]


def read_by(segment: SegmentOnDisk, **options: Any) -> list[str]:
    """Refresh and return which files were read for it."""
    segment.records.read.clear()
    segment.refresh(**options)
    return sorted(segment.records.read)


# --- the same as a fresh one -----------------------------------------------------------------------------------------

_FILES = ("a.py", "b.py", "pkg/a.py", "pkg/sub/c.py", "docs/guide.md", "data.txt", "x.bin")
_CONTENTS = (
    b"def alpha(): pass\n\n\ndef beta(): pass\n",
    b"def alpha():\n    return beta()\n",
    b"class Session:\n    def get_user(self): pass\n",
    b"X = 1\n",
    b"",
    b"# Alpha\n\nAbout the session.\n\n# Beta\n",
    b"\0binary",
    b"def broken(:\n",
    "größe = 'ä'\n".encode("latin-1"),
    b"alpha\r\nbeta\r\n",
)
_RULES = (b"", b"*.txt\n", b"pkg/\n", b"/a.py\n", b"sub\n!b.py\n", b"*\n!.gitignore\n!pkg/\n!pkg/**\n")
_QUERIES = ("alpha", "session", "get_user", "alpha beta session", "größe", "broken")

_operation = st.one_of(
    st.tuples(st.just("put"), st.sampled_from(_FILES), st.sampled_from(_CONTENTS)),
    st.tuples(st.just("touch"), st.sampled_from(_FILES)),
    st.tuples(st.just("delete"), st.sampled_from((*_FILES, "pkg", "docs"))),
    st.tuples(st.just("rename"), st.sampled_from((*_FILES, "pkg")), st.sampled_from((*_FILES, "docs", "moved"))),
    st.tuples(st.just("link"), st.sampled_from(_FILES), st.sampled_from(_FILES)),
    st.tuples(
        st.just("rules"), st.sampled_from((".gitignore", "pkg/.gitignore", ".ctxignore")), st.sampled_from(_RULES)
    ),
    st.tuples(st.just("replace by file"), st.sampled_from(("pkg", "docs"))),
    st.tuples(st.just("replace by directory"), st.sampled_from(("a.py", "docs"))),
)
_batches = st.lists(st.lists(_operation, min_size=1, max_size=4), min_size=1, max_size=5)


def perform(segment: SegmentOnDisk, operation: Sequence[Any]) -> None:
    """Do one thing to the tree; what makes no sense just then is left."""
    kind, path, *more = operation
    full = segment.root / path
    try:
        match kind:
            case "put" | "rules":
                if full.is_symlink():
                    segment.delete(path)
                segment.put(path, more[0])
            case "touch":
                segment.touch(path)
            case "delete":
                segment.delete(path)
            case "rename":
                segment.rename(path, more[0])
            case "link":
                segment.delete(path)
                full.symlink_to(segment.root / more[0])
            case "replace by file":
                segment.delete(path)
                segment.put(path, b"alpha in place of a directory\n")
            case "replace by directory":
                segment.delete(path)
                segment.put(f"{path}/inner.py", b"def alpha(): return 'inner'\n")
    except OSError:
        return


def state(segment: SegmentOnDisk) -> dict[str, Any]:
    """Return everything an index holds and answers, row numbers left out."""
    store = segment.store
    answers = {}
    for query in _QUERIES:
        answer = search(SearchRequest(query, limit=50), store, segment.telemetry, segment.clock)
        answers[query] = [(hit.id, hit.start_line, hit.end_line, hit.score, hit.snippet) for hit in answer.hits]
    return {
        "files": sorted((path, language, sha, tokens) for path, language, sha, tokens in store.files()),
        "records": [store.file(path) for path, *_ in store.files()],
        "skipped": store.skipped(),
        "stats": sorted(store.stats()),
        "directories": sorted(store.directories()),
        "not_read": store.meta("not_read"),
        "answers": answers,
        "check": store.check(),
    }


@settings(max_examples=40)
@given(_batches)
def test_an_updated_index_is_what_a_fresh_one_would_be(batches: list[list[tuple[Any, ...]]]) -> None:
    """After each batch of edits: the same files, chunks, answers and scores, and an index without damage."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "seg")
        root.mkdir()
        with SegmentOnDisk(root, Path(folder, "index/updated.db")) as segment:
            segment.put("a.py", _CONTENTS[0])
            segment.put("pkg/a.py", _CONTENTS[2])
            segment.refresh()
            for at, operations in enumerate(batches):
                for operation in operations:
                    perform(segment, operation)
                segment.refresh()
                with SegmentOnDisk(root, Path(folder, f"index/fresh{at}.db")) as fresh:
                    fresh.refresh()
                    expected = state(fresh)
                assert expected == state(segment)
                assert "ok" == expected["check"]
                assert [] == read_by(segment)


# --- what is read ----------------------------------------------------------------------------------------------------


def test_a_first_refresh_reads_everything_and_says_so(segment: SegmentOnDisk) -> None:
    """The report, the facts and the event agree."""
    segment.put("a.py", "def f(): pass\n")
    segment.put("docs/b.md", "# B\n")
    segment.put("c.bin", b"\0")
    report = segment.refresh()
    size_bytes = len("def f(): pass\n") + len("# B\n")
    assert RefreshReport(2, 0, 0, 1, 2, size_bytes, walked=True) == report
    assert report.did_anything
    facts = segment.store.facts()
    assert (2, 1, 2, True) == (facts.files, facts.skipped, facts.chunks, facts.complete)
    assert segment.clock.now().isoformat(timespec="milliseconds") == facts.as_of
    (event,) = segment.telemetry.named("index.update")
    assert {
        "files_added": 2,
        "files_changed": 0,
        "files_removed": 0,
        "files_skipped": 1,
        "chunks": 2,
        "status": "ok",
    } == event.result
    assert {"duration_ns": 0, "index_read_bytes": size_bytes, "walked": True} == event.extra


def test_without_changes_nothing_is_read_written_or_told(segment: SegmentOnDisk) -> None:
    """The look is all there is."""
    segment.put("a.py", "def f(): pass\n")
    segment.refresh()
    before = (segment.store.meta("generation"), len(segment.telemetry.events))
    segment.records.read.clear()
    assert RefreshReport() == segment.refresh()
    assert [] == segment.records.read
    assert before == (segment.store.meta("generation"), len(segment.telemetry.events))


def test_only_what_changed_is_read(segment: SegmentOnDisk) -> None:
    """An edit reads its file; a new file, a rename and a new rule read what is new to the index."""
    for name in ("a.py", "b.py", "pkg/c.py", "pkg/d.txt"):
        segment.put(name, f"text of {name}\n")
    assert ["a.py", "b.py", "pkg/c.py", "pkg/d.txt"] == read_by(segment)
    segment.put("a.py", "edited\n")
    assert ["a.py"] == read_by(segment)
    segment.put("pkg/new.py", "new\n")
    assert ["pkg/new.py"] == read_by(segment)
    segment.rename("pkg/c.py", "moved.py")
    assert ["moved.py"] == read_by(segment)
    segment.delete("b.py")
    assert [] == read_by(segment)
    segment.put(".gitignore", "*.txt\n")
    assert [".gitignore"] == read_by(segment)
    assert [".gitignore", "a.py", "moved.py", "pkg/new.py"] == paths(segment)
    segment.put(".gitignore", "\n")
    assert [".gitignore", "pkg/d.txt"] == read_by(segment)
    assert [] == read_by(segment, whole=True)


def test_a_change_in_place_needs_no_walk(segment: SegmentOnDisk) -> None:
    """The tree is walked when a directory was touched, and when it is asked for."""
    segment.put("a.py", "one\n")
    segment.put("b.py", "two\n")
    segment.refresh()
    segment.put("a.py", "three\n")
    report = segment.refresh()
    assert (0, 1, 0, False) == (report.files_added, report.files_changed, report.files_removed, report.walked)
    segment.delete("b.py")
    report = segment.refresh()
    assert (0, 0, 1, True) == (report.files_added, report.files_changed, report.files_removed, report.walked)
    assert segment.refresh(whole=True).walked


def test_touched_but_equal_content_is_a_hit_and_no_parse(segment: SegmentOnDisk) -> None:
    """It is read once to know, and not again."""
    segment.put("a.py", "def f(): pass\n")
    segment.refresh()
    parses = segment.telemetry.counters["ast_parse_count"]
    segment.touch("a.py")
    segment.records.read.clear()
    report = segment.refresh()
    assert (False, 0) == (report.did_anything, report.chunks)
    assert ["a.py"] == segment.records.read
    assert parses == segment.telemetry.counters["ast_parse_count"]
    assert 1 == segment.telemetry.counters["ast_cache_hit_count"]
    assert [] == read_by(segment)


def test_a_file_that_becomes_unreadable_to_the_index_is_taken_out(segment: SegmentOnDisk) -> None:
    """Binary now, text again later: what is stored follows."""
    segment.put("a.py", "alpha = 1\n")
    segment.refresh()
    segment.put("a.py", b"\0\0")
    assert 1 == segment.refresh().files_skipped
    assert ([], [("a.py", "binary")]) == (paths(segment), segment.store.skipped())
    segment.put("a.py", "alpha = 1\n")
    segment.refresh()
    assert (["a.py"], []) == (paths(segment), segment.store.skipped())


def test_what_a_walk_leaves_out_is_remembered_with_its_reason(segment: SegmentOnDisk) -> None:
    """For `ctx stats` and `ctx doctor`."""
    segment.put(".env", "SECRET=1\n")
    segment.put("a.py", "x = 1\n")
    segment.refresh()
    assert [[".env", "secrets file"]] == json.loads(segment.store.meta("not_read"))


# --- what happens meanwhile ------------------------------------------------------------------------------------------


def use_case(segment: SegmentOnDisk, records: Any, **options: Any) -> RefreshIndex:
    return RefreshIndex(segment.files, segment.store, records, segment.telemetry, segment.clock, **options)


def test_a_file_deleted_during_the_run_is_gone_after_the_next(segment: SegmentOnDisk) -> None:
    """The run comes to its end; no trace is left."""
    segment.put("a.py", "alpha = 1\n")
    segment.put("b.py", "beta = 1\n")

    def records(files: Sequence[tuple[bytes, int]]) -> Iterator[FileRecord]:
        segment.delete("b.py")
        yield from segment.records(files)

    report = use_case(segment, records)()
    assert (1, 1) == (report.files_added, report.files_skipped)
    assert ["a.py"] == paths(segment)
    segment.refresh()
    assert [b"a.py"] == [found[0] for found in segment.store.stats()]
    assert [] == segment.store.skipped()


def test_a_file_changed_during_the_run_is_read_again_by_the_next(segment: SegmentOnDisk) -> None:
    """What is stored is what was read, under the time it had then."""
    segment.put("a.py", "alpha = 1\n")

    def records(files: Sequence[tuple[bytes, int]]) -> Iterator[FileRecord]:
        for record in segment.records(files):
            segment.put("a.py", "beta = 2\n")
            yield record

    use_case(segment, records)()
    assert ["a.py"] == read_by(segment)
    assert 1 == segment.store.count_matches('"beta"')


def test_an_error_halfway_leaves_the_last_commit(segment: SegmentOnDisk) -> None:
    """Nothing of the failed update shows, and the next one does it all."""
    segment.put("a.py", "alpha = 1\n")
    segment.refresh()
    segment.put("a.py", "beta = 1\n")
    segment.put("b.py", "gamma = 1\n")

    def records(files: Sequence[tuple[bytes, int]]) -> Iterator[FileRecord]:
        yield next(segment.records(files))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use_case(segment, records)()
    assert 1 == segment.store.count_matches('"alpha"')
    assert 0 == segment.store.count_matches('"beta" OR "gamma"')
    segment.refresh()
    assert ["a.py", "b.py"] == paths(segment)
    assert "ok" == segment.store.check()


def test_a_killed_build_goes_on_from_its_last_commit(segment: SegmentOnDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed is not read again, and the index calls itself complete only at the end."""
    monkeypatch.setattr(refresh_index, "COMMIT_BYTES", 25)
    for name in "abcdef":
        segment.put(f"{name}.py", f"{name} = 123456\n")

    def records(files: Sequence[tuple[bytes, int]]) -> Iterator[FileRecord]:
        for at, record in enumerate(segment.records(files)):
            if at == 5:
                raise KeyboardInterrupt
            yield record

    with pytest.raises(KeyboardInterrupt):
        use_case(segment, records)()
    assert ["a.py", "b.py", "c.py"] == paths(segment)
    assert not segment.store.facts().complete
    assert ["d.py", "e.py", "f.py"] == read_by(segment)
    assert segment.store.facts().complete
    assert 6 == len(paths(segment))


def test_progress_is_told_file_by_file(segment: SegmentOnDisk) -> None:
    """Done and to do."""
    for name in "abc":
        segment.put(f"{name}.py", "x = 1\n")
    told: list[tuple[int, int]] = []
    segment.refresh(on_progress=lambda done, total: told.append((done, total)))
    assert [(1, 3), (2, 3), (3, 3)] == told


# --- another writer --------------------------------------------------------------------------------------------------


@pytest.fixture
def busy(segment: SegmentOnDisk, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Somebody else holds the writer's lock, and nobody waits for long."""
    monkeypatch.setattr(refresh_index, "WAIT_UPDATE_S", 0.0)
    monkeypatch.setattr(refresh_index, "WAIT_FIRST_BUILD_S", 0.0)
    fd = os.open(segment.store.path + ".lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(fd, fcntl.LOCK_EX)
    yield
    os.close(fd)


@pytest.mark.usefixtures("busy")
def test_without_a_committed_state_a_busy_index_is_an_error(segment: SegmentOnDisk) -> None:
    """There is nothing to answer from."""
    segment.put("a.py", "x = 1\n")
    with pytest.raises(IndexBusyError):
        segment.refresh()


def test_a_busy_index_is_answered_from_and_says_what_is_stale(
    segment: SegmentOnDisk, request: pytest.FixtureRequest
) -> None:
    """Files that changed and files that are gone; nothing is read for it."""
    for name in ("a.py", "b.py", "c.py"):
        segment.put(name, "alpha = 1\n")
    segment.refresh()
    request.getfixturevalue("busy")
    segment.records.read.clear()
    segment.put("a.py", "beta = 22\n")
    assert RefreshReport(stale=("a.py",)) == segment.refresh()
    segment.delete("b.py")
    segment.put("new.py", "x\n")
    assert ("a.py", "new.py", "b.py") == segment.refresh().stale
    assert [] == segment.records.read
    assert ["a.py", "b.py", "c.py"] == paths(segment)


def test_what_another_process_did_meanwhile_is_not_done_again(segment: SegmentOnDisk, tmp_path: Path) -> None:
    """After the lock, the look is repeated."""
    segment.put("a.py", "alpha = 1\n")
    segment.refresh()
    segment.put("a.py", "beta = 1\n")
    with SegmentOnDisk(segment.root, Path(segment.store.path)) as other:
        real_stats = segment.store.stats

        def stats() -> list[tuple[bytes, int, int]]:
            found = real_stats()
            segment.store.stats = real_stats  # type: ignore[method-assign]
            other.refresh()
            return found

        segment.store.stats = stats  # type: ignore[method-assign]
        assert [] == read_by(segment)
    assert 1 == segment.store.count_matches('"beta"')


# --- what is told of parses ------------------------------------------------------------------------------------------


def test_bulk_indexing_counts_its_parses(segment: SegmentOnDisk) -> None:
    """One sample and two counters a source file; texts are not parsed."""
    segment.put("a.py", "def f(): pass\n")
    segment.put("b.txt", "text\n")
    segment.refresh()
    counters = segment.telemetry.counters
    assert (1, 1) == (counters["ast_parse_count"], counters["ast_cache_miss_count"])
    assert ["ast.parse"] == [name for name, _ms in segment.telemetry.samples]
    assert [] == segment.telemetry.named("ast.parse")


def test_at_the_full_level_each_parse_is_an_event(segment: SegmentOnDisk) -> None:
    """And its lookup is one, too; nothing is counted twice."""
    segment.put("a.py", "class A:\n    def m(self): pass\n")
    segment.put("empty.py", "")
    use_case(segment, segment.records, tells_each_parse=True)()
    told = {event.args["file"]: event for event in segment.telemetry.named("ast.parse")}
    assert {"a.py", "empty.py"} == set(told)
    assert {"functions": 1, "classes": 1, "status": "ok"} == told["a.py"].result
    assert told["a.py"].extra["duration_ns"] > 0
    assert "python" == told["a.py"].extra["language"]
    assert told["empty.py"].extra["reduction_ratio"] is None
    assert [False, False] == [event.extra["cache_hit"] for event in segment.telemetry.named("ast.cache")]
    assert "ast_parse_count" not in segment.telemetry.counters


def test_bytes_read_are_counted(segment: SegmentOnDisk) -> None:
    """The bytes of every file that was read for the index, skipped ones left out as the report leaves them out."""
    quiet = RecordingTelemetry()
    segment.put("a.py", "x = 1\n")
    refresh = RefreshIndex(segment.files, segment.store, segment.records, quiet, segment.clock)
    assert 6 == refresh().read_bytes
    assert 6 == quiet.counters["index_read_bytes_total"]


def test_a_file_whose_parse_failed_is_tried_again_by_a_look_at_everything(segment: SegmentOnDisk) -> None:
    """A parser may have had no time on a busy machine; a search does not wait for it again, `ctx index` does."""
    real = segment.records

    def failing(files: Sequence[tuple[bytes, int]]) -> Iterator[FileRecord]:
        for record in real(files):
            yield record._replace(status="failed", reason="a.py: parsing took longer than 5 s", definitions=())

    segment.put("a.py", "def alpha(): ...\n")
    segment.records = failing  # type: ignore[assignment]
    segment.refresh()
    assert (1, 0) == (segment.refresh(whole=True).read_bytes // 17, segment.refresh(whole=True).files_changed)
    segment.records = real
    segment.put("b.py", "def beta(): ...\n")
    assert ["b.py"] == read_by(segment)
    assert ["a.py"] == read_by(segment, whole=True)
    assert ["alpha"] == [d.row.name for d in segment.store.definitions() if d.path == "a.py"]
    assert [] == segment.store.partial() == read_by(segment, whole=True)
