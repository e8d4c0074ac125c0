"""The index file: what is stored comes back, one writer at a time, all or nothing, and damage is named."""

from __future__ import annotations

import contextlib
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ctx.domain.chunk_ids import ChunkId, digest_of, snippet_of
from ctx.domain.errors import CtxError, IndexBusyError, IndexDamagedError
from ctx.domain.index_records import PACK_PREFIX, ChunkRow, ChunkTerms, FileRecord
from ctx.domain.ranking import FieldWeights
from ctx.domain.source_files import display_path
from ctx.infrastructure.index_store import PATH_BYTES_MAX, SCHEMA_VERSION, IndexPeek, IndexStore
from ctx.infrastructure.tokenizer import text_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def record(os_path: bytes | str, *texts: str, status: str = "ok", language: str = "python") -> FileRecord:
    """Return a file whose chunks are functions named f0, f1, … with the given bodies."""
    raw = os_path.encode() if isinstance(os_path, str) else os_path
    path = display_path(raw.removeprefix(PACK_PREFIX))
    rows = tuple(
        ChunkRow(
            "function", f"f{at}", f"A.f{at}", f"def f{at}()", "Doc.", "", at + 1, at + 1, at, at + 1, 3, 2,
            digest_of(text.encode()), 1,
        )
        for at, text in enumerate(texts)
    )  # fmt: skip
    terms = tuple(ChunkTerms(f"f{at}", path, f"def f{at}", text) for at, text in enumerate(texts))
    sha = "" if status == "skipped" else digest_of(" ".join(texts).encode())
    return FileRecord(
        raw, path, 10, 20, sha, language, status, "why" if status != "ok" else "", "utf-8",
        len(texts), 3 * len(texts), False, 10, 5, len(texts), 0, 7, rows, terms,
    )  # fmt: skip


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "_ctx" / "index.db")


@pytest.fixture
def store(path: str) -> Iterator[IndexStore]:
    with IndexStore(path) as opened:
        yield opened


def put(store: IndexStore, *records: FileRecord) -> None:
    with store.transaction():
        for one in records:
            store.put(one)


def found(store: IndexStore, match: str, limit: int = 10, **filters: Any) -> list[tuple[str, str]]:
    return [(c.path, c.name) for c in store.candidates(match, FieldWeights(), limit, **filters)]


# --- storing and reading ---------------------------------------------------------------------------------------------


def test_a_new_index_is_empty_and_says_so(path: str) -> None:
    """The first opening makes it, a later one does not."""
    with IndexStore(path) as store:
        facts = store.facts()
        assert (0, 0, 0, 0, "", False) == (
            facts.files,
            facts.skipped,
            facts.chunks,
            facts.tokens,
            facts.as_of,
            facts.complete,
        )
        assert facts.size_bytes > 0
        assert "" == store.meta("as_of")
        assert "ok" == store.check()
    again = IndexStore(path)
    assert again.open() is False
    again.close()
    again.close()
    with pytest.raises(CtxError, match="not open"):
        again.meta("as_of")


def test_a_file_comes_back_as_it_was_put(store: IndexStore) -> None:
    """Everything but its terms and what only the report needs."""
    one = record("src/a.py", "alpha beta", "gamma")
    put(store, one)
    stored = store.file("src/a.py")
    assert one._replace(terms=(), read_bytes=0, parse_ns=0, functions=0, classes=0, skeleton_bytes=0) == stored
    assert [(b"src/a.py", 10, 20)] == store.stats()
    assert one.content_sha == store.content_sha(b"src/a.py")
    assert [("src/a.py", "python", one.content_sha, 6)] == list(store.files())
    assert None is store.file("src/b.py")
    assert "" == store.content_sha(b"src/b.py")


def test_a_file_replaced_or_dropped_is_found_by_its_new_words_alone(store: IndexStore) -> None:
    """What was searchable is taken out with the very terms that were put in."""
    put(store, record("a.py", "alpha", "beta"), record("b.py", "beta"))
    assert {("a.py", "f1"), ("b.py", "f0")} == set(found(store, '"beta"'))
    put(store, record("a.py", "gamma"))
    assert [("b.py", "f0")] == found(store, '"beta"')
    assert [] == found(store, '"alpha"')
    assert [("a.py", "f0")] == found(store, '"gamma"')
    with store.transaction():
        store.drop(b"b.py")
        store.drop(b"never.py")
    assert [] == found(store, '"beta"')
    assert ["a.py"] == [path for path, *_ in store.files()]
    assert "ok" == store.check()


