"""The map: who leans on whom, what that makes of a definition, and that no budget is ever broken."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.index_records import DefinitionRow
from ctx.domain.repo_map import (
    SIGNATURE_CHARS_MAX,
    MapDefinition,
    MapFile,
    draw_map,
    name_weight,
    names_used,
    rank_files,
    reference_edges,
    score_definitions,
    shortened,
)
from ctx.infrastructure.tokenizer import ENCODINGS, BpeTokenCounter

COUNTERS = {encoding: BpeTokenCounter(encoding) for encoding in ENCODINGS}


def words(text: str) -> int:
    return len(text.split())


def row(
    name: str, *, kind: str = "function", start: int = 1, lines: int = 3, parent: int = -1, signature: str = ""
) -> DefinitionRow:
    return DefinitionRow(kind, name, name, signature or f"def {name}()", "", start, start + lines - 1, start, 1, parent)


def shown(
    path: str, position: int, *, parent: int = -1, below: int = 0, score: float = 1.0, signature: str = ""
) -> MapDefinition:
    name = f"name{position}"
    return MapDefinition(
        path, position, parent, "function", name, name, signature or f"def {name}()", position + 1, 9, below, score
    )


# --- references ------------------------------------------------------------------------------------------------------


def test_names_used_are_words_that_may_be_names() -> None:
    """Each once and sorted; what is short, or starts with a digit, names nothing."""
    assert ["_private", "call_it", "naïve", "the"] == names_used("call_it(1, x2, a); the the 4ever # naïve _private")


@pytest.mark.parametrize(
    ("strong", "weak"),
    [
        (("reverse_lazy", 1), ("reverse", 1)),
        (("reverseLazy", 1), ("reverse", 1)),
        (("reverse", 1), ("rev", 1)),
        (("reverse", 1), ("reverse", 2)),
        (("reverse", 1), ("_reverse", 1)),
    ],
)
def test_rare_long_public_names_say_more(strong: tuple[str, int], weak: tuple[str, int]) -> None:
    """The weight of a use falls with how little its name says."""
    assert name_weight(*strong) > name_weight(*weak) > 0.0


def test_names_everyone_defines_say_nothing() -> None:
    """Neither `__init__` nor a name of a dozen files and more leads anywhere."""
    assert 0.0 == name_weight("__init__", 1)
    assert 0.0 == name_weight("handle", 13)
    assert name_weight("handle", 12) > 0.0


def test_a_use_leads_to_the_files_that_define_the_name() -> None:
    """Names of the file's own and of nobody lead nowhere; an import is an edge and makes its names count more."""
    used = {"a.py": ["helper", "shared", "unknown"], "b.py": ["helper"], "c.py": []}
    definers = {"helper": ["b.py"], "shared": ["b.py", "c.py"]}
    graph = reference_edges(used, definers, {})
    assert ("a.py", "b.py", "c.py") == graph.paths
    assert [{1: pytest.approx(1.5), 2: pytest.approx(0.5)}, {}, {}] == list(graph.edges)
    assert [(1, "helper", 1.0), (1, "shared", 0.5), (2, "shared", 0.5)] == sorted(graph.named[0])
    importing = reference_edges(used, definers, {"a.py": {"c.py": 2, "gone.py": 1, "a.py": 1}, "gone.py": {"a.py": 1}})
    assert {1: pytest.approx(1.5), 2: pytest.approx(1.0 + 3 * 0.5)} == importing.edges[0]
    assert ({2}, set(), {0}) == importing.neighbours


def test_files_are_ranked_by_who_uses_them() -> None:
    """The mean is 1; what all lean on stands first; a test's vote counts little."""
    used = {"core.py": [], "a.py": ["helper"], "b.py": ["helper"], "tests/test_x.py": ["fixture"], "util.py": []}
    graph = reference_edges(used, {"helper": ["core.py"], "fixture": ["util.py"]}, {})
    plain = dict.fromkeys(used, 1.0)
    ranks = dict(zip(graph.paths, rank_files(graph, plain), strict=True))
    assert pytest.approx(len(used), abs=1e-4) == sum(ranks.values())
    assert max(ranks, key=ranks.__getitem__) == "core.py"
    damped = dict(zip(graph.paths, rank_files(graph, plain | {"tests/test_x.py": 0.1}), strict=True))
    assert damped["util.py"] < ranks["util.py"]


