"""Names in a parsed file: their roles, what binds them, where values come from; in every language what it writes."""

from __future__ import annotations

import pytest

from ctx.domain.syntax import (
    LITERAL,
    UNKNOWN,
    AttributeExpression,
    CallExpression,
    ChoiceExpression,
    CollectionExpression,
    Expression,
    ItemExpression,
    NameExpression,
    NameUse,
)
from ctx.infrastructure.ast_lsp.references import NameReader, NameTree


def tree_of(source: str | bytes, language: str = "python") -> NameTree:
    tree = NameReader().read(source.encode() if isinstance(source, str) else source, language)
    assert tree is not None
    return tree


def at_caret(marked: str, language: str = "python") -> tuple[NameTree, NameUse]:
    """Parse a source with one `‸` before the name that is asked for."""
    before, _, after = marked.partition("‸")
    tree = tree_of(before + after, language)
    use = tree.at(before.count("\n") + 1, len(before.rpartition("\n")[2]) + 1)
    assert use is not None
    return tree, use


def bound_on(marked: str, language: str = "python") -> list[tuple[int, int, str]]:
    """Return (line, column, scope) of what binds the name after the caret."""
    tree, use = at_caret(marked, language)
    return [(b.use.line, b.use.column, b.scope) for b in tree.bindings(use.name, use.start_byte)]


def plain(expression: Expression) -> str:  # noqa: PLR0911 - one line a case
    """Return an expression as a short text."""
    match expression:
        case NameExpression(name, _):
            return name
        case AttributeExpression(owner, name):
            return f"{plain(owner)}.{name}"
        case CallExpression(function):
            return f"{plain(function)}()"
        case ChoiceExpression(options):
            return "|".join(map(plain, options))
        case ItemExpression(owner):
            return f"{plain(owner)}[]"
        case CollectionExpression(element):
            return f"[{plain(element)}]"
    return "literal" if expression is LITERAL else "?"


PYTHON = """\
from .a import b as c
import x.y as z
class A(B, m.C, metaclass=M):
    k: int = 1
    def f(self, a, *args, d=k, **kw):
        x = self.y = Foo(3)
        x += 1
        with o(t=1) as g: pass
        global n
        return z.h.i(x)
"""


def test_roles_of_python_names() -> None:
    """Each name of a file has the role that its place gives it."""
    tree = tree_of(PYTHON)
    roles = [[(use.name, use.role) for use in tree.names_on(line)] for line in range(1, 11)]
    assert [
        [("a", "import"), ("b", "import"), ("c", "import")],
        [("x", "import"), ("y", "import"), ("z", "import")],
        [
            ("A", "definition"),
            ("B", "type"),
            ("m", "type"),
            ("C", "attribute"),
            ("metaclass", "keyword"),
            ("M", "type"),
        ],
        [("k", "variable"), ("int", "type")],
        [
            ("f", "definition"),
            ("self", "parameter"),
            ("a", "parameter"),
            ("args", "parameter"),
            ("d", "parameter"),
            ("k", "other"),
            ("kw", "parameter"),
        ],
        [("x", "variable"), ("self", "other"), ("y", "write"), ("Foo", "call")],
        [("x", "variable")],
        [("o", "call"), ("t", "keyword"), ("g", "variable")],
        [("n", "outer")],
        [("z", "other"), ("h", "attribute"), ("i", "call"), ("x", "other")],
    ] == roles
    assert [] == list(tree.names_on(0))
    assert [] == list(tree.names_on(99))


