"""Skeletons of Python: gold cases of what is found, and what parsing tells telemetry."""

from __future__ import annotations

import textwrap
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from tests.fakes import RecordingTelemetry
from tests.strategies import any_text, python_sources

from ctx.domain.symbols import SkeletonMap
from ctx.infrastructure.ast_lsp import ParseDeadlineError, SkeletonMapBuilder
from ctx.infrastructure.languages import extraction_version

if TYPE_CHECKING:
    from ctx.domain.symbols import Definition


def parse(source: str | bytes) -> SkeletonMap:
    return SkeletonMapBuilder().parse_python(textwrap.dedent(source) if isinstance(source, str) else source, "pkg/a.py")


def printed(source: str) -> str:
    return parse(source).render()


def gold(text: str) -> str:
    return textwrap.dedent(text).strip("\n")


# --- gold cases ------------------------------------------------------------------------------------------------------

_CASES = {
    "functions and methods, async and not": (
        """
        def plain(a, b=1, *args, c: int = 2, **kw) -> dict[str, int]:
            return {}

        async def later(x):
            async def inner(): ...

        class A:
            def m(self): return 1
            async def n(self) -> None:
                pass
        """,
        """
        def plain(a, b=1, *args, c: int = 2, **kw) -> dict[str, int]:  # L2-3
        async def later(x):  # L5-6
            async def inner():  # L6
        class A:  # L8-11
            def m(self):  # L9
            async def n(self) -> None:  # L10-11
        """,
    ),
    "decorators of every form": (
        """
        @simple
        @with_arguments(1,
                        2)
        # a comment between
        @a.b.c
        def f(): pass

        @final
        class A:
            @property
            def x(self): return 1

            @x.setter
            def x(self, value): pass

            @staticmethod
            def s(): pass
        """,
        """
        @simple
        @with_arguments(1, 2)
        @a.b.c
        def f():  # L2-7
        @final
        class A:  # L9-18
            @property
            def x(self):  # L11-12
            @x.setter
            def x(self, value):  # L14-15
            @staticmethod
            def s():  # L17-18
        """,
    ),
    "overloads stand side by side": (
        """
        @overload
        def f(x: int) -> int: ...
        @overload
        def f(x: str) -> str: ...
        def f(x):
            return x
        """,
        """
        @overload
        def f(x: int) -> int:  # L2-3
        @overload
        def f(x: str) -> str:  # L4-5
        def f(x):  # L6-7
        """,
    ),
    "classes in classes and in functions": (
        """
        class Outer(Base, metaclass=Meta):
            class Inner(Generic[T]):
                def m(self):
                    class Local:
                        X = 1
                        def deep(self): pass

        def factory():
            class Made:
                def m(self): pass
            return Made
        """,
        """
        class Outer(Base, metaclass=Meta):  # L2-7
            class Inner(Generic[T]):  # L3-7
                def m(self):  # L4-7
                    class Local:  # L5-7
                        X = 1  # L6
                        def deep(self):  # L7
        def factory():  # L9-12
            class Made:  # L10-11
                def m(self):  # L11
        """,
    ),
    "constants of modules and classes, not of functions": (
        """
        LIMIT = 10
        name: str = "x"
        bare: int
        a, b = 1, 2
        x.attribute = 3
        TABLE = {
            "one": 1,
            "two": 2,
        }
        total += 1

        def f():
            local = 1

        class A:
            X: ClassVar[int] = 1
            y = z = 2
        """,
        """
        LIMIT = 10  # L2
        name: str = "x"  # L3
        bare: int  # L4
        TABLE = { "one": 1, "two": 2, }  # L7-10
        def f():  # L13-14
        class A:  # L16-18
            X: ClassVar[int] = 1  # L17
            y = z = 2  # L18
        """,
    ),
    "type aliases and type parameters": (
        """
        type Pair[T] = tuple[T, T]
        type Name = str

        def first[T](pair: Pair[T]) -> T:
            return pair[0]

        class Box[T: (int, str)]:
            pass
        """,
        """
        type Name = str  # L3
        def first[T](pair: Pair[T]) -> T:  # L5-6
        class Box[T: (int, str)]:  # L8-9
        """,
    ),
    "definitions behind conditions": (
        """
        if sys.version_info >= (3, 11):
            def f(): return 1
        else:
            def f(): return 2

        try:
            import fast
        except ImportError:
            class Slow:
                def run(self): pass

        with suppress(NameError):
            @decorated
            def g(): pass

        for x in y:
            def h(): pass
        """,
        """
        def f():  # L3
        def f():  # L5
        class Slow:  # L10-11
            def run(self):  # L11
        @decorated
        def g():  # L14-15
        def h():  # L18
        """,
    ),
    "docstrings of every form": (
        '''
        def one():
            """On one line."""

        def next_line():
            """
            On the next line.

            More.
            """

        def single(): 'In single quotes.'

        def raw():
            r"""Raw \\d."""

        def continued():
            """\\
            After a backslash.
            """

        def commented():
            # Why.
            """Below a comment."""

        class Documented:
            """Of a class."""

            x = 1
            """Of nothing ctx shows."""

        def blank():
            """   """

        def none():
            x = "no docstring"

        def later():
            pass
            "too late"
        ''',
        '''
        def one():  # L2-3
            """On one line."""
        def next_line():  # L5-10
            """On the next line."""
        def single():  # L12
            """In single quotes."""
        def raw():  # L14-15
            """Raw \\d."""
        def continued():  # L17-20
            """After a backslash."""
        def commented():  # L22-24
            """Below a comment."""
        class Documented:  # L26-30
            """Of a class."""
            x = 1  # L29
        def blank():  # L32-33
        def none():  # L35-36
        def later():  # L38-40
        ''',
    ),
    "signatures over several lines, with comments in them": (
        """
        def long(
            a: int,  # the first
            b: str = "#:)",
            *,
            c: tuple[
                int, ...
            ] = (),
        ) -> (
            None
        ):  # why
            pass

        class A(
            B,
            C,
        ):
            pass
        """,
        """
        def long(a: int, b: str = "#:)", *, c: tuple[ int, ... ] = ()) -> (None):  # L2-12
        class A(B, C):  # L14-18
        """,
    ),
}


