"""What the gold files do not show: documentation of every form, scopes, what is no definition."""

from __future__ import annotations

import time

import pytest

from ctx.domain.imports import parse_import
from ctx.domain.symbols import SkeletonMap
from ctx.infrastructure.ast_lsp import SkeletonMapBuilder


def parse(language: str, source: str) -> SkeletonMap:
    return SkeletonMapBuilder().parse(source, "file", language)


def qualnames(language: str, source: str) -> list[str]:
    return [f"{d.kind} {d.qualname}" for d in parse(language, source).definitions]


def doc(language: str, source: str) -> str:
    return parse(language, source).definitions[-1].doc


@pytest.mark.parametrize(
    ("comment", "said"),
    [
        ("/** One line. */", "One line."),
        ("/**\n * First.\n *\n * Second.\n */", "First."),
        ("/*\n   No marks\n   on its lines.\n*/", "No marks"),
        ("// One.\n// Two.", "One."),
        ("/// Three slashes.", "Three slashes."),
        ("// ------\n// Under a ruler.", "Under a ruler."),
        ("/** @brief Doxygen. */", "Doxygen."),
        ("/** \\brief Doxygen. */", "Doxygen."),
        ("/** @param x first\n * @return second */", ""),
        ("/** See {@link Foo#bar} and {@code x}. */", "See Foo#bar and x."),
        ("/** <p>Said in <b>HTML</b>. */", "Said in HTML."),
        ("// eslint-disable-next-line\n// Real.", "Real."),
        ("// eslint-disable-next-line", ""),
        ("/* Copyright 2020 Somebody */", ""),
        ("// SPDX-License-Identifier: MIT\n// More.", ""),
        ("// Apart.\n", ""),
        ("x = 1; // Of the line.", ""),
        ("/*! Of the file. */", ""),
        ("// " + "long " * 100, ("long " * 32)[:159] + "…"),
    ],
)
def test_the_comment_directly_above_is_the_documentation(comment: str, said: str) -> None:
    """Its first line that says something; no rulers, tags, directives, licences, remarks on other lines."""
    assert said == doc("javascript", f"{comment}\nfunction f() {{}}\n")


@pytest.mark.parametrize(
    ("language", "source", "said"),
    [
        ("rust", "/// Outer.\n#[inline]\nfn f() {}\n", "Outer."),
        ("rust", "#[inline]\n/// Between.\nfn f() {}\n", "Between."),
        ("rust", "//! Of the module.\nfn f() {}\n", ""),
        ("rust", "/** Block. */\nfn f() {}\n", "Block."),
        ("csharp", '/// <summary>\n/// Uses <see cref="T:A"/> it.\n/// </summary>\nclass A {}\n', "Uses T:A it."),
        ("csharp", "/// <inheritdoc/>\nclass A {}\n", ""),
        ("go", "// F is.\n//\n// More.\n//go:noinline\nfunc F() {}\n", "F is."),
        ("ruby", "# rubocop:disable Metrics\n# Does it.\ndef f; 1; end\n", "Does it."),
        ("bash", "#!/bin/bash\nf() { :; }\n", ""),
        ("php", "<?php\n# Hash.\nfunction f() {}\n", "Hash."),
        ("java", "class A {\n  /** Doc. */\n  @Override\n  public void f() {}\n}\n", "Doc."),
        ("typescript", "class A {\n  // Doc.\n  @Get()\n  f() {}\n}\n", "Doc."),
        ("python", "# No docstring.\ndef f(): pass\n", ""),
    ],
)
def test_documentation_of_each_language(language: str, source: str, said: str) -> None:
    """Comments and attributes in any order, docstrings in Python only."""
    assert said == doc(language, source)