@pytest.mark.parametrize(
    ("marked", "expected"),
    [
        ("x = 1\ndef f(x):\n    return ‸x\n", [(2, 7, "function")]),
        ("x = 1\ndef f():\n    return ‸x\n", [(1, 1, "module")]),
        ("def f():\n    x = 1\n    x = 2\n    return ‸x\n", [(2, 5, "function"), (3, 5, "function")]),
        ("def f():\n    x = 1\n    def g():\n        nonlocal x\n        return ‸x\n", [(2, 5, "function")]),
        (
            "x = 0\ndef f():\n    x = 1\n    def g():\n        global x\n        x = 2\n        return ‸x\n",
            [(1, 1, "module")],
        ),
        ("x = 0\nclass A:\n    x = 1\n    def f(self):\n        return ‸x\n", [(1, 1, "module")]),
        ("class A:\n    x = 1\n    y = ‸x\n", [(2, 5, "class")]),
        ("def f(x=1, y=‸x): pass\nx = 2\n", [(2, 1, "module")]),
        ("x = [1]\n[‸x for x in x]\n", [(2, 8, "block")]),
        ("x = [1]\n[x for x in ‸x]\n", [(1, 1, "module")]),
        ("lambda t: ‸t\n", [(1, 8, "function")]),
        ("def f():\n    [(y := i) for i in s]\n    return ‸y\n", [(2, 7, "function")]),
        ("for i, (j, k) in s:\n    ‸k\n", [(1, 12, "module")]),
        ("try: pass\nexcept E as err:\n    ‸err\n", [(2, 13, "module")]),
        ("import q.r\n‸q\n", [(1, 8, "module")]),
        ("match v:\n    case P(a, k=b) | [*c]:\n        ‸b\n", [(2, 17, "module")]),
        ("match v:\n    case {} as d:\n        ‸d\n", [(2, 16, "module")]),
        ("with a as b:\n    ‸a\n", []),
        ("‸nothing\n", []),
    ],
)
def test_python_scopes(marked: str, expected: list[tuple[int, int, str]]) -> None:
    """A name is what the innermost scope around it binds, as Python has it."""
    assert expected == bound_on(marked)


@pytest.mark.parametrize(
    ("language", "marked", "expected"),
    [
        ("javascript", "let x = 1\nfunction f(x) { return ‸x }\n", [(2, 12, "function")]),
        ("javascript", "let x = 1\nfunction f() { { let x = 2 } return ‸x }\n", [(1, 5, "module")]),
        ("javascript", "function f() { { var x = 2 } return ‸x }\n", [(1, 22, "function")]),
        ("javascript", "const { a, b: c } = r\n‸c\n", [(1, 15, "module")]),
        ("javascript", "import D, { a as b } from 'x'\n‸b\n", [(1, 18, "module")]),
        ("javascript", "const x = 1\nconst o = { x: 2, y: ‸x }\n", [(1, 7, "module")]),
        ("javascript", "a.map(‸e => e)\n", [(1, 7, "function")]),
        ("typescript", "class A { m(z: Baz) { return ‸z } }\n", [(1, 13, "function")]),
        ("typescript", "try {} catch (err) { ‸err }\n", [(1, 15, "block")]),
        ("go", "package p\nfunc f(a, b int) { x, y := a, b; if x := 1; x > 1 { ‸x() } }\n", [(2, 37, "block")]),
        ("go", "package p\nfunc (s *S) M() { ‸s.N() }\n", [(2, 7, "function")]),
        ("go", 'package p\nimport al "net/http"\nvar x = ‸al.Get\n', [(2, 8, "module")]),
        ("java", "class A { int f; void m(int p) { for (X x : xs) { ‸x.go(); } } }\n", [(1, 41, "block")]),
        ("java", "class A { int f; void m() { int g = ‸f; } }\n", [(1, 15, "class")]),
        ("java", "import x.y.Z;\nclass A { ‸Z z; }\n", [(1, 12, "module")]),
        ("rust", "fn f(x: u8) { let (y, z) = x; if let Some(o) = p { ‸o } }\n", [(1, 43, "block")]),
        ("rust", "use a::b::{C, d as e};\nfn f() { ‸e() }\n", [(1, 20, "module")]),
        ("c", "int f(int *a) { int b = 1; return ‸a[b]; }\n", [(1, 12, "function")]),
        ("cpp", "void f() { for (auto x : xs) { ‸x; } }\n", [(1, 22, "block")]),
        ("csharp", "class A { int M(int p) { var q = p; return ‸q; } }\n", [(1, 30, "block")]),
        ("ruby", "def f(a, b = 1)\n  c = a\n  ‸c\nend\n", [(2, 3, "function")]),
    ],
)
def test_scopes_of_other_languages(language: str, marked: str, expected: list[tuple[int, int, str]]) -> None:
    """Blocks, parameters, imports and members bind as each language has it."""
    assert expected == bound_on(marked, language)