@pytest.mark.parametrize(("source", "skeleton"), _CASES.values(), ids=_CASES)
def test_gold(source: str, skeleton: str) -> None:
    """What is declared, as it is printed."""
    assert gold(skeleton) == printed(source)


def test_names_places_and_parents() -> None:
    """Qualified names are joined by dots; decorators belong to the lines, the name's line is its own."""
    skeleton = parse("@d\nclass A:\n    @e\n\n    def m(self):\n        def inner(): pass\n\nX = 1\n")
    found = [(d.kind, d.qualname, d.start_line, d.name_line, d.end_line, d.parent) for d in skeleton.definitions]
    assert [
        ("class", "A", 1, 2, 6, -1),
        ("method", "A.m", 3, 5, 6, 0),
        ("function", "A.m.inner", 6, 6, 6, 1),
        ("constant", "X", 8, 8, 8, -1),
    ] == found
    assert ("pkg/a.py", "python", "ok", "") == (
        skeleton.file_path,
        skeleton.language,
        skeleton.status,
        skeleton.reason,
    )


def test_imports_are_kept_with_the_names_they_bind() -> None:
    """Each on one line, with the lines it takes up."""
    skeleton = parse("import os, sys as system\nfrom a.b import (\n    c,\n    d as e,\n)\nfrom __future__ import x\n")
    assert [
        ("import os, sys as system", 1, 1),
        ("from __future__ import x", 6, 6),
    ] == [(i.text, i.start_line, i.end_line) for i in skeleton.imports if i.start_line != 2]
    assert [(2, 5)] == [(i.start_line, i.end_line) for i in skeleton.imports if i.start_line == 2]
    bound = {name for statement in skeleton.imports for name in statement.names}
    assert {"os", "system", "c", "e"} <= bound


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_line_ends_do_not_matter(newline: str) -> None:
    """A CRLF file has the same skeleton, and no carriage return in it."""
    source = 'class A:\n    """Doc."""\n    def m(\n        self,\n    ):\n        """\n        Two.\n        """\n'
    assert gold(
        '''
        class A:  # L1-8
            """Doc."""
            def m(self):  # L3-8
                """Two."""
        '''
    ) == printed(source.replace("\n", newline))


