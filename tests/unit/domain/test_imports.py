"""What import statements of every language bind."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ctx.domain.imports import ALL_NAMES, ImportedName, parse_import
from ctx.infrastructure.languages import LANGUAGES

_NAMES = [row.name for row in LANGUAGES]

Row = tuple[str, str, str]
"""Module, name, alias."""


def rows(language: str, text: str) -> list[Row]:
    """Return what is bound, of statements that hand nothing on."""
    found = parse_import(language, text)
    assert not any(one.is_export for one in found)
    return [(one.module, one.name, one.alias) for one in found]


def exported(language: str, text: str) -> list[Row]:
    """Return what is bound, of statements that hand on all of it."""
    found = parse_import(language, text)
    assert all(one.is_export for one in found)
    return [(one.module, one.name, one.alias) for one in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import os", [("os", "", "os")]),
        ("import os.path", [("os.path", "", "os")]),
        ("import numpy as np, a.b as c , d", [("numpy", "", "np"), ("a.b", "", "c"), ("d", "", "d")]),
        ("from a.b import c", [("a.b", "c", "c")]),
        ("from a import b as c, d", [("a", "b", "c"), ("a", "d", "d")]),
        ("from . import a", [(".", "a", "a")]),
        ("from .import a", [(".", "a", "a")]),
        ("from .. pkg.mod import (a)", [("..pkg.mod", "a", "a")]),
        ("from . . import a", [("..", "a", "a")]),
        ("from .a import *", [(".a", "*", "")]),
        ("from a import(b, c,)", [("a", "b", "b"), ("a", "c", "c")]),
        ("from a import b, \\ c", [("a", "b", "b"), ("a", "c", "c")]),
        ("from __future__ import annotations", [("__future__", "annotations", "annotations")]),
        ("from importlib import import_module", [("importlib", "import_module", "import_module")]),
        ("from a import größe", [("a", "größe", "größe")]),
        ("from a import ( # noqa: F401 b, c as d, )", [("a", "b", "b"), ("a", "c", "d")]),
        (
            "from a import ( b, # why (and how) c as d, # that e )",
            [("a", "b", "b"), ("a", "c", "d"), ("a", "e", "e")],
        ),
        ("from a import ( b # only )", [("a", "b", "b")]),
        ("from a import ( b, c, ddd…", [("a", "b", "b"), ("a", "c", "c")]),
        ("from a import", []),
        ("from import b", []),
        ("from a import (", []),
        ("import", []),
        ("import a.", []),
        ("import 3", []),
        ("print(import)", []),
    ],
)
def test_python(text: str, expected: list[Row]) -> None:
    """Modules with their dots, names in brackets, comments that lost their line's end."""
    assert expected == rows("python", text)