@pytest.mark.parametrize(
    ("language", "source", "value", "annotation"),
    [
        ("python", "‸x = Foo(1).bar", "Foo().bar", "?"),
        ("python", "‸x: 'm.T' = None", "?", "m.T"),
        ("python", "‸x: Optional[T] = a or B()", "a|B()", "T"),
        ("python", "‸x: list[T] | None = []", "literal", "[T]"),
        ("python", "for ‸x in items(): pass", "items()[]", "?"),
        ("python", "with open() as ‸x: pass", "open()", "?"),
        ("python", "try: pass\nexcept E as ‸x: pass", "E()", "?"),
        ("python", "‸x = y = Foo()", "Foo()", "?"),
        ("python", "self.‸x = a if b else C()", "a|C()", "?"),
        ("python", "‸x, y = f()", "?", "?"),
        ("python", "def f(‸x: T = 1): pass", "literal", "T"),
        ("python", "‸x = await g()", "g()", "?"),
        ("python", "‸x = t[0]", "t[]", "?"),
        ("javascript", "const { ‸x } = require('y')", "require().x", "?"),
        ("javascript", "const { z: ‸x } = require('y')", "require().z", "?"),
        ("javascript", "const ‸x = new Foo()", "Foo()", "?"),
        ("typescript", "let ‸x: Foo[] = null", "?", "[Foo]"),
        ("typescript", "class A { constructor(private ‸x: Foo) {} }", "?", "Foo"),
        ("go", "package p\nfunc f() { ‸x, y := g(), h() }", "g()", "?"),
        ("go", "package p\nfunc f() { ‸x, err := g() }", "g()", "?"),
        ("go", "package p\nfunc f() { x, ‸err := g() }", "?", "?"),
        ("go", "package p\nfunc f() { for _, ‸x := range l() {} }", "l()[]", "?"),
        ("go", "package p\nfunc f() { ‸x := &Foo{} }", "Foo()", "?"),
        ("go", "package p\nfunc f(‸x *Foo) {}", "?", "Foo"),
        ("go", "package p\nvar ‸x []Foo", "?", "[Foo]"),
        ("java", "class A { Foo ‸x = new Bar(); }", "Bar()", "Foo"),
        ("java", "class A { void m() { for (Foo ‸x : xs) {} } }", "?", "Foo"),
        ("java", "class A { void m() { List<Foo> ‸x = b.c(); } }", "b.c()", "[Foo]"),
        ("rust", "fn f() { let ‸x: Vec<T> = S { f: 1 }; }", "S()", "[T]"),
        ("rust", "fn f(‸x: &T) {}", "?", "T"),
    ],
)
def test_values_and_types(language: str, source: str, value: str, annotation: str) -> None:
    """What a name is bound to and declared as, where the text says it."""
    tree, use = at_caret(source, language)
    assert [value, annotation] == [plain(expression) for expression in tree.value_at(use)]


@pytest.mark.parametrize(
    ("language", "source", "returns", "is_declared"),
    [
        ("python", "def f() -> 'T': return 1", ["T"], True),
        ("python", "def f():\n    if x:\n        return a.b()\n    return C\n", ["a.b()", "C"], False),
        ("python", "def f():\n    def g(): return 1\n    return\n", [], False),
        ("go", "package p\nfunc f() (*T, error) { return nil, nil }", ["T"], True),
        ("go", "package p\nfunc f() []T { return nil }", ["[T]"], True),
        ("typescript", "function f(): T { return g() }", ["T"], True),
        ("javascript", "function f() { return g() }", ["g()"], False),
        ("java", "class A { T f() { return null; } }", ["T"], True),
        ("rust", "fn f() -> T { g() }", ["T"], True),
    ],
)
def test_what_functions_give_back(language: str, source: str, returns: list[str], is_declared: bool) -> None:
    """The declared type, else the return statements of the function itself."""
    line = 2 if language == "go" else 1
    found, declared = tree_of(source, language).returns_of(line)
    assert (returns, is_declared) == ([plain(expression) for expression in found], declared)