def test_letters_beyond_ascii_count_in_bytes() -> None:
    """Names and documentation come out as they are; spans are in UTF-8."""
    source = 'def größe(ä="ö"):\n    """Länge."""\n\ndef 次(): pass\n'
    first, second = parse(source).definitions
    assert ("größe", 'def größe(ä="ö")', "Länge.") == (first.name, first.signature, first.doc)
    assert "def 次(): pass".encode() == source.encode()[second.start_byte : second.end_byte]


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("def f(:\n    pass\n\ndef g(): pass\n", {"g"}),
        ("class A:\n    def m(self):\n        return (\n\n    def n(self): pass\n", {"A"}),
        ("x = = 1\n\nclass B:\n    pass\n", {"B"}),
        ("<<<<<<< HEAD\ndef f(): pass\n=======\ndef g(): pass\n>>>>>>> x\n", {"f", "g"}),
        ('print "python 2"\ndef f(): pass\n', {"f"}),
    ],
)
def test_what_can_be_recovered_from_a_broken_file_is(source: str, names: set[str]) -> None:
    """The status says that it is not the whole."""
    skeleton = parse(source)
    assert "ok" != skeleton.status or "python 2" in source
    assert names <= {d.name for d in skeleton.definitions}


@pytest.mark.parametrize("source", ["", "\n", "# only a comment\n", "\x0c"])
def test_an_empty_file_declares_nothing(source: str) -> None:
    """That is a result, not a failure."""
    skeleton = parse(source)
    assert ("ok", (), (), "") == (skeleton.status, skeleton.definitions, skeleton.imports, skeleton.render())
    assert len(source.encode()) == skeleton.source_bytes


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("x = " + "(" * 10_000 + ")" * 10_000, id="parentheses"),
        pytest.param("x = " + "[" * 10_000, id="open brackets"),
        pytest.param("x = " + "f(" * 10_000 + ")" * 10_000, id="calls"),
        pytest.param("x" + ".y" * 10_000 + " = 1", id="attributes"),
        pytest.param("x = " + "-" * 10_000 + "1", id="operators"),
        pytest.param("x = " + "lambda: " * 10_000 + "1", id="lambdas"),
        pytest.param("".join(" " * at + "def f():\n" for at in range(1_200)), id="functions"),
        pytest.param("".join(" " * at + "class C:\n" for at in range(1_200)), id="classes"),
        pytest.param("".join(" " * at + "if x:\n" for at in range(1_200)), id="conditions"),
        pytest.param("if x: pass\n" + "elif x: pass\n" * 10_000, id="elif"),
        pytest.param("x = '''" + "a'\n" * 10_000, id="open string"),
    ],
)
def test_nesting_of_any_depth_is_no_crash(source: str) -> None:
    """A grammar's stack is not Python's; a definition after it is still found or the file is called partial."""
    skeleton = parse(source + "\n\ndef last(): pass\n")
    assert "failed" != skeleton.status
    assert "partial" == skeleton.status or "last" in {d.name for d in skeleton.definitions}
    skeleton.render()


@settings(max_examples=150)
@given(python_sources() | any_text)
def test_definitions_of_any_text_nest_and_lie_inside(source: str) -> None:
    """Source order, parents before children and around them, one-line texts, lines that are the bytes' own."""
    raw = source.encode()
    skeleton = SkeletonMapBuilder().parse(raw, "a.py", "python")
    before = -1
    for at, d in enumerate(skeleton.definitions):
        assert 0 <= d.start_byte < d.end_byte <= len(raw)
        assert before <= d.start_byte
        before = d.start_byte
        assert raw[: d.start_byte].count(b"\n") + 1 == d.start_line <= d.name_line <= d.end_line
        assert d.end_line <= raw.count(b"\n") + 1
        assert d.qualname.rpartition(".")[2] == d.name
        for text in (d.name, d.signature, d.doc, *d.decorators):
            assert "\n" not in text
            assert "\r" not in text
        assert -1 <= d.parent < at
        if d.parent >= 0:
            around: Definition = skeleton.definitions[d.parent]
            assert around.start_byte <= d.start_byte
            assert d.end_byte <= around.end_byte
            assert f"{around.qualname}.{d.name}" == d.qualname
        assert (d.kind == "method") == (
            d.kind in ("function", "method") and d.parent >= 0 and skeleton.definitions[d.parent].kind == "class"
        )