@pytest.mark.parametrize("language", ["javascript", "typescript", "tsx"])
@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("import a from './a'", [("./a", "default", "a")]),
        ("import * as ns from 'm';", [("m", "", "ns")]),
        ('import a, { b, c as d } from "m"', [("m", "default", "a"), ("m", "b", "b"), ("m", "c", "d")]),
        ("import a, * as ns from 'm'", [("m", "default", "a"), ("m", "", "ns")]),
        ("import {default as a, 'odd name' as b} from 'm'", [("m", "default", "a")]),
        ("import {$a, _b} from 'm'", [("m", "$a", "$a"), ("m", "_b", "_b")]),
        ("import type { A, B as C } from './types'", [("./types", "A", "A"), ("./types", "B", "C")]),
        (
            "import { type A, type B as C, type as d, type } from 'm'",
            [("m", "A", "A"), ("m", "B", "C"), ("m", "type", "d"), ("m", "type", "type")],
        ),
        ("import type A from 'm'", [("m", "default", "A")]),
        ("import type from 'm'", [("m", "default", "type")]),
        ("import type * as ns from 'm'", [("m", "", "ns")]),
        ("import './side.css'", [("./side.css", "", "")]),
        ("import data from './x.json' with { type: 'json' }", [("./x.json", "default", "data")]),
        ("import { a, // the first b, /* c, */ d } from 'm'", [("m", "a", "a"), ("m", "b", "b"), ("m", "d", "d")]),
        ("import x = require('m')", [("m", "", "x")]),
        (
            "const a = require('a'), { b, c: d, e = 1 } = require(\"b\")",
            [("a", "", "a"), ("b", "b", "b"), ("b", "c", "d"), ("b", "e", "e")],
        ),
        ("var z = require('z').z, w = require('w')(1)", [("z", "z", "z"), ("w", "", "w")]),
        ("const x = await import('./x')", [("./x", "", "x")]),
        ("const x: Mod = require('m') as Mod;", [("m", "", "x")]),
        ("const x = wrap(require('m'))", [("m", "", "x")]),
        ("require('./side')", [("./side", "", "")]),
        ("app.use(require('./routes'))", [("./routes", "", "")]),
        ("other.place = require('m')", [("m", "", "")]),
        ("const x = require(name)", []),
        ("import { a, b, c…", []),
        ("import { a, b as bb…cc, d } from './x'", [("./x", "a", "a"), ("./x", "d", "d")]),
        ("import", []),
        ("import {a} from ''", []),
    ],
)
def test_ecmascript(language: str, text: str, expected: list[Row]) -> None:
    """Modules of every kind, types, CommonJS and imports made while running."""
    assert expected == rows(language, text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("export * from './a'", [("./a", "*", "")]),
        ("export * as ns from './a'", [("./a", "", "ns")]),
        (
            "export { a, b as c, default } from './a'",
            [("./a", "a", "a"), ("./a", "b", "c"), ("./a", "default", "default")],
        ),
        ("export { default as A } from './A'", [("./A", "default", "A")]),
        ("export type { A } from './a'", [("./a", "A", "A")]),
        ("module.exports = require('./lib/x');", [("./lib/x", "*", "")]),
        ("module.exports = require('./x').y", [("./x", "y", "default")]),
        ("exports.a = require('./a')", [("./a", "", "a")]),
        ("module.exports.a = require('./a').b", [("./a", "b", "a")]),
    ],
)
def test_ecmascript_hands_on(text: str, expected: list[Row]) -> None:
    """The alias is the name it is handed on by."""
    assert expected == exported("typescript", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"net/http"', [("net/http", "", "http")]),
        ('import "fmt"', [("fmt", "", "fmt")]),
        ("`os`", [("os", "", "os")]),
        ('m "github.com/o/n/pkg"', [("github.com/o/n/pkg", "", "m")]),
        ('. "github.com/o/n"', [("github.com/o/n", "*", "")]),
        ('_ "embed"', [("embed", "", "")]),
        ('"github.com/urfave/cli/v3"', [("github.com/urfave/cli/v3", "", "cli")]),
        ('"gopkg.in/yaml.v3"', [("gopkg.in/yaml.v3", "", "yaml")]),
        ('"github.com/mattn/go-isatty" // why', [("github.com/mattn/go-isatty", "", "isatty")]),
        ('"C"', [("C", "", "C")]),
        ("fmt", []),
        ('"', []),
    ],
)
def test_go(text: str, expected: list[Row]) -> None:
    """A package goes by its path's last part, unless the statement says otherwise."""
    assert expected == rows("go", text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("use std::fmt;", [("std", "fmt", "fmt")]),
        ("use crate::a::b::C as D;", [("crate::a::b", "C", "D")]),
        (
            "use a::{b, c::{self, d as e}, f::*};",
            [("a", "b", "b"), ("a", "c", "c"), ("a::c", "d", "e"), ("a::f", "*", "")],
        ),
        ("use super::*;", [("super", "*", "")]),
        ("use {a::b, c};", [("a", "b", "b"), ("c", "", "c")]),
        ("use ::serde::Serialize;", [("serde", "Serialize", "Serialize")]),
        ("use std::io::Write as _;", [("std::io", "Write", "")]),
        ("use r#type::r#fn;", [("type", "fn", "fn")]),
        ("use a::{ // the first b, // as it is c as d, }", [("a", "b", "b"), ("a", "c", "d")]),
        ("use a::{b, /* c */ d};", [("a", "b", "b"), ("a", "d", "d")]),
        ("extern crate alloc as memory;", [("alloc", "", "memory")]),
        ("#[macro_use] extern crate serde;", [("serde", "", "serde")]),
        ("mod x;", [("self::x", "", "x")]),
        ("#[cfg(test)] mod r#type;", [("self::type", "", "type")]),
        ("mod x", []),
        ("use a::{b, cc…", [("a", "b", "b")]),
        ("use a::{b, cc…ame::{d}, e};", [("a", "b", "b")]),
        ("use ;", []),
        ("use", []),
    ],
)
def test_rust(text: str, expected: list[Row]) -> None:
    """Trees of paths are taken apart to their leaves."""
    assert expected == rows("rust", text)