@pytest.mark.parametrize(
    ("language", "source", "bases"),
    [
        ("python", "class A(B, m.C, Generic[T], metaclass=M): pass", ["B", "m.C", "Generic[]"]),
        ("python", "class A(make(B)): pass", ["make", "B"]),
        ("python", "class A: pass", []),
        ("javascript", "class A extends m.B {}", ["m.B"]),
        ("typescript", "class A extends B<T> implements I {}", ["B", "I"]),
        ("typescript", "interface A extends B {}", ["B"]),
        ("java", "class A extends B implements C, D {}", ["B", "C", "D"]),
        ("go", "package p\ntype A struct { *B; x int }", ["B"]),
        ("rust", "trait A: B {}", ["B"]),
        ("cpp", "class A : public B {};", ["B"]),
        ("csharp", "class A : B, I {}", ["B", "I"]),
    ],
)
def test_bases_of_classes(language: str, source: str, bases: list[str]) -> None:
    """What a class inherits from, without its options; of a base made by a call also what it is made from."""
    line = 2 if language == "go" else 1
    assert bases == [plain(base) for base in tree_of(source, language).bases_of(line)]


@pytest.mark.parametrize(
    ("language", "source", "calls"),
    [
        ("python", "f(a.b(), C().d)[0](x)", ["f", "b", "C"]),
        ("javascript", "f(a.b(), new C())", ["f", "b", "C"]),
        ("typescript", "f<T>(a.b())", ["f", "b"]),
        ("go", "package p; func g() { f(a.b(), C{}) }", ["f", "b", "C"]),
        ("java", "class A { void g() { f(a.b(), new C()); } }", ["f", "b", "C"]),
        ("rust", "fn g() { f(a.b(), D::c(), m!()) }", ["f", "b", "c", "m"]),
        ("cpp", "void g() { f(a.b(), N::c()); }", ["f", "b", "c"]),
        ("csharp", "class A { void G() { f(a.b(), new C()); } }", ["f", "b", "C"]),
        ("php", "<?php f($a->b(), C::d(), new E());", ["f", "b", "d", "E"]),
        ("ruby", "f(a.b(1))", ["f", "b"]),
        ("bash", "f a\nb", ["f"]),
    ],
)
def test_calls(language: str, source: str, calls: list[str]) -> None:
    """The names of what is called, in order, whatever they are called on."""
    tree = tree_of(source, language)
    assert calls == [use.name for use in tree.calls_in(1, 1)]
    assert {"call"} == {use.role for use in tree.calls_in(1, 1)}


def test_uses_are_names_and_no_text() -> None:
    """Comments, strings and longer words are not uses; a place in an f-string's expression is one."""
    source = "run = 1  # run\nprint('run', f'{run}', rerun, run_it, x.run)\n"
    assert [(1, 1), (2, 17), (2, 41)] == [(use.line, use.column) for use in tree_of(source).uses_of("run")]


def test_owners_and_keywords() -> None:
    """A member has its receiver, a keyword the function it is passed to."""
    tree, use = at_caret("a.b(1).‸c = 2\n")
    assert ("write", "a.b()") == (use.role, plain(tree.owner_of(use)))
    tree, use = at_caret("a.b(‸c=2)\n")
    assert ("keyword", "a.b") == (use.role, plain(tree.called_with(use)))
    tree, use = at_caret("‸c\n")
    assert UNKNOWN is tree.owner_of(use)
    tree, use = at_caret("class A(‸metaclass=M): pass\n")
    assert UNKNOWN is tree.called_with(use)


def test_functions_that_take_any_keyword() -> None:
    """`**options`, typed or not."""
    tree = tree_of("def f(**k): pass\ndef g(*a, **k: int): pass\ndef h(a): pass\n")
    assert [True, True, False, False] == [tree.takes_any_keyword(line) for line in (1, 2, 3, 4)]