_operations = st.lists(
    st.tuples(
        st.sampled_from(["a.py", "b.py", "c.py"]), st.lists(st.sampled_from(["x", "x y", "größe z", ""]), max_size=3)
    ),
    max_size=8,
)


@settings(max_examples=30)
@given(_operations)
def test_after_any_changes_the_index_is_what_a_fresh_one_would_be(operations: list[tuple[str, list[str]]]) -> None:
    """Puts and drops (no chunks and a coin) leave the same matches with the same scores, and no stray terms."""
    changed, fresh = IndexStore(":memory:"), IndexStore(":memory:")
    last: dict[str, list[str]] = {}
    with _in_memory(changed), _in_memory(fresh):
        for path, texts in operations:
            with changed.transaction():
                if len(texts) == 3:
                    changed.drop(path.encode())
                    last.pop(path, None)
                else:
                    changed.put(record(path, *texts))
                    last[path] = texts
        put(fresh, *(record(path, *texts) for path, texts in last.items()))
        assert "ok" == changed.check()
        for word in ("x", "y", "z", "grosse", "größe", "f0"):
            hits = [
                sorted((c.path, c.name, c.bm25) for c in store.candidates(f'"{word}"', FieldWeights(), 50))
                for store in (changed, fresh)
            ]
            assert hits[0] == hits[1]
        assert sorted(changed.files()) == sorted(fresh.files())


@contextmanager
def _in_memory(store: IndexStore) -> Iterator[None]:
    """Open an index in a directory of its own."""
    with tempfile.TemporaryDirectory() as folder:
        store.path = os.path.join(folder, "index.db")
        with store:
            yield


def test_two_paths_that_print_alike_do_not_fight(store: IndexStore) -> None:
    """One name holds the other's escape: the first one stands, the other is listed as skipped, the index is whole."""
    stray, literal = record(b"a\xff.py", "alpha"), record(rb"a\xff.py", "beta")
    assert stray.path == literal.path
    put(store, stray, literal)
    put(store, literal)
    assert [(stray.os_path, 10, 20), (literal.os_path, 10, 20)] == store.stats()
    assert [(f"{literal.path} ({literal.os_path.hex()})", f"prints as {literal.path}")] == store.skipped()
    assert [] == found(store, '"beta"')
    with store.transaction():
        store.drop(stray.os_path)
        store.put(literal)
    assert [(literal.os_path, 10, 20)] == store.stats()
    assert "ok" == store.check()


def test_a_file_of_the_tree_beats_what_a_pack_says_of_it(store: IndexStore) -> None:
    """The pack's rows yield to the tree's, and do not come back over them."""
    packed = record(PACK_PREFIX + b"docs/a.md", "packed")
    put(store, packed)
    assert [("docs/a.md", "f0")] == found(store, '"packed"')
    put(store, record("docs/a.md", "real"))
    put(store, packed)
    assert [] == found(store, '"packed"')
    assert [("docs/a.md", "f0")] == found(store, '"real"')
    assert "ok" == store.check()


def test_touching_changes_the_stat_and_nothing_else(store: IndexStore) -> None:
    """The chunks of a file whose content is what it was stay as they are."""
    put(store, record("a.py", "alpha"))
    with store.transaction():
        store.touch((b"a.py", 11, 99))
    assert [(b"a.py", 11, 99)] == store.stats()
    assert [("a.py", "f0")] == found(store, '"alpha"')


def test_candidates_are_weighted_limited_and_filtered(store: IndexStore) -> None:
    """Best first by the fields' weights; `where` sees files and chunks."""
    named = record("a.py", "nothing")
    named = named._replace(terms=(ChunkTerms("alpha", "", "", ""),))
    put(
        store, record("b.py", "alpha and a lot of other words beside it"), named, record("c.md", "alpha", language="md")
    )
    by_name = store.candidates('"alpha"', FieldWeights(name=50.0), 10)
    assert "a.py" == by_name[0].path
    assert sorted((c.bm25 for c in by_name), reverse=True) == [c.bm25 for c in by_name]
    assert all(c.bm25 > 0 for c in by_name)
    assert 1 == len(found(store, '"alpha"', 1))
    assert [("c.md", "f0")] == found(store, '"alpha"', where="f.language = ?", arguments=("md",))
    assert [] == found(store, '"alpha"', where="c.kind = ?", arguments=("class",))
    assert 3 == store.count_matches('"alpha"')
    assert 2 == store.count_matches('"alpha"', at_most=2)