def test_long_texts_are_cut() -> None:
    """Signatures, constants and documentation end in an ellipsis."""
    skeleton = parse(
        f'def f({", ".join(f"argument_{n}" for n in range(90))}):\n    """{"d" * 500}"""\n\nX = "{"x" * 500}"\n'
    )
    function, constant = skeleton.definitions
    assert function.signature.endswith("…")
    assert len(function.signature) <= 240
    assert "d" * 159 + "…" == function.doc
    assert constant.signature.endswith("…")


def test_a_language_without_a_grammar_is_a_failed_result() -> None:
    """It says why; nothing is raised and nothing told."""
    telemetry = RecordingTelemetry()
    skeleton = SkeletonMapBuilder(telemetry).parse("text", "a.txt", "cobol")
    assert ("failed", "no grammar for cobol", 4) == (skeleton.status, skeleton.reason, skeleton.source_bytes)
    assert [] == telemetry.events


# --- deadline, cache and events --------------------------------------------------------------------------------------


class DictCache:
    """A skeleton cache in memory."""

    def __init__(self) -> None:
        self.kept: dict[str, SkeletonMap] = {}

    def get(self, key: str) -> SkeletonMap | None:
        return self.kept.get(key)

    def put(self, key: str, skeleton: SkeletonMap) -> None:
        self.kept[key] = skeleton


class SteppingClock:
    """Each reading is a second after the one before."""

    def __init__(self, step_ns: int = 1_000_000_000) -> None:
        self._now_ns = 0
        self._step_ns = step_ns

    def __call__(self) -> int:
        self._now_ns += self._step_ns
        return self._now_ns


_LARGE = "def f(a, b):\n    return a\n\n\n" * 40_000


def test_a_parse_past_its_deadline_names_the_file() -> None:
    """Bulk indexing gets an error to catch, everybody else a failed result with the reason; nothing is cached."""
    cache, telemetry = DictCache(), RecordingTelemetry()
    builder = SkeletonMapBuilder(telemetry, cache=cache, deadline_s=0.5, perf_counter_ns=SteppingClock())
    with pytest.raises(ParseDeadlineError, match=r"big\.py: parsing took longer than 0\.5 s"):
        builder.extract(_LARGE.encode(), "big.py", "python")
    skeleton = builder.parse(_LARGE, "big.py", "python")
    assert ("failed", ()) == (skeleton.status, skeleton.definitions)
    assert skeleton.reason.startswith("big.py: parsing took longer than 0.5 s")
    assert {} == cache.kept
    (told,) = telemetry.named("ast.parse")
    assert ("failed", 0, 0) == (told.result["status"], told.result["functions"], told.result["classes"])


def test_after_a_deadline_the_next_file_is_parsed_from_its_start() -> None:
    """The parser forgets where it stopped."""
    builder = SkeletonMapBuilder(deadline_s=0.5, perf_counter_ns=SteppingClock())
    with pytest.raises(ParseDeadlineError):
        builder.extract(_LARGE.encode(), "big.py", "python")
    assert ["g"] == [d.name for d in builder.extract(b"def g(): pass\n", "a.py", "python").definitions]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", b"(" * 40_000),
        ("javascript", b"x = [" + b"," * 40_000 + b"]\n"),
        ("rust", b"mod a {\n" + b"{" * 40_000),
    ],
)
def test_signs_without_end_are_named_and_not_queried(language: str, text: bytes) -> None:
    """The query would take a time quadratic in their number, whatever the clock says: the tree tells before."""
    with pytest.raises(ParseDeadlineError, match=r"a\.x: thousands of signs in a row .* indexed as text"):
        SkeletonMapBuilder().extract(text, "a.x", language)


def test_a_thousand_signs_here_and_there_cost_no_definition() -> None:
    """A line of rulers or a row of brackets is nothing."""
    text = b"(" * 5_000 + b"\n\ndef f(): pass\n"
    assert "failed" != SkeletonMapBuilder().parse(b"x = 1\n" * 5_000 + text, "a.py", "python").status