def test_a_focus_ranks_itself_and_its_neighbours() -> None:
    """What imports the focus and what it imports rise over what is as central without it."""
    used: dict[str, list[str]] = {"core.py": [], "far.py": [], "near.py": [], "focus.py": [], "user.py": []}
    graph = reference_edges(
        used, {}, {"focus.py": {"near.py": 1}, "user.py": {"focus.py": 1}, "core.py": {"far.py": 1}}
    )
    ranks = dict(zip(graph.paths, rank_files(graph, dict.fromkeys(used, 1.0), ["focus.py"]), strict=True))
    assert min(ranks["near.py"], ranks["user.py"], ranks["focus.py"]) > max(ranks["far.py"], ranks["core.py"])
    alone = rank_files(graph, dict.fromkeys(used, 1.0), ["not.ranked"])
    assert pytest.approx(len(used), abs=1e-4) == sum(alone)


def scores_of(rows: dict[str, list[DefinitionRow]], used: dict[str, list[str]], **options: object) -> list[str]:
    definers: dict[str, list[str]] = {}
    for path, defined in rows.items():
        for one in defined:
            definers.setdefault(one.name, []).append(path)
    graph = reference_edges(used, definers, {})
    damping = {path: 0.1 if "test" in path else 1.0 for path in {*rows, *used}}
    found = score_definitions(rows, graph, rank_files(graph, damping), damping, **options)  # type: ignore[arg-type]
    return [d.name for d in found]


def test_what_is_used_public_and_large_comes_first() -> None:
    """Each property alone decides between two definitions that are otherwise alike."""
    used: dict[str, list[str]] = {"a.py": [], "b.py": ["popular"]}
    assert ["popular", "lonely"] == scores_of({"a.py": [row("lonely"), row("popular")]}, used)
    assert ["large", "small"] == scores_of({"a.py": [row("small"), row("large", lines=90)]}, used)
    assert ["public", "_hidden"] == scores_of({"a.py": [row("_hidden"), row("public")]}, used)
    assert ["work", "LIMIT"] == scores_of({"a.py": [row("LIMIT", kind="constant"), row("work")]}, used)
    nested = [row("outer"), row("inner", parent=0), row("other")]
    assert ["outer", "other", "inner"] == scores_of({"a.py": nested}, used)
    assert ["code", "tested"] == scores_of({"test_a.py": [row("tested")], "a.py": [row("code")]}, used)


def test_definitions_of_one_file_make_way_for_others() -> None:
    """The tenth of one file stands behind the first of another that is a little less worth."""
    rows = {"a.py": [row(f"a{at}", lines=10) for at in range(10)], "b.py": [row("b", lines=8)]}
    order = scores_of(rows, {"a.py": [], "b.py": []})
    assert 0 < order.index("b") < 9


def test_keeping_the_best_keeps_what_they_are_nested_in() -> None:
    """A cut list still holds every enclosing definition and the best of the files that come first."""
    rows = {
        "a.py": [row("Shell", kind="class", lines=1), row("method", kind="method", parent=0, lines=400)],
        "b.py": [row("small", lines=2), row("tiny", lines=1)],
    }
    used: dict[str, list[str]] = {"a.py": [], "b.py": []}
    assert ["method", "Shell"] == scores_of(rows, used, keep=1)
    assert ["method", "small", "Shell"] == scores_of(rows, used, keep=1, first=["b.py", "gone.py"])
    assert 4 == len(scores_of(rows, used, keep=4))


# --- drawing ---------------------------------------------------------------------------------------------------------


def test_a_map_shows_files_classes_and_what_is_left_out() -> None:
    """Source order within a file, depth by a blank, starting lines, and how many more there are."""
    scored = [
        shown("src/a.py", 1, parent=0, score=9.0, signature="def run(self)"),
        shown("src/a.py", 0, below=2, score=8.0, signature="class Runner"),
        shown("b.py", 0, score=7.0),
        shown("src/a.py", 2, parent=0, score=0.1, signature=f"def {'long' * 9}()"),
    ]
    files = [MapFile("src/a.py", 2.0, 4), MapFile("b.py", 1.0, 1), MapFile("src/c.py", 0.5, 0), MapFile("d.py", 0.4, 9)]
    drawing = draw_map(scored, files, 1000, words)
    assert (
        "src/a.py +1\n 1 class Runner\n  2 def run(self)\n  3 def longlonglonglonglonglonglonglonglong()\n"
        "b.py\n 1 def name0()\nsrc/: c.py\n./: d.py"
    ) == drawing.text
    assert words(drawing.text) == drawing.tokens
    assert [("src/a.py", 3), ("b.py", 1), ("src/c.py", 0), ("d.py", 0)] == [
        (file.path, len(file.definitions)) for file in drawing.files
    ]
    assert drawing.ran_out
    assert [" 1 class Runner +1", "  2 def run(self)"] == draw_map(scored[:3], files, 1000, words).text.split("\n")[1:3]