@pytest.mark.parametrize("verb", ["pub use", "pub(crate) use", "pub (in crate::a) use"])
def test_rust_hands_on(verb: str) -> None:
    """Whatever the visibility: it is one."""
    assert [("a", "b", "c")] == exported("rust", f"{verb} a::b as c;")
    assert [("a", "*", "")] == exported("rust", f"{verb} a::*;")
    assert [("self::x", "", "x")] == exported("rust", f"{verb.removesuffix('use')}mod x;")


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("java", "import a.b.C;", [("a.b", "C", "C")]),
        ("java", "import a.b.*;", [("a.b", "*", "")]),
        ("java", "import static a.b.C.of;", [("a.b.C", "of", "of")]),
        ("java", "import static a.b.C.*;", [("a.b.C", "*", "")]),
        ("java", "import /* why */ a . b . C ;", [("a.b", "C", "C")]),
        ("java", "import C;", []),
        ("java", "import ;", []),
        ("c", '#include "a/b.h"', [("a/b.h", "*", "")]),
        ("c", "# include <sys/x.h> // why", [("<sys/x.h>", "*", "")]),
        ("cpp", '#include"a.hpp"', [("a.hpp", "*", "")]),
        ("cpp", "#include MACRO", []),
        ("csharp", "using A.B;", [("A.B", "*", "")]),
        ("csharp", "global using A;", [("A", "*", "")]),
        ("csharp", "using static A.B.C;", [("A.B.C", "*", "")]),
        ("csharp", "using D = A.B.C;", [("A.B", "C", "D")]),
        ("csharp", "using D = global::A;", [("A", "", "D")]),
        ("csharp", "using D = A.B<int>;", [("A", "B", "D")]),
        ("csharp", "using ;", []),
        ("ruby", "require 'a/b'", [("a/b", "*", "")]),
        ("ruby", 'require("a")', [("a", "*", "")]),
        ("ruby", "require_relative 'a'", [("./a", "*", "")]),
        ("ruby", "require_relative '../a'", [("../a", "*", "")]),
        ("ruby", "load 'a.rb'", [("a.rb", "*", "")]),
        ("ruby", "autoload :Name, 'a/name'", [("a/name", "Name", "Name")]),
        ("ruby", "autoload(:Name, path)", []),
        ("ruby", "autoload Name", []),
        ("ruby", "require File.expand_path('../a/b', __FILE__)", [("./a/b", "*", "")]),
        ("ruby", "require File.join(File.dirname(__FILE__), '..', 'a')", [("../a", "*", "")]),
        ("ruby", 'require "#{__dir__}/a"', [("./a", "*", "")]),
        ("ruby", "require name", []),
        ("php", "use A\\B\\C;", [("A\\B", "C", "C")]),
        ("php", "use A, \\B\\C as D;", [("", "A", "A"), ("B", "C", "D")]),
        ("php", "use A\\{B, C\\D as E, function f};", [("A", "B", "B"), ("A\\C", "D", "E"), ("A", "f", "f")]),
        ("php", "use function A\\f;", [("A", "f", "f")]),
        ("php", "use const A\\F, A\\G;", [("A", "F", "F"), ("A", "G", "G")]),
        ("php", "use A\\{ // the first B, C, };", [("A", "B", "B"), ("A", "C", "C")]),
        ("php", "require_once __DIR__ . '/a.php';", [("./a.php", "*", "")]),
        ("php", "include dirname(__FILE__) . '/../a.php'", [("../a.php", "*", "")]),
        ("php", "include('a.php');", [("a.php", "*", "")]),
        ("php", "require $name;", []),
        ("bash", "source a.sh", [("a.sh", "*", "")]),
        ("bash", '. "$DIR/a b.sh" --flag', [("$DIR/a b.sh", "*", "")]),
        ("bash", 'source "$(dirname "$0")/a.sh"', [("$(dirname $0)/a.sh", "*", "")]),
        ("bash", "A=1 source './a.sh'", [("./a.sh", "*", "")]),
        ("bash", "source <(make it)", []),
        ("bash", "source", []),
        ("text", "import a", []),
        ("", "", []),
    ],
)
def test_other_languages(language: str, text: str, expected: list[Row]) -> None:
    """Each in its own words; what a statement takes whole binds no name."""
    assert expected == rows(language, text)