def test_words_meet_in_their_stem_case_and_accents(store: IndexStore) -> None:
    """Porter stems, folded case and diacritics; underscores belong to the word."""
    put(store, record("a.py", "Storing Größen in load_config"))
    for word in ("stored", "STORE", "größen", "GROßEN", "load_config"):
        assert [("a.py", "f0")] == found(store, f'"{word}"')
    assert [] == found(store, '"config"')


def test_names_are_looked_up_exactly_then_in_any_case(store: IndexStore) -> None:
    """The exact spelling stands first; filters hold here, too."""
    lower, upper = record("a.py", "x"), record("b.py", "x")
    upper = upper._replace(chunks=(upper.chunks[0]._replace(name="F0"),))
    put(store, lower, upper)
    assert ["b.py", "a.py"] == [c.path for c in store.by_name("F0", 10)]
    assert ["a.py", "b.py"] == [c.path for c in store.by_name("f0", 10)]
    assert ["a.py"] == [c.path for c in store.by_name("f0", 1)]
    assert ["b.py"] == [c.path for c in store.by_name("f0", 10, "f.path = ?", ("b.py",))]
    assert {"f0", "F0"} == set(store.names_like(["%0"], 10))
    assert [] == store.names_like(["f\\_"], 10) == store.names_like([], 10)


def test_a_text_that_moved_is_found_by_name_and_digest(store: IndexStore) -> None:
    """Ids in other files, by path."""
    put(store, record("b.py", "alpha"), record("a.py", "alpha"), record("c.py", "beta"))
    digest = digest_of(b"alpha")
    assert [ChunkId("a.py", "A.f0", digest), ChunkId("b.py", "A.f0", digest)] == store.ids_named("A.f0", digest)
    assert [] == store.ids_named("f0", digest) == store.ids_named("A.f0", "00000000")


def test_skipped_and_broken_files_are_listed_and_not_counted(store: IndexStore) -> None:
    """Each with its reason, by path."""
    put(
        store,
        record("z.bin", status="skipped"),
        record("b.py", "x", status="partial"),
        record("a.py", "y", status="failed"),
        record("ok_file.py", "z"),
    )
    assert [("z.bin", "why")] == store.skipped()
    assert [("a.py", "why"), ("b.py", "why")] == store.partial()
    facts = store.facts()
    assert (3, 1, 3, 9, (("python", 3),)) == (facts.files, facts.skipped, facts.chunks, facts.tokens, facts.languages)
    assert 3 == store.file_count()
    assert store.has_folder("") is False
    assert store.has_folder("ok_file.py") is False


def test_directories_and_facts_are_replaced(store: IndexStore) -> None:
    """What the last walk saw is what stays."""
    with store.transaction():
        store.set_directories([(b"", 1), (b"old", 2)])
        store.set_directories([(b"", 3), (b"new\xff", 4), (b"", 5)])
        store.set_meta("as_of", "then")
        store.set_meta("as_of", "now")
    assert [(b"", 5), (b"new\xff", 4)] == sorted(store.directories())
    assert "now" == store.meta("as_of")


# --- transactions and the lock ---------------------------------------------------------------------------------------


def _fail_halfway(store: IndexStore, error: type[BaseException], *, bulk: bool) -> None:
    with store.transaction(bulk=bulk):
        store.put(record("a.py", "beta"))
        store.put(record("b.py", "beta"))
        store.set_meta("complete", "1")
        raise error


