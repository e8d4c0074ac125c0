"""Skeletons as values: finding definitions, the printed form, what encloses a line."""

from __future__ import annotations

from ctx.domain.symbols import Definition, SkeletonMap


def definition(kind: str, qualname: str, lines: tuple[int, int], parent: int = -1, **more: object) -> Definition:
    """Return a definition whose bytes are its lines times ten, so that nesting by lines is nesting by bytes."""
    name = qualname.rpartition(".")[2]
    values: dict[str, object] = {
        "signature": f"{'class' if kind == 'class' else 'def'} {name}",
        "decorators": (),
        "doc": "",
        "start_byte": lines[0] * 10,
        "end_byte": lines[1] * 10 + 9,
        "name_line": lines[0],
    }
    return Definition(
        kind=kind,
        name=name,
        qualname=qualname,
        start_line=lines[0],
        end_line=lines[1],
        parent=parent,
        **(values | more),
    )  # type: ignore[arg-type]


_DEFINITIONS = (
    definition("constant", "LIMIT", (1, 1), signature="LIMIT = 10"),
    definition("class", "A", (3, 12), decorators=("@final", "@register('a')"), doc="What A is.", name_line=5),
    definition("constant", "A.X", (6, 6), 1, signature="X: int"),
    definition("method", "A.run", (7, 10), 1, signature="def run(self)"),
    definition("function", "A.run.inner", (8, 9), 3, signature="def inner()"),
    definition("method", "A.stop", (12, 12), 1, signature="def stop(self)", start_byte=121, end_byte=125),
    definition("function", "run", (14, 15), signature="def run()"),
    definition("type", "Alias", (17, 18), signature="type Alias = int"),
)
_SKELETON = SkeletonMap("a.py", "python", "ok", _DEFINITIONS, (), 200)


def test_kinds_are_told_apart() -> None:
    """Methods are functions, nested ones too; class constants are constants."""
    assert ["A.run", "A.run.inner", "A.stop", "run"] == [d.qualname for d in _SKELETON.functions]
    assert ["A"] == [d.qualname for d in _SKELETON.classes]
    assert ["LIMIT", "A.X"] == [d.qualname for d in _SKELETON.constants]


def test_an_exact_name_beats_the_end_of_a_longer_one() -> None:
    """`run` is the function; only a name that nothing has exactly is taken for the end of one."""
    assert ["run"] == [d.qualname for d in _SKELETON.find("run")]
    assert ["A.run.inner"] == [d.qualname for d in _SKELETON.find("run.inner")]
    assert ["A.stop"] == [d.qualname for d in _SKELETON.find("stop")]
    assert () == _SKELETON.find("top")
    assert () == _SKELETON.find("")


def test_the_innermost_function_or_class_encloses_a_line() -> None:
    """Constants and type aliases enclose nothing; decorators are part of what they decorate."""
    found = {line: _SKELETON.enclosing(line) for line in range(19)}
    names = {line: d.qualname for line, d in found.items() if d is not None}
    assert {
        **dict.fromkeys((3, 4, 5, 6, 11), "A"),
        **dict.fromkeys((7, 10), "A.run"),
        **dict.fromkeys((8, 9), "A.run.inner"),
        12: "A.stop",
        **dict.fromkeys((14, 15), "run"),
    } == names


def test_the_printed_form_has_decorators_docs_and_lines() -> None:
    """Four columns a level; a definition on one line carries one number; constants take no colon."""
    assert (
        "LIMIT = 10  # L1\n"
        "@final\n"
        "@register('a')\n"
        "class A:  # L3-12\n"
        '    """What A is."""\n'
        "    X: int  # L6\n"
        "    def run(self):  # L7-10\n"
        "        def inner():  # L8-9\n"
        "    def stop(self):  # L12\n"
        "def run():  # L14-15\n"
        "type Alias = int  # L17-18"
    ) == _SKELETON.render()


def test_a_part_is_printed_from_its_own_margin() -> None:
    """Rendering within one definition shows it and what it contains, and nothing else."""
    assert "def run(self):  # L7-10\n    def inner():  # L8-9" == _SKELETON.render(within=_DEFINITIONS[3])
    assert "" == SkeletonMap("a.py", "python", "ok", (), (), 0).render()