def test_a_large_file_within_its_deadline_is_parsed_whole() -> None:
    """Handing the text over in pieces changes nothing."""
    skeleton = SkeletonMapBuilder(deadline_s=60).parse_python(_LARGE, "big.py")
    assert ("ok", 40_000, len(_LARGE)) == (skeleton.status, len(skeleton.definitions), skeleton.source_bytes)
    assert 4 * 39_999 + 1 == skeleton.definitions[-1].start_line


def test_a_parse_is_told_once_with_what_it_cost() -> None:
    """Counts, sizes as printed and the monotonic duration; without a cache no lookup is told."""
    telemetry = RecordingTelemetry()
    source = 'class A:\n    """Doc."""\n    def m(self): pass\n\ndef f(): pass\n'
    builder = SkeletonMapBuilder(telemetry, perf_counter_ns=SteppingClock(1_500_000))
    skeleton = builder.parse_python(source, "pkg/a.py")
    (told,) = telemetry.events
    assert ("ast.parse", {"file": "pkg/a.py"}, 1) == (told.cmd, told.args, told.timing_ms)
    assert {"functions": 2, "classes": 1, "status": "ok"} == told.result
    size_bytes = len(skeleton.render())
    assert {
        "duration_ns": 1_500_000,
        "language": "python",
        "skeleton_bytes": size_bytes,
        "reduction_ratio": round(size_bytes / len(source), 4),
    } == told.extra


def test_an_empty_file_has_no_reduction() -> None:
    """A ratio over nothing is null."""
    telemetry = RecordingTelemetry()
    SkeletonMapBuilder(telemetry).parse_python("", "a.py")
    assert (0, None) == (telemetry.events[0].extra["skeleton_bytes"], telemetry.events[0].extra["reduction_ratio"])


def test_a_hit_is_no_parse() -> None:
    """One lookup a call, one parse a content; the hash before is told when a file changed."""
    telemetry, cache = RecordingTelemetry(), DictCache()
    builder = SkeletonMapBuilder(telemetry, cache=cache)
    first = builder.parse_python("def f(): pass\n", "a.py")
    assert first is builder.parse_python(b"def f(): pass\n", "a.py")
    builder.parse_python("def g(): pass\n", "a.py")
    assert ["ast.cache", "ast.parse", "ast.cache", "ast.cache", "ast.parse"] == [e.cmd for e in telemetry.events]
    lookups = telemetry.named("ast.cache")
    assert [False, True, False] == [event.extra["cache_hit"] for event in lookups]
    assert lookups[0].extra["prev_sha"] is None
    assert lookups[1].extra["prev_sha"] == lookups[2].extra["prev_sha"]
    assert 12 == len(lookups[1].extra["prev_sha"])
    assert all({"file": "a.py"} == event.args for event in lookups)


def test_the_same_content_under_another_path_is_a_hit_with_that_path() -> None:
    """The key is language, grammar and query, and content: a moved file is not parsed again."""
    telemetry, cache = RecordingTelemetry(), DictCache()
    builder = SkeletonMapBuilder(telemetry, cache=cache)
    old = builder.parse_python("def f(): pass\n", "old.py")
    new = builder.parse_python("def f(): pass\n", "new.py")
    assert 1 == len(telemetry.named("ast.parse"))
    assert ("old.py", "new.py") == (old.file_path, new.file_path)
    assert old.definitions == new.definitions
    (key,) = cache.kept
    assert key.startswith(f"python:{extraction_version('python')}:")


def test_lone_surrogates_in_a_text_are_no_crash() -> None:
    """An editor may hand over what no file can hold."""
    assert ["x", "f"] == [d.name for d in parse("x = '\ud800'\ndef f(): pass\n").definitions]


def test_a_line_of_any_length_takes_linear_time() -> None:
    """A signature, a docstring and a constant of a megabyte each."""
    started = time.process_time()
    long = "a" * 1_000_000
    assert 2 == len(parse(f"X = '{long}'\ndef f(a={long}):\n    '''{long}'''\n").definitions)
    assert time.process_time() - started < 5
