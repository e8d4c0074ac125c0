"""Get: every form of target, the three levels of disclosure, the budget, and ids whose text moved on."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.fakes import SegmentOnDisk, WordCounter
from tests.strategies import python_sources

from ctx.application.context_pack import PackSync
from ctx.application.get import Get, GetAnswer, GetRequest, Item
from ctx.application.search import SearchRequest, search
from ctx.domain.chunk_ids import RUN_MARK, digest_of, format_id, run_digest
from ctx.domain.errors import CtxError, NotFoundError, OutsideSegmentError, StaleIdError, UsageError
from ctx.domain.index_records import PACK_PATH
from ctx.infrastructure.ast_lsp import SkeletonMapBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from ctx.domain.symbols import SkeletonMap

_MODULE = textwrap.dedent(
    '''\
    """A module."""
    import os
    import sys
    from json import dumps, loads

    LIMIT = 10


    # Why it is so.
    def load(path):
        """Read a file."""
        with open(os.path.join("x", path)) as file:
            return loads(file.read())


    class Small:
        """Two methods."""

        X = 1

        def one(self):
            return sys.path

        def two(self):
            return 2
    '''
)
_LARGE = (
    "import os\n\n\nclass Large(Base):\n    '''Many lines.'''\n\n    KEY = 'k'\n\n    def first(self):\n"
    + "        os.getcwd()\n" * 40
    + "\n    @cached\n    def second(self, a,\n               b=1):\n        return self.KEY\n"
)


def parser(builder: SkeletonMapBuilder) -> Callable[[str, bytes, str], SkeletonMap]:
    """Return the builder as the use case asks it."""
    return lambda path, source, language: builder.parse(source, path, language)


class Reader(SegmentOnDisk):
    """A segment one can get from; what is put is indexed before the next question."""

    def get(self, *targets: str, **options: Any) -> GetAnswer:
        self.refresh()
        use_case = Get(self.files, self.files, self.store, WordCounter(), parser(SkeletonMapBuilder(self.telemetry)))
        return use_case(GetRequest(targets, **options))

    def one(self, target: str, **options: Any) -> Item:
        (item,) = self.get(target, **options).items
        return item

    def ids(self, path: str) -> dict[str, str]:
        """Return the ids of a file's chunks by qualified name, the first of each."""
        self.refresh()
        record = self.store.file(path)
        assert record is not None
        found: dict[str, str] = {}
        for row in record.chunks:
            found.setdefault(row.qualname, f"{path}#{row.qualname}@{row.digest}")
        return found


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[Reader]:
    (tmp_path / "seg").mkdir()
    with Reader(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        opened.put("pkg/mod.py", _MODULE)
        opened.put("pkg/large.py", _LARGE)
        opened.put("docs/guide.md", "Intro.\n\n# Use\n\nText.\n\n## Deeper\n\nMore.\n")
        opened.put("notes.txt", "alpha\nbeta\ngamma")
        yield opened


# --- forms of targets ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", ["pkg/mod.py", "./pkg/mod.py", "pkg/../pkg/mod.py", "{root}/pkg/mod.py"])
def test_a_path_is_the_whole_file(segment: Reader, target: str) -> None:
    """As a skeleton unless something else is asked for; its raw text is the file, byte for byte."""
    target = target.format(root=segment.root)
    skeleton = segment.one(target)
    assert ("skeleton", "file", 1, 25, "pkg/mod.py", "python") == (
        skeleton.mode,
        skeleton.kind,
        skeleton.start_line,
        skeleton.end_line,
        skeleton.id,
        skeleton.lang,
    )
    assert "def load(path):  # L10-13" in skeleton.text
    assert "os.path" not in skeleton.text
    assert _MODULE == segment.one(target, mode="raw").text == segment.one(target, mode="excerpt").text


def test_telemetry_is_told_what_whole_files_would_have_cost(segment: Reader) -> None:
    """By file, each once however many of its parts are there; of one mode by its name, of several as mixed."""
    answer = segment.get("pkg/mod.py#Small", "pkg/mod.py#load", "pkg/large.py")
    by_file = {item.path: item.file_tokens for item in answer.items}
    assert ["pkg/mod.py", "pkg/large.py"] == list(by_file)
    expected = {
        "disclosure_mode": "mixed",
        "whole_file_tokens": sum(by_file.values()),
        "file_tokens": by_file,
    }
    assert expected == answer.disclosure
    assert "excerpt" == segment.get("pkg/mod.py#Small").disclosure["disclosure_mode"]


def test_an_id_is_its_chunk(segment: Reader) -> None:
    """The raw lines hash to the id; the comment above the function belongs to it."""
    wanted = segment.ids("pkg/mod.py")["load"]
    item = segment.one(wanted, mode="raw")
    assert (wanted, 9, 13, "function", "load") == (item.id, item.start_line, item.end_line, item.kind, item.qualname)
    assert item.text.startswith("# Why it is so.\ndef load(path):\n")
    assert wanted.endswith("@" + digest_of(item.text.encode()))
    assert not item.truncated
    assert item.file_tokens > item.tokens > 0


@pytest.mark.parametrize(
    ("target", "lines", "kind", "qualname"),
    [
        ("pkg/mod.py#load", (10, 13), "function", "load"),
        ("pkg/mod.py#Small", (16, 25), "class", "Small"),
        ("pkg/mod.py#Small.two", (24, 25), "method", "Small.two"),
        ("pkg/mod.py#two", (24, 25), "method", "Small.two"),
        ("pkg/mod.py#LIMIT", (6, 6), "constant", "LIMIT"),
        ("pkg/mod.py#Small.X", (19, 19), "constant", "Small.X"),
        ("pkg/mod.py:12", (10, 13), "function", "load"),
        ("pkg/mod.py:22", (21, 22), "method", "Small.one"),
        ("pkg/mod.py:18", (16, 25), "class", "Small"),
        ("pkg/mod.py:6", (1, 6), "module", "__module__"),
        ("pkg/mod.py:8", (8, 8), "lines", ""),
        ("pkg/mod.py:2-3", (2, 3), "lines", ""),
        ("pkg/mod.py:24-999", (24, 25), "lines", ""),
        ("pkg/large.py:52", (51, 54), "method", "Large.second"),
        ("docs/guide.md#use", (3, 5), "section", "use"),
        ("docs/guide.md#Deeper", (7, 9), "section", "deeper"),
        ("docs/guide.md:8", (7, 9), "section", "deeper"),
        ("notes.txt:2", (1, 3), "text", "__text__"),
    ],
)
def test_symbols_and_lines(segment: Reader, target: str, lines: tuple[int, int], kind: str, qualname: str) -> None:
    """What encloses a line, what a name stands for, or the very lines; raw is those lines."""
    item = segment.one(target, mode="raw")
    assert (lines, kind, qualname) == ((item.start_line, item.end_line), item.kind, item.qualname)
    whole = (segment.root / item.path).read_text().splitlines(keepends=True)
    assert "".join(whole[lines[0] - 1 : lines[1]]) == item.text


def test_a_name_that_stands_for_several_gives_all(segment: Reader) -> None:
    """Overloads and methods of several classes, in the order of the file."""
    segment.put("a.py", "class A:\n    def run(self): pass\n\nclass B:\n    def run(self): pass\n")
    assert ["A.run", "B.run"] == [item.qualname for item in segment.get("a.py#run").items]
    assert [2, 5] == [item.start_line for item in segment.get("a.py#run").items]


def test_files_with_odd_names_are_reached(segment: Reader) -> None:
    """Blanks, marks of our own and undecodable bytes, as a path and with a symbol or line behind."""
    for name in ("a b.py", "a#b.py", "a:3", "c@12345678.py", "größe.py"):
        segment.put(name, "def f():\n    return 1\n\n\nX = 1\n")
        assert name == segment.one(name).path
        assert 2 == segment.one(f"{name}:2-2").start_line
        if name.endswith(".py"):
            assert "f" == segment.one(f"{name}#f").qualname
            assert "f" == segment.one(segment.ids(name)["f"]).qualname
    (segment.root / "bad\udcff.py").write_text("def f(): pass\n")
    assert r"bad\xff.py" == segment.one("bad\udcff.py").path == segment.one(r"bad\xff.py#f").path


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(python_sources())
def test_every_id_handed_out_can_be_handed_in(segment: Reader, source: str) -> None:
    """Ids of chunks, of symbols and of lines lead to the text they stood for."""
    segment.put("any.py", source)
    segment.refresh()
    record = segment.store.file("any.py")
    assert record is not None
    raw = source.encode()
    for row in record.chunks:
        twin = f"~{row.twin}" if row.twin > 1 else ""
        item = segment.one(f"any.py#{row.qualname}@{row.digest}{twin}", mode="raw")
        assert (row.start_line, row.end_line) == (item.start_line, item.end_line)
        assert raw[row.start_byte : row.end_byte] == item.text.encode()
    for line in range(1, min(record.lines, 12) + 1):
        item = segment.one(f"any.py:{line}", mode="raw")
        if item.kind != "lines" and "#" in item.id:
            again = segment.one(item.id, mode="raw")
            assert item.id == again.id
            assert item.qualname == again.qualname


@pytest.mark.parametrize(
    ("target", "error", "message"),
    [
        ("none.py", NotFoundError, "none.py: no such file"),
        ("none.py:3", NotFoundError, "no such file"),
        ("none.py#f", NotFoundError, "no such file"),
        ("none.py#f@12345678", NotFoundError, "none.py: no such file"),
        ("pkg/mod.py#lod", NotFoundError, "no lod in it; the nearest there: pkg/mod.py#load"),
        ("pkg/mod.py#Large", NotFoundError, "no Large in it"),
        ("pkg/mod.py#gone@12345678", NotFoundError, "has no gone any more"),
        ("pkg/mod.py:99", UsageError, "has 25 lines"),
        ("pkg/mod.py:9-3", UsageError, "give a line or a range inside it"),
        ("pkg/mod.py:" + "9" * 5000, CtxError, ""),
        ("pkg/mod.py#load@12345678~" + "9" * 5000, CtxError, ""),
        ("../outside.py", OutsideSegmentError, "outside the segment"),
        ("/etc/passwd:1", OutsideSegmentError, "outside the segment"),
        ("pkg", CtxError, "pkg"),
        ("", UsageError, "empty path"),
        ("a\0b", CtxError, ""),
        ("x" * 100_000, CtxError, ""),
        ("\ud800", CtxError, ""),
        ("bad\udcff.py", NotFoundError, "no such file"),
    ],
)
def test_what_cannot_be_found_says_why(segment: Reader, target: str, error: type[CtxError], message: str) -> None:
    """An error of ours in one line, with what comes close where something does."""
    with pytest.raises(error) as caught:
        segment.get(target)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_indexed_is_told_apart(segment: Reader) -> None:
    """Ignored, secret or binary: each has its own reason."""
    segment.put(".gitignore", "ignored.py\n")
    segment.put("ignored.py", "x = 1\n")
    segment.put(".env", "KEY=1\n")
    segment.put("data.bin", b"\0\0")
    for target, error, message in (
        ("ignored.py", NotFoundError, "not indexed"),
        (".env", UsageError, "secrets file"),
        ("data.bin", UsageError, "binary"),
    ):
        with pytest.raises(error, match=message):
            segment.get(target, mode="raw")


def test_a_minified_file_is_handed_on_whole_when_asked_for(segment: Reader) -> None:
    """It is not indexed, and still a text one may want; the budget protects from it."""
    text = "var a=1;" * 5000 + "\nlast line\n"
    segment.put("x.min.js", text)
    item = segment.one("x.min.js", mode="raw")
    assert (text, False) == (item.text, item.truncated)
    assert "last line\n" == segment.one("x.min.js:2-2", mode="raw").text


# --- texts -----------------------------------------------------------------------------------------------------------


def test_an_excerpt_has_the_imports_it_uses_and_the_heads_around_it(segment: Reader) -> None:
    """Enough to edit it: no import it does not name, no other method."""
    assert segment.one("pkg/mod.py#load").text == (
        "import os\n"
        "from json import dumps, loads\n"
        "\n"
        "def load(path):\n"
        '    """Read a file."""\n'
        '    with open(os.path.join("x", path)) as file:\n'
        "        return loads(file.read())\n"
    )
    assert segment.one("pkg/mod.py#Small.one").text == (
        "import sys\n\nclass Small:  # L16-25\n    def one(self):\n        return sys.path\n"
    )
    second = segment.one("pkg/large.py#second")
    assert second.text == (
        "class Large(Base):  # L4-54\n"
        "    @cached\n    def second(self, a,\n               b=1):\n        return self.KEY\n"
    )
    assert "excerpt" == second.mode


def test_an_excerpt_of_text_or_of_lines_is_the_text_itself(segment: Reader) -> None:
    """There is nothing around it to add."""
    assert "# Use\n\nText.\n" == segment.one("docs/guide.md#use").text
    assert "beta\ngamma" == segment.one("notes.txt:2-3").text


def test_a_skeleton_is_the_part_asked_for(segment: Reader) -> None:
    """Of a file all of it, of a class its members, of a function its head; of a text its titles."""
    assert segment.one("pkg/large.py#Large", mode="skeleton").text == (
        "class Large(Base):  # L4-54\n"
        '    """Many lines."""\n'
        "    KEY = 'k'  # L7\n"
        "    def first(self):  # L9-49\n"
        "    @cached\n"
        "    def second(self, a, b=1):  # L51-54"
    )
    assert 'def load(path):  # L10-13\n    """Read a file."""' == segment.one("pkg/mod.py#load", mode="skeleton").text
    assert "Intro.  # L1-1\nUse  # L3-5\nUse > Deeper  # L7-9" == segment.one("docs/guide.md").text.replace(
        "guide", "Intro."
    )
    assert "alpha  # L1-3" == segment.one("notes.txt").text


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("end", ["", "last"])
def test_raw_is_exact_to_the_byte(segment: Reader, newline: str, end: str) -> None:
    """Line ends of either kind, with and without one at the end, latin letters, form feeds and lone CRs inside."""
    text = newline.join(["# \x0c\x0b\x1c\u2028\x85 ä", "def f():", "    return '\r'", "", "def g(): pass", end])
    segment.put("a.py", text)
    assert text == segment.one("a.py", mode="raw").text
    assert f"def f():{newline}    return '\r'{newline}" == segment.one("a.py:2-3", mode="raw").text
    assert f"def g(): pass{newline}" == segment.one("a.py#g", mode="raw").text
    if end:
        assert "last" == segment.one("a.py:6", mode="raw").text


def test_an_empty_file_is_an_empty_text(segment: Reader) -> None:
    """In every mode, and at its one line."""
    segment.put("empty.py", "")
    for mode in ("skeleton", "excerpt", "raw"):
        assert ("", 0, False) == (
            (item := segment.one("empty.py", mode=mode)).text,
            item.tokens,
            item.truncated,
        )
    assert "" == segment.one("empty.py:1").text


def test_a_broken_file_is_read_as_far_as_it_goes(segment: Reader) -> None:
    """What was recovered is found; the rest is lines."""
    segment.put("broken.py", "def f(:\n    pass\n\n\ndef g():\n    return 1\n")
    assert "def g():\n    return 1\n" == segment.one("broken.py#g", mode="raw").text


# --- ids that moved on -----------------------------------------------------------------------------------------------


def test_a_stale_id_names_the_new_one_and_latest_takes_it(segment: Reader) -> None:
    """The text is never silently another one."""
    old = segment.ids("pkg/mod.py")["load"]
    segment.put("pkg/mod.py", _MODULE.replace("file.read()", "file.read() or '{}'"))
    new = segment.ids("pkg/mod.py")["load"]
    assert old != new
    with pytest.raises(StaleIdError, match="changed; it is now") as caught:
        segment.get(old)
    assert new in str(caught.value)
    assert "--latest" in str(caught.value)
    item = segment.one(old, latest=True)
    assert (new, True) == (item.id, old in item.note)
    assert "or '{}'" in item.text


def test_an_id_of_a_text_that_moved_names_its_new_place(segment: Reader) -> None:
    """To another file, its old one being there still or not."""
    old = segment.ids("pkg/mod.py")["load"]
    start = _MODULE.index("# Why")
    end = _MODULE.index("class Small")
    segment.put("pkg/new.py", _MODULE[start:end])
    segment.put("pkg/mod.py", _MODULE[:start] + _MODULE[end:])
    new = segment.ids("pkg/new.py")["load"]
    for delete_too in (False, True):
        if delete_too:
            segment.delete("pkg/mod.py")
        with pytest.raises(StaleIdError, match=f"moved; it is now {new}"):
            segment.get(old)
        assert new == segment.one(old, latest=True).id


def test_equal_twins_are_told_apart(segment: Reader) -> None:
    """Each by its number; one that is gone is stale."""
    segment.put("a.py", "def f():\n    pass\n\n\ndef f():\n    pass\n")
    first = segment.ids("a.py")["f"]
    assert (1, 5) == (segment.one(first, mode="raw").start_line, segment.one(first + "~2", mode="raw").start_line)
    with pytest.raises(StaleIdError):
        segment.get(first + "~3")


def test_a_file_that_changes_before_it_is_read_is_not_handed_on(segment: Reader) -> None:
    """The id's hash is checked on what was read, not on what was indexed."""
    wanted = segment.ids("pkg/mod.py")["load"]
    (segment.root / "pkg/mod.py").write_text("# Something else.\n" + _MODULE)
    use_case = Get(segment.files, segment.files, segment.store, WordCounter(), parser(SkeletonMapBuilder()))
    with pytest.raises(StaleIdError, match="being changed right now"):
        use_case(GetRequest((wanted,)))


# --- runs of neighbouring chunks -------------------------------------------------------------------------------------

_NEIGHBOURS = "".join(f"def {name}():\n    return {name!r}\n\n\n" for name in ("a", "b", "c", "b", "d"))


def run_id(segment: Reader, path: str, first: int, last: int) -> str:
    """Return the id of the chunks from the first to the last, by their numbers in the file, as a search prints it."""
    segment.refresh()
    record = segment.store.file(path)
    assert record is not None
    rows = record.chunks[first : last + 1]
    return format_id(path, f"{rows[0].qualname}{RUN_MARK}{rows[-1].qualname}", run_digest(r.digest for r in rows), 1)


@pytest.mark.parametrize("mode", ["skeleton", "excerpt", "raw"])
def test_a_run_is_all_its_chunks(segment: Reader, mode: Any) -> None:
    """From the first line of the first to the last of the last; its id comes back as it was handed in."""
    segment.put("run.py", _NEIGHBOURS)
    wanted = run_id(segment, "run.py", 0, 2)
    item = segment.one(wanted, mode=mode)
    assert (wanted, 1, 10, "run", "a..c") == (item.id, item.start_line, item.end_line, item.kind, item.qualname)
    if mode == "skeleton":
        assert "def a():  # L1-2\ndef b():  # L5-6\ndef c():  # L9-10" == item.text
    else:
        assert "".join(_NEIGHBOURS.splitlines(keepends=True)[:10]) == item.text


def test_a_run_between_equal_names_is_told_by_its_hash(segment: Reader) -> None:
    """`a..b` ends at the first b or at the second; each id leads to its own."""
    segment.put("run.py", _NEIGHBOURS)
    short, long = run_id(segment, "run.py", 0, 1), run_id(segment, "run.py", 0, 3)
    assert (short.partition("@")[0], True) == (long.partition("@")[0], short != long)
    assert [6, 14] == [segment.one(wanted, mode="raw").end_line for wanted in (short, long)]


def test_a_stale_run_names_the_new_one_and_latest_takes_it(segment: Reader) -> None:
    """When any of its chunks changed, also one in the middle."""
    segment.put("run.py", _NEIGHBOURS)
    old = run_id(segment, "run.py", 0, 2)
    segment.put("run.py", _NEIGHBOURS.replace("return 'b'", "return 'B'", 1))
    new = run_id(segment, "run.py", 0, 2)
    assert old != new
    with pytest.raises(StaleIdError, match="changed; it is now") as caught:
        segment.get(old)
    assert new in str(caught.value)
    item = segment.one(old, latest=True, mode="raw")
    assert (new, True, True) == (item.id, old in item.note, "'B'" in item.text)


@pytest.mark.parametrize("name", ["a..gone", "gone..c", "c..a", "..", "a..", "..c"])
def test_a_run_without_its_ends_is_not_found(segment: Reader, name: str) -> None:
    """An unknown end, or ends in the wrong order; nothing is handed on in its place."""
    segment.put("run.py", _NEIGHBOURS)
    with pytest.raises(NotFoundError, match=re.escape(f"run.py has no {name} any more")):
        segment.get(f"run.py#{name}@12345678")


@pytest.mark.parametrize("names", [("a", "b", "c"), ("a..b", "b..c", "c")])
def test_a_run_in_a_pack(segment: Reader, names: tuple[str, ...]) -> None:
    """Its chunks' texts one after the other, as the pack has them; also under names that hold a run's mark."""
    texts = {name: f"def f():\n    return {name!r}" for name in names}
    chunks = [
        {"path": "elsewhere.py", "text": text, "start_line": 1 + 4 * n, "end_line": 2 + 4 * n, "qualname": name}
        for n, (name, text) in enumerate(texts.items())
    ]
    segment.put(PACK_PATH, json.dumps({"schema_version": 1, "chunks": chunks}))
    segment.refresh()
    sync = PackSync(segment.files, segment.store, WordCounter(), lambda: segment.files.stat(PACK_PATH.encode()))
    assert sync(tree_changed=True, paths_changed=True) is not None
    wanted = run_id(segment, "elsewhere.py", 0, 1)
    item = segment.one(wanted, mode="raw")
    assert (wanted, f"{texts[names[0]]}\n{texts[names[1]]}") == (item.id, item.text)


def test_the_runs_a_search_finds_can_be_got(segment: Reader) -> None:
    """A question whose answers stand next to each other gets them as one hit; the hit's lines and cost are its text."""
    segment.put("pay.py", "".join(f"def refund_{k}(order):\n    '''Refund an order.'''\n\n\n" for k in "abc"))
    segment.put("other.py", "def refund(order):\n    '''How are orders refunded.'''\n")
    segment.refresh()
    answer = search(SearchRequest("how are orders refunded"), segment.store, segment.telemetry, segment.clock)
    runs = [hit for hit in answer.hits if RUN_MARK in hit.id]
    assert runs
    for hit in runs:
        item = segment.one(hit.id, mode="raw")
        assert (hit.start_line, hit.end_line) == (item.start_line, item.end_line)
        assert hit.tokens == item.tokens


# --- budget and account ----------------------------------------------------------------------------------------------


def test_the_budget_is_shared_in_order_and_never_passed(segment: Reader) -> None:
    """What is cut says how to go on; what nothing is left for is named."""
    segment.put("long.txt", "".join(f"word{n} word\n" for n in range(100)))
    answer = segment.get("notes.txt", "long.txt:1-100", "pkg/mod.py#load", "pkg/mod.py", mode="raw", budget_tokens=53)
    first, cut = answer.items
    assert (3, False) == (first.tokens, first.truncated)
    assert (50, True, 25) == (cut.tokens, cut.truncated, cut.text.count("\n"))
    assert "75 more lines: `ctx get long.txt:26-100 --mode raw`" == cut.more
    assert (53, True) == (answer.total_tokens, answer.truncated)
    assert ["pkg/mod.py#load", "pkg/mod.py"] == [name.partition("@")[0] for name in answer.omitted]
    rest = segment.one("long.txt:26-100", mode="raw")
    assert (segment.root / "long.txt").read_text() == cut.text + rest.text


def test_what_follows_a_place_without_room_is_not_read(segment: Reader) -> None:
    """Of a name with many definitions, those after the first that not one line fits of are named alone."""
    segment.put("many.py", "".join(f"def same(value):\n    return value + {n}\n\n\n" for n in range(40)))
    answer = segment.get("many.py#same", mode="raw", budget_tokens=13)
    assert answer.items[-1].truncated
    assert "" == answer.items[-1].text
    assert [""] == [item.text for item in answer.items if not item.text]
    assert 40 == len(answer.items) + len(answer.omitted)
    assert len(answer.items) < 10


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    st.lists(st.sampled_from(["pkg/mod.py", "pkg/large.py#Large", "notes.txt:2", "docs/guide.md#use"]), min_size=1),
    st.sampled_from([None, "skeleton", "excerpt", "raw"]),
    st.integers(1, 150),
)
def test_no_answer_passes_its_budget(segment: Reader, targets: list[str], mode: Any, budget: int) -> None:
    """The sum over the texts handed on; every target is answered or named."""
    answer = segment.get(*targets, mode=mode, budget_tokens=budget)
    assert answer.total_tokens == sum(len(item.text.split()) for item in answer.items) <= budget
    assert len(targets) == len(answer.items) + len(answer.omitted)
    for item in answer.items:
        assert item.truncated == bool(item.more)