@pytest.mark.parametrize(
    ("language", "source", "expected"),
    [
        ("go", "package a\nfunc (s *S[T]) M() {}\nfunc (S) N() {}\n", ["method S.M", "method S.N"]),
        ("rust", "impl<T> fmt::Display for a::B<T> { fn f() {} }\n", ["impl B", "method B.f"]),
        ("rust", "impl Foo for [u8] { fn f() {} }\n", ["impl [u8]", "method [u8].f"]),
        ("cpp", "void a::B<int>::c() {}\n", ["method a.B.c"]),
        ("cpp", "a::B::~B() {}\na::B::operator bool() const {}\n", ["method a.B.~B", "method a.B.operator bool"]),
        ("cpp", "bool operator<(A a, A b) {}\nB::operator()(int) {}\n", ["function operator<", "method B.operator()"]),
        ("cpp", "namespace a { namespace b { class C { void d(); }; } }\n",
         ["namespace a", "namespace a.b", "class a.b.C", "method a.b.C.d"]),
        ("csharp", "namespace A.B;\nclass C { void D() {} }\n", ["class A.B.C", "method A.B.C.D"]),
        ("csharp", "namespace A.B { class C {} }\n", ["namespace A.B", "class A.B.C"]),
        ("php", "<?php\nnamespace A\\B;\nfunction f() {}\nnamespace C;\nfunction g() {}\n",
         ["function A.B.f", "function C.g"]),
        ("php", "<?php\nnamespace A { function f() {} }\nnamespace { function g() {} }\n",
         ["namespace A", "function A.f", "function g"]),
        ("java", "package a.b;\nclass C { class D {} }\n", ["class a.b.C", "class a.b.C.D"]),
        ("ruby", "module A::B\n  def self.c; 1; end\nend\n", ["module A.B", "method A.B.c"]),
        ("ruby", "class A\n  class << self\n    def b; 1; end\n  end\nend\n", ["class A", "method A.b"]),
        ("typescript", "namespace A.B { export class C {} }\n", ["namespace A.B", "class A.B.C"]),
        ("javascript", "app.get = function get() {}\n", ["method app.get"]),
        ("javascript", "a.b.c = () => 1\n", ["method a.b.c"]),
        ("javascript", "exports.a = module.exports.b = () => 1\n", ["function b"]),
        ("javascript", "module.exports = () => 1\n", ["function exports"]),
        ("javascript", "A.prototype.b = function () {}\n", ["method A.b"]),
        ("javascript", "class A { [Symbol.iterator]() {} }\n", ["class A", "method A.iterator"]),
        ("javascript", "const a = () => 1, b = () => 2\n", ["function a", "function b"]),
        ("javascript", "export default class A {}\n", ["class A"]),
    ],
)  # fmt: skip
def test_a_name_carries_the_scope_the_language_writes(language: str, source: str, expected: list[str]) -> None:
    """Receivers, impl blocks, definitions outside their class, namespaces of both forms."""
    assert expected == qualnames(language, source)


@pytest.mark.parametrize(
    ("language", "source"),
    [
        ("javascript", "let a = 1; var b = 2; const { c } = d\n"),
        ("javascript", "const a = require('a')\n"),
        ("javascript", "f(() => 1, function () {})\n"),
        ("c", "struct a;\nextern int b;\n"),
        ("c", "#define GUARD_H\n#include <a.h>\n"),
        ("cpp", "class A;\nusing namespace std;\nfriend class B;\n"),
        ("go", 'package a\nimport "b"\n'),
        ("rust", "mod a;\nuse b::c;\n"),
        ("java", "package a;\nimport b.C;\n"),
        ("bash", "a=1\nlocal b=2\nexport c=3\n"),
        ("ruby", "a = 1\n@b = 2\nputs A\n"),
        ("php", "<?php\n$a = 1;\nuse A\\B;\n"),
    ],
)
def test_what_is_no_definition(language: str, source: str) -> None:
    """Variables that are not declared constant, imports, forward declarations, anonymous functions."""
    assert [] == qualnames(language, source)


def test_locals_of_a_function_are_no_definitions() -> None:
    """Neither constants nor what looks like a prototype."""
    source = "int f(void) {\n  const int x = 1;\n  static int y = 2;\n  int g(int);\n  return y;\n}\n"
    assert ["function f"] == qualnames("c", source)
    assert ["function f"] == qualnames("cpp", source)


def test_annotations_of_parameters_and_fields_belong_to_no_method() -> None:
    """Only what stands directly before a definition, or in its head before the name, decorates it."""
    (_, a, b) = parse(
        "java", "class A {\n @Inject int x;\n @Test @Slow void a(@Nullable int p) {}\n void b() {}\n}\n"
    ).definitions
    assert ("@Test", "@Slow") == a.decorators
    assert "void a(@Nullable int p)" == a.signature
    assert () == b.decorators
    (f,) = parse("rust", "#[allow(x)]\nuse a::b;\nfn f() {}\n").definitions
    assert () == f.decorators