def test_what_comes_first_is_on_the_map_before_what_is_better() -> None:
    """A neighbour of the focus is shown with its best definition, or at least listed before all others."""
    scored = [shown("best.py", at, score=9.0 - at) for at in range(5)] + [shown("near.py", 0, score=0.1)]
    files = [MapFile("best.py", 9.0, 5), MapFile("other.py", 5.0, 0), MapFile("near.py", 1.0, 1), MapFile("n.md", 0, 0)]
    assert draw_map(scored, files, 12, words, first=["near.py"]).text.startswith("near.py\n 1 def name0()\nbest.py")
    tight = draw_map(scored, files, 8, words, first=["best.py", "near.py"])
    assert "best.py +4\n 1 def name0()\n./: near.py other.py" == tight.text
    listed = draw_map(scored, files, 1000, words, first=["n.md", "gone.py"]).text
    assert listed.endswith("./: n.md other.py")


@st.composite
def maps(draw: st.DrawFn) -> tuple[list[MapDefinition], list[MapFile]]:
    """Definitions of a few files with any nesting and any one-line signature, and files without."""
    signature = st.text(
        st.characters(blacklist_characters="\n\r", blacklist_categories=["Cs"]), min_size=1, max_size=70
    )
    scored: list[MapDefinition] = []
    files = []
    for at in range(draw(st.integers(0, 4))):
        path = (
            f"{draw(st.sampled_from(['', 'src/', 'src/deep er/']))}{draw(st.sampled_from(['a', 'é_x', '日本']))}{at}.py"
        )
        parents = [draw(st.integers(-1, position - 1)) for position in range(draw(st.integers(0, 6)))]
        below = [0] * len(parents)
        for position in reversed(range(len(parents))):
            if parents[position] >= 0:
                below[parents[position]] += below[position] + 1
        scored += [
            shown(path, position, parent=parent, below=below[position], signature=draw(signature))
            for position, parent in enumerate(parents)
        ]
        files.append(MapFile(path, 1.0, len(parents)))
    return draw(st.permutations(scored)), files


@pytest.mark.parametrize("encoding", ENCODINGS)
@given(drawn=maps(), budget=st.integers(1, 120), data=st.data())
def test_no_budget_is_ever_broken(
    encoding: str, drawn: tuple[list[MapDefinition], list[MapFile]], budget: int, data: st.DataObject
) -> None:
    """The whole text, counted by the real tokenizer, is within the budget, and what it shows is what the files say."""
    scored, files = drawn
    first = data.draw(st.lists(st.sampled_from([file.path for file in files]), max_size=2)) if files else []
    drawing = draw_map(scored, files, budget, COUNTERS[encoding].count, first=first)
    assert COUNTERS[encoding].count(drawing.text) == drawing.tokens <= budget
    assert bool(drawing.text) == bool(drawing.files)
    shown_lines = sum(1 + len(file.definitions) for file in drawing.files if file.definitions)
    listed = [file.path.rpartition("/")[2] for file in drawing.files if not file.definitions]
    lines = drawing.text.split("\n") if drawing.text else []
    assert len({file.path.rpartition("/")[0] for file in drawing.files if not file.definitions}) == len(
        lines[shown_lines:]
    )
    assert all(any(name in line for line in lines[shown_lines:]) for name in listed)


@given(drawn=maps(), budget=st.integers(1, 60))
def test_a_counter_that_does_not_add_up_breaks_no_budget(
    drawn: tuple[list[MapDefinition], list[MapFile]], budget: int
) -> None:
    """Where whole texts cost more than their lines, the map is drawn again with less, down to nothing."""
    drawing = draw_map(*drawn, budget, lambda text: words(text) ** 2)
    assert words(drawing.text) ** 2 == drawing.tokens <= budget


def test_everything_is_shown_when_it_fits() -> None:
    """A budget that holds everything holds everything, in any order of scores."""
    scored = [shown("a.py", 1, parent=0, score=2.0), shown("a.py", 0, below=1, score=1.0)]
    drawing = draw_map(scored, [MapFile("a.py", 1.0, 2)], 11, words)
    assert "a.py\n 1 def name0()\n  2 def name1()" == drawing.text


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("def short(a, b)", "def short(a, b)"),
        (f"class {'X' * 60}", f"class {'X' * 41}…"),
        ("def request(self, method, url, *, parameters=None, data=None)", "def request(self, method, url, *…"),
        ("def f(a, " + "b" * 60 + ")", f"def f(a, {'b' * 38}…"),
    ],
)
def test_long_signatures_are_cut_where_it_reads_well(signature: str, expected: str) -> None:
    """After a parameter if one ends in the second half, and never over the limit."""
    assert expected == shortened(signature)
    assert len(shortened(signature)) <= SIGNATURE_CHARS_MAX