@pytest.mark.parametrize("bulk", [False, True])
def test_nothing_of_a_failed_transaction_is_kept(store: IndexStore, bulk: bool) -> None:
    """Whatever ends the block, an interrupt too; the next one works."""
    put(store, record("a.py", "alpha"))
    for error in (RuntimeError, KeyboardInterrupt):
        with pytest.raises(error):
            _fail_halfway(store, error, bulk=bulk)
    assert [("a.py", "f0")] == found(store, '"alpha"')
    assert [] == found(store, '"beta"')
    assert "" == store.meta("complete")
    assert "ok" == store.check()
    put(store, record("b.py", "beta"))
    assert [("b.py", "f0")] == found(store, '"beta"')


def test_a_full_disk_is_named_and_leaves_the_index_as_it_was(store: IndexStore) -> None:
    """SQLite rolls back by itself then; the error is about the disk and not about that."""
    put(store, record("a.py", "alpha"))
    store._execute("PRAGMA max_page_count = 40")
    many = [record(f"f{at}.py", " ".join(f"word{at}x{n}" for n in range(200))) for at in range(500)]
    with pytest.raises(CtxError, match="the disk is full") as caught:
        put(store, *many)
    assert not isinstance(caught.value, IndexDamagedError)
    assert "ok" == store.check()
    assert ["a.py"] == [path for path, *_ in store.files()]
    store._execute("PRAGMA max_page_count = 1000000")
    put(store, record("b.py", "beta"))
    assert 2 == store.file_count()