def test_what_was_handed_on_is_what_is_told(segment: Reader) -> None:
    """One `file.read` at the mode of the answer, with the bytes that were let through."""
    segment.refresh()
    segment.telemetry.events.clear()
    item = segment.one("pkg/mod.py#load", budget_tokens=9)
    told = [(e.args["mode"], e.result["bytes"]) for e in segment.telemetry.named("file.read")]
    assert ("excerpt", len(item.text.encode())) == told[-1]
    assert sum(size for _mode, size in told) == len(item.text.encode())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ()}, "nothing to get"),
        ({"targets": ("notes.txt",), "budget_tokens": 0}, "--budget must be"),
        ({"targets": ("notes.txt",), "mode": "whole"}, "--mode must be one of skeleton, excerpt, raw, found 'whole'"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(segment: Reader, options: dict[str, Any], message: str) -> None:
    """Before anything is read."""
    options = dict(options)
    with pytest.raises(UsageError, match=message):
        segment.get(*options.pop("targets"), **options)


def test_what_a_search_finds_can_be_got(segment: Reader) -> None:
    """The id of a hit is a target."""
    segment.refresh()
    answer = search(SearchRequest("load"), segment.store, segment.telemetry, segment.clock)
    assert answer.hits
    for hit in answer.hits:
        item = segment.one(hit.id, mode="raw")
        assert (hit.path, hit.start_line, hit.end_line) == (item.path, item.start_line, item.end_line)
        assert hit.tokens == item.tokens