_fragments = st.lists(
    st.sampled_from(
        """import from as export type require ( ) { } [ ] , ; . .. :: \\ / // /* */ # < > " ' ` * … = == $ @ use pub
        extern crate self super static using global source autoload : :Name include include_once __FILE__ __dir__
        __DIR__ dirname a b.c x/y A\\B größe 'm' "n" default _ v2""".split()
    ),
    max_size=25,
)


@given(
    st.sampled_from(_NAMES),
    st.text(max_size=80) | _fragments.map(" ".join) | _fragments.map("".join),
)
@example("python", "from . import " + "a, " * 600)
@example("go", '" "')
def test_whatever_the_text_nothing_is_raised_and_what_is_bound_has_a_name(language: str, text: str) -> None:
    """A name, a module or both are there; nothing but the cut's mark is lost; `*` binds nothing by name."""
    for one in parse_import(language, text):
        assert one.module or one.name
        assert all(part == part.strip() for part in one[:3])
        assert ALL_NAMES != one.alias
        if one.name == ALL_NAMES:
            assert "" == one.alias


@settings(deadline=30_000)
@given(
    st.sampled_from(_NAMES),
    st.sampled_from(["", "import ", "from ", "use ", "source ", "const a = ", "require ", "export {"]),
    st.sampled_from(
        ["(", "//", "/*", ". ", "a::{", "'", '"', "#", "$(", "\\", "import ", "a, ", "= require(", "a:", "{}"]
    ),
)
def test_text_that_repeats_is_read_before_its_deadline(language: str, head: str, piece: str) -> None:
    """A pattern that tried every split of a hostile statement would take minutes; this allows half of one."""
    assert all(one.module or one.name for one in parse_import(language, (head + piece * 2000)[:2000]))


def test_every_language_with_a_grammar_can_be_read() -> None:
    """A language added to the table and forgotten here would have no imports."""
    samples = {
        "python": "import a", "javascript": "import 'a'", "typescript": "import 'a'", "tsx": "import 'a'", "go": '"a"',
        "rust": "use a;", "java": "import a.B;", "c": '#include "a"', "cpp": '#include "a"', "ruby": "require 'a'",
        "php": "use a;", "csharp": "using a;", "bash": ". a",
    }  # fmt: skip
    assert set(_NAMES) == set(samples)
    assert all(parse_import(language, text) for language, text in samples.items())


def test_a_plain_tuple_of_four() -> None:
    """Callers unpack it."""
    assert (
        ImportedName("a", "b", "c", False)
        == ("a", "b", "c", False)
        == parse_import("python", "from a import b as c")[0]
    )