@pytest.mark.parametrize(
    ("language", "marked", "module"),
    [
        ("python", "from a.‸b import c", "a.b"),
        ("python", "from ..‸b import c", "..b"),
        ("python", "from a import ‸c", ""),
        ("python", "import a.‸b.c", "a.b"),
        ("java", "import a.‸b.C;", "a.b"),
        ("java", "import a.b.‸C;", ""),
        ("javascript", "import { ‸a } from 'b'", ""),
        ("javascript", "export { ‸a } from 'b'", ""),
    ],
)
def test_places_in_imports(language: str, marked: str, module: str) -> None:
    """A part of the module's path tells that path; a name that is taken tells none."""
    tree, use = at_caret(marked, language)
    spot = tree.import_at(use)
    assert spot is not None
    assert ("import", 1, marked.replace("‸", ""), module) == (use.role, spot.line, spot.text, spot.module)


def test_receiver_parameters_of_methods() -> None:
    """The first parameter of a method is its object; not that of a function or a static method."""
    source = (
        "class A:\n    def f(self): self\n    @staticmethod\n    def g(a): a\n    def h(x, y): y\ndef k(self): self\n"
    )
    tree = tree_of(source)
    receivers = [
        binding.is_receiver
        for line, name in ((2, "self"), (4, "a"), (5, "y"), (6, "self"))
        for use in tree.names_on(line)[-1:]
        for binding in tree.bindings(name, use.start_byte)
    ]
    assert [True, False, False, False] == receivers


def test_comment_before_the_first_parameter_leaves_it_the_receiver() -> None:
    """A `type: ignore` after the opening parenthesis stands in the list of parameters and is none."""
    tree = tree_of("class A:\n    def f(  # type: ignore[override]\n        self, x\n    ):\n        return self\n")
    use = tree.names_on(5)[-1]
    assert [True] == [binding.is_receiver for binding in tree.bindings("self", use.start_byte)]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_count_characters(end: str) -> None:
    """Tabs, wide characters and line ends leave columns what an editor shows; the place after a name is the name."""
    tree = tree_of(f"x = 1{end}\tif x: y = '😀é' + x{end}")
    uses = [(use.name, use.column) for use in tree.names_on(2)]
    assert [("x", 5), ("y", 8), ("x", 19)] == uses
    assert "\tif x: y = '😀é' + x" == tree.line_text(2)
    for name, column in uses:
        for where in (column, column + 1):
            use = tree.at(2, where)
            assert use is not None
            assert (name, column) == (use.name, use.column)
    assert 2 == tree.line_count
    for line, column in ((2, 1), (2, 14), (0, 1), (3, 1), (99, 1), (2, 999)):
        assert tree.at(line, column) is None or (line, column) == (2, 999)
    assert "" == tree.line_text(99)


def test_a_type_in_quotes_is_a_name() -> None:
    """A forward reference can be asked for, another text cannot."""
    tree, use = at_caret("def f(a: 'm.‸T'): pass\n")
    assert ("T", "type", 13) == (use.name, use.role, use.column)
    assert UNKNOWN is tree_of("x = 'm.T'\n").value_at(tree.names_on(1)[0])[1]
    assert tree_of("x = 'm.T'\n").at(1, 8) is None


def test_a_file_with_syntax_errors_still_has_names() -> None:
    """What Tree-sitter recovered is told, and that there are errors."""
    tree = tree_of("def f(:\n    x = 1\n    return x\n")
    assert tree.has_errors
    assert [2, 3] == [use.line for use in tree.uses_of("x")]


def test_what_cannot_be_read_has_no_names() -> None:
    """A language without rules, and a parse that takes longer than it may."""
    assert NameReader().read(b"x", "cobol") is None
    times = iter(range(0, 10**12, 10**9))
    assert NameReader(deadline_s=0.5, perf_counter_ns=lambda: next(times)).read(b"x = 1\n" * 20_000, "python") is None