_HOLD = """
import fcntl, os, sys
fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(fd, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def held_by_another_process(path: str) -> Iterator[subprocess.Popen[str]]:
    """Hold the writer's lock in a child until the block ends."""
    child = subprocess.Popen(
        [sys.executable, "-c", _HOLD, path + ".lock"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with child:
        assert child.stdout is not None
        assert "held\n" == child.stdout.readline()
        yield child


def test_a_lock_held_by_another_process_is_waited_for_and_then_given_up(store: IndexStore, path: str) -> None:
    """Who waits is told once; readers are not held up."""
    put(store, record("a.py", "alpha"))
    told: list[str] = []
    with held_by_another_process(path):
        with (
            pytest.raises(IndexBusyError, match=r"more than 0\.05 s"),
            store.writing(wait_s=0.05, on_wait=lambda: told.append("waiting"), tell_after_s=0.0),
        ):
            pytest.fail("two writers at once")
        assert ["waiting"] == told
        assert [("a.py", "f0")] == found(store, '"alpha"')
        store.put_cached("key", b"payload")
        assert None is store.cached("key")


def test_a_lock_is_free_again_when_its_holder_is_killed(store: IndexStore, path: str) -> None:
    """A crash leaves no lock behind."""
    with held_by_another_process(path) as child:
        told: list[int] = []

        def kill() -> None:
            told.append(1)
            child.kill()

        with store.writing(wait_s=30.0, on_wait=kill, tell_after_s=0.0):
            put(store, record("a.py", "alpha"))
    assert [1] == told
    assert 1 == store.file_count()


def test_the_lock_is_held_once_and_let_go_at_the_end(store: IndexStore, path: str) -> None:
    """A use case may take it inside another that has it; an exception lets go of it."""
    other = IndexStore(path)
    with other:
        with (
            store.writing(wait_s=0),
            store.writing(wait_s=0),
            pytest.raises(IndexBusyError),
            other.writing(wait_s=0),
        ):
            pytest.fail("two writers at once")
        with pytest.raises(RuntimeError), store.writing(wait_s=0):
            raise RuntimeError
        with other.writing(wait_s=0):
            pass


def test_readers_see_the_last_commit_while_another_one_writes(store: IndexStore, path: str) -> None:
    """Write-ahead logging: an open transaction is invisible, and blocks nobody who reads."""
    put(store, record("a.py", "alpha"))
    with IndexStore(path) as writer, writer.writing(wait_s=0), writer.transaction():
        writer.put(record("a.py", "beta"))
        assert [("a.py", "f0")] == found(store, '"alpha"')
        assert [] == found(store, '"beta"')
    assert [("a.py", "f0")] == found(store, '"beta"')


# --- versions and damage ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 99, 0])
def test_an_index_of_another_version_is_made_anew(path: str, version: int) -> None:
    """Also one from a newer ctx, and a database that is no index at all."""
    os.makedirs(os.path.dirname(path))
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE files (something_else)")
        other.execute(f"PRAGMA user_version = {version}")
    other.close()
    store = IndexStore(path)
    assert store.open() is True
    assert 0 == store.file_count()
    store.close()


def test_an_index_made_anew_by_another_process_meanwhile_is_kept(path: str) -> None:
    """Who waited for the lock looks at the file that is there then, not at the one from before."""
    os.makedirs(os.path.dirname(path))
    old = sqlite3.connect(path)
    old.execute("PRAGMA user_version = 99")
    old.close()

    class Late(IndexStore):
        """Another process is faster."""

        @contextmanager
        def writing(self, **options: Any) -> Iterator[None]:
            other = IndexStore(path)
            other.remove()
            with other:
                put(other, record("a.py", "alpha"))
            with super().writing(**options):
                yield

    late = Late(path)
    assert late.open() is False
    assert 1 == late.file_count()
    late.close()


def _filled(path: str) -> bytes:
    with IndexStore(path) as store:
        put(store, *(record(f"f{at}.py", f"word{at} alpha " * 20, "beta " * 50) for at in range(120)))
        with store.transaction():
            store.set_meta("complete", "1")
            store.set_directories([(f"d{at}".encode(), at) for at in range(50)])
            store.put_cached("key", b"payload")
    with open(path, "rb") as file:
        return file.read()


def _use(path: str) -> None:
    """Do everything with an index that a command does."""
    with IndexStore(path) as store:
        store.meta("complete")
        store.stats()
        store.directories()
        list(store.files())
        store.facts()
        store.skipped()
        store.partial()
        store.candidates('"alpha" OR "beta"', FieldWeights(), 500)
        store.by_name("f0", 500)
        store.names_like(["%f%"], 500)
        store.has_folder("sub")
        store.kinds()
        store.ids_named("A.f0", "00000000")
        store.cached("key")
        store.check()
        for at in range(0, 120, 7):
            store.file(f"f{at}.py")
        with store.transaction():
            for at in range(0, 120, 11):
                store.put(record(f"f{at}.py", "new words"))
                store.drop(f"f{at + 1}.py".encode())


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda raw: b"garbage" * 100 + raw[700:], id="header"),
        pytest.param(lambda raw: b"not a database at all\n" * 50, id="text"),
        pytest.param(lambda raw: raw[: len(raw) // 2], id="truncated"),
        pytest.param(lambda raw: raw[:5000], id="truncated to a page and a bit"),
        pytest.param(lambda raw: raw[:4096] + os.urandom(len(raw) - 4096), id="all but the first page"),
        pytest.param(lambda raw: raw[:8192] + b"\0" * (len(raw) - 8192), id="zeroes"),
    ],
)
def test_damage_is_named_with_what_to_do(path: str, damage: Any) -> None:
    """Opening or using the file says that it is damaged, and a removed one starts anew."""
    raw = _filled(path)
    with open(path, "wb") as file:
        file.write(damage(raw))
    with pytest.raises(IndexDamagedError, match=r"index.*--rebuild"):
        _use(path)
    store = IndexStore(path)
    store.remove()
    store.open()
    assert "ok" == store.check()
    store.close()


def test_an_index_that_cannot_be_opened_is_let_go_of(path: str) -> None:
    """A process that lives on and tries again collects no descriptors, also while the store is held."""
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as file:
        file.write(b"not a database at all\n" * 50)
    store = IndexStore(path)
    with pytest.raises(IndexDamagedError):
        store.open()
    held = []
    for fd in os.listdir("/proc/self/fd"):
        with contextlib.suppress(OSError):  # the listing's own is gone
            held.append(os.readlink(f"/proc/self/fd/{fd}"))
    assert os.path.realpath(path) not in held


def test_who_opens_the_index_while_it_is_removed_hides_nothing(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that finds no file makes one, and what is stored in it then is there when that process has gone."""
    _filled(path)
    program = (
        "import sys; from ctx.infrastructure.index_store import IndexStore; store = IndexStore(sys.argv[1]);"
        "store._connect(); print(store._row('PRAGMA user_version'), flush=True); sys.stdin.read(); store.close()"
    )
    others: list[subprocess.Popen[str]] = []
    unlink = os.unlink

    def and_another_opens(name: str) -> None:
        unlink(name)
        if name == path:
            pipe = subprocess.PIPE
            others.append(subprocess.Popen([sys.executable, "-c", program, path], stdin=pipe, stdout=pipe, text=True))
            assert others[0].stdout is not None
            assert "(0,)\n" == others[0].stdout.readline()

    store = IndexStore(path)
    try:
        with store.writing(wait_s=0.0):
            with monkeypatch.context() as patch:
                patch.setattr(os, "unlink", and_another_opens)
                store.remove()
            store.open()
            put(store, record("a.py", "alpha"))
        store.close()
    finally:
        others[0].communicate()
    with store:
        assert 1 == store.file_count()


def test_no_damage_raises_anything_but_our_errors(path: str) -> None:
    """Bytes flipped anywhere are either not met, or reported as damage."""
    raw = _filled(path)
    chance = random.Random(7)
    outcomes = set()
    for _ in range(60):
        broken = bytearray(raw)
        for _ in range(chance.choice([1, 20, 400])):
            broken[chance.randrange(100, len(raw))] = chance.randrange(256)
        IndexStore(path).remove()
        with open(path, "wb") as file:
            file.write(broken)
        try:
            _use(path)
            outcomes.add("unnoticed")
        except IndexDamagedError:
            outcomes.add("damaged")
    assert "damaged" in outcomes


def test_check_finds_chunks_that_cannot_be_searched(store: IndexStore) -> None:
    """The two halves of the index are compared, and each is read through."""
    put(store, record("a.py", "alpha", "beta"))
    store._execute("DELETE FROM chunks WHERE name = 'f1'")
    assert "1 chunks stored and 2 searchable" == store.check()
    with pytest.raises(IndexDamagedError), store.transaction():
        store.drop(b"a.py")


def test_terms_that_cannot_be_unpacked_are_damage(store: IndexStore) -> None:
    """What is stored beside the chunks is needed to take them out."""
    put(store, record("a.py", "alpha"))
    store._execute("UPDATE file_terms SET packed = x'00ff'")
    with pytest.raises(IndexDamagedError, match="damaged"), store.transaction():
        store.put(record("a.py", "beta"))


# --- places that cannot be used --------------------------------------------------------------------------------------


def test_a_place_that_cannot_hold_an_index_is_an_error_of_ours(tmp_path: Path) -> None:
    """A file where the folder should be, a folder where the file should be, a lock that is a link."""
    (tmp_path / "file").write_text("")
    (tmp_path / "dir" / "index.db").mkdir(parents=True)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "index.db.lock").symlink_to(tmp_path / "elsewhere")
    for folder in ("file", "file/below", "dir", "linked"):
        with pytest.raises(CtxError, match="cannot be used") as caught:
            IndexStore(str(tmp_path / folder / "index.db")).open()
        assert not isinstance(caught.value, IndexDamagedError)
    assert not (tmp_path / "elsewhere").exists()


def test_a_path_too_long_for_sqlite_is_told_as_such(tmp_path: Path) -> None:
    """The folder is fine and the disk is not full; one byte less, and there is an index."""
    folder = str(tmp_path)
    while len(os.fsencode(folder)) < PATH_BYTES_MAX - 200:
        folder += "/" + "d" * 100
    os.makedirs(folder)
    for surplus in (0, 1):
        inner = f"{folder}/{'e' * (PATH_BYTES_MAX + surplus - len(os.fsencode(folder)) - len('//index.db'))}"
        store = IndexStore(f"{inner}/index.db")
        if surplus:
            with pytest.raises(CtxError, match=f"its path has {PATH_BYTES_MAX + 1} bytes") as caught:
                store.open()
            assert "permissions" not in str(caught.value)
        else:
            with store:
                assert [] == list(store.stats())


# --- skeleton cache --------------------------------------------------------------------------------------------------


def test_cached_skeletons_are_bounded(store: IndexStore) -> None:
    """A full cache starts over rather than growing."""
    for at in range(5):
        store.put_cached(f"key{at}", b"%d" % at, keep=3)
    assert [None, None, None, b"3", b"4"] == [store.cached(f"key{at}") for at in range(5)]
    store.put_cached("key4", b"new")
    assert b"new" == store.cached("key4")


def test_more_candidates_than_one_statement_takes_come_by_score(store: IndexStore) -> None:
    """Columns are fetched in portions; all arrive, the best first."""
    put(store, record("a.py", *("needle " * (1 + at % 7) + "hay " * 5 for at in range(1_200))))
    candidates = store.candidates("needle", FieldWeights(), 1_100)
    assert 1_100 == len({c.chunk_id for c in candidates})
    assert sorted((c.bm25 for c in candidates), reverse=True) == [c.bm25 for c in candidates]


def test_counts_of_stored_texts_are_known_by_their_keys(store: IndexStore) -> None:
    """Those of the files asked for, texts and snippets alike."""
    put(store, record("a.py", "x"), record("b.py", "y"))
    known = store.known_tokens([b"a.py", b"none.py"])
    assert {text_key("x"): 3, text_key(snippet_of("def f0()", "Doc.")): 2} == known


def test_a_first_build_leaves_the_same_indexes(store: IndexStore, path: str) -> None:
    """They are made after the rows, also when the first try fails and is rolled back."""

    def indexes() -> list[str]:
        with contextlib.closing(sqlite3.connect(path)) as db:
            rows = db.execute("SELECT sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1")
            return [row[0] for row in rows]

    before = indexes()
    assert before
    failing = contextlib.suppress(ZeroDivisionError)
    with failing, store.transaction(bulk=True):
        store.put(record("a.py", "x"))
        raise ZeroDivisionError
    assert before == indexes()
    assert [] == found(store, "x")
    with store.transaction(bulk=True):
        store.put(record("a.py", "x"))
        store.put(record("a.py", "y", "z"))
    assert before == indexes()
    assert "ok" == store.check()
    assert [("a.py", "f1")] == found(store, "z")


def test_a_peek_sees_what_is_committed_from_any_thread(path: str) -> None:
    """The file and its generation, as soon as the index is complete; nothing is made by looking."""
    peek = IndexPeek(path)
    assert (None, False) == (peek.mark(), os.path.exists(path))
    with IndexStore(path) as store:
        assert None is peek.mark()
        found = os.stat(path)
        for generation in ("1", "2"):
            with store.transaction():
                store.set_meta("complete", "1")
                store.set_meta("generation", generation)
                uncommitted = peek.mark()
            told: list[object] = []
            thread = threading.Thread(target=lambda told=told: told.append(peek.mark()))
            thread.start()
            thread.join()
            assert [(found.st_dev, found.st_ino, generation)] == told
            assert (None if generation == "1" else (found.st_dev, found.st_ino, "1")) == uncommitted
    peek.close()
    peek.close()


def test_a_peek_follows_the_path_not_the_file(path: str, tmp_path: Path) -> None:
    """A file that was replaced or damaged is not answered from."""
    peek = IndexPeek(path)
    with IndexStore(path) as store, store.transaction():
        store.set_meta("complete", "1")
        store.set_meta("generation", "7")
    first = peek.mark()
    assert first is not None
    os.rename(path, tmp_path / "aside.db")
    assert None is peek.mark()
    with IndexStore(path) as store, store.transaction():
        store.set_meta("complete", "1")
        store.set_meta("generation", "7")
    second = peek.mark()
    assert second is not None
    assert (first[2], True) == (second[2], first[:2] != second[:2])
    peek.close()
    with open(path, "wb") as file:
        file.write(b"no database at all" * 100)
    assert None is peek.mark()


@pytest.mark.parametrize("ending", ["", "-wal", "-shm"])
def test_nothing_is_written_through_a_link(tmp_path: Path, ending: str) -> None:
    """A repository can bring one while a process lives on; it is damage, and removing that leaves its target alone."""
    target = tmp_path / "precious.db"
    with contextlib.closing(sqlite3.connect(target)) as db, db:
        db.execute("CREATE TABLE precious (x)")
    store = IndexStore(str(tmp_path / "index.db"))
    (tmp_path / f"index.db{ending}").symlink_to(target)
    with pytest.raises(IndexDamagedError, match=f"index.db{ending}: a link in place of the index"):
        store.open()
    store.remove()
    with store:
        store.set_meta("a", "b")
    with contextlib.closing(sqlite3.connect(target)) as db:
        assert [("precious",)] == db.execute("SELECT name FROM sqlite_master").fetchall()