def test_a_definition_starts_at_its_decorators_and_not_at_its_comment() -> None:
    """Lines and bytes are those of the code."""
    (f,) = parse("rust", "/// Doc.\n#[inline]\n#[must_use]\nfn f() {}\n").definitions
    assert (2, 4, 4, 9) == (f.start_line, f.end_line, f.name_line, f.start_byte)
    assert ("#[inline]", "#[must_use]") == f.decorators
    assert "fn f()" == f.signature


@pytest.mark.parametrize(
    ("language", "source", "names"),
    [
        ("javascript", "import a, { b as c } from 'd'", ("a", "c")),
        ("javascript", "const { a, b: c } = require('d')", ("a", "c")),
        ("javascript", "import './styles.css'", ("styles", "css")),
        ("go", 'package p\nimport m "a/b"', ("m",)),
        ("go", 'package p\nimport "net/http"', ("net", "http")),
        ("rust", "use a::{b, c::{self, d as e}};", ("b", "e")),
        ("rust", "pub mod inner;", ("inner",)),
        ("javascript", "const { a } = f(), { b, c: d } = await import('e')", ("a", "b", "d")),
        ("javascript", "export { a as b, c } from 'd'", ("b", "c")),
        ("java", "import a.b.C;", ("C",)),
        ("java", "import a.b.*;", ("a", "b")),
        ("c", "#include <sys/types.h>", ("sys", "types")),
        ("php", "<?php\nuse A\\{B, C as D};", ("B", "D")),
        ("csharp", "using A = B.C;", ("A",)),
        ("ruby", "require 'a/b'", ("a", "b")),
        ("bash", ". ./lib.sh", ("lib",)),
        ("bash", "load helpers.bash", ("helpers",)),
    ],
)
def test_an_import_tells_the_names_it_binds_or_its_words(language: str, source: str, names: tuple[str, ...]) -> None:
    """What is bound where the language says so, else every word of what is loaded."""
    (found,) = parse(language, source + "\n").imports
    assert names == found.names
    assert source.endswith(found.text)


@pytest.mark.parametrize(
    ("language", "source", "text", "names"),
    [
        ("python", "from a import (\n    b,  # the first, b\n    c,\n)", "from a import ( b, c, )", ("a", "b", "c")),
        (
            "javascript",
            "import {\n  b, // one, two\n  c, /* three */\n} from 'a'",
            "import { b, c, } from 'a'",
            ("b", "c"),
        ),
        ("rust", "use a::{\n    b, // as it is\n    c,\n};", "use a::{ b, c, };", ("b", "c")),
    ],
)
def test_comments_are_no_part_of_an_import(language: str, source: str, text: str, names: tuple[str, ...]) -> None:
    """On one line nothing would tell where a comment ends and the next name begins."""
    (found,) = parse(language, source + "\n").imports
    assert (text, names) == (found.text, found.names)


def test_the_end_of_a_long_import_is_kept() -> None:
    """ECMAScript tells it last where the names come from; what is left out is marked."""
    names = [f"name_{n}" for n in range(5_000)]
    (found,) = parse("javascript", f"import {{ {', '.join(names)} }} from './far/away'\n").imports
    assert tuple(names) == found.names
    assert len(found.text) <= 2_000
    assert found.text.startswith("import { name_0, name_1,")
    assert found.text.endswith("name_4999 } from './far/away'")
    assert 1 == found.text.count("…")
    module = {taken.module for taken in parse_import("javascript", found.text)}
    assert {"./far/away"} == module


@pytest.mark.parametrize("source", ["const {{ {} }} = require('x')", "export {{ {} }} from 'x'", "const {{ {} }} = x"])
def test_a_thousand_names_in_braces_take_no_time(source: str) -> None:
    """A query that waited behind each name for what follows them all took 30 s."""
    started = time.process_time()
    parse("javascript", source.format(", ".join(f"name_{n}" for n in range(1_000))))
    assert time.process_time() - started < 5


def test_a_skeleton_prints_in_a_form_that_serves_every_language() -> None:
    """Heads as written, lines and documentation behind a mark."""
    source = "package a\n\n// S is.\ntype S struct {\n\tx int\n}\n\n// M does.\nfunc (s *S) M() {\n}\n"
    assert "type S struct  # L4-6\n    # S is.\nfunc (s *S) M()  # L9-10\n    # M does." == parse("go", source).render()
