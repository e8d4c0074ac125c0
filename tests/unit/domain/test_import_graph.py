"""Who imports whom, and where a name comes from, in small trees written out."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.import_graph import FILES_MAX, HOPS_MAX, Lookups, Origin, file_edges, imported, importers, origins_of
from ctx.domain.imports import ImportedName, parse_import
from ctx.domain.module_map import ModuleMap
from ctx.infrastructure.languages import language_of


@dataclass
class Tree:
    """A segment as an index knows it: of each file its definitions' names and its import statements."""

    files: dict[str, tuple[str, list[str]]]
    read: list[str] = field(default_factory=list)

    @property
    def modules(self) -> ModuleMap:
        return ModuleMap([(path, language_of(path)) for path in self.files])

    def imports_of(self, path: str) -> list[ImportedName]:
        self.read.append(path)
        language = language_of(path)
        return [one for text in self.files[path][1] for one in parse_import(language, text)]

    def defines(self, path: str, name: str) -> bool:
        self.read.append(path)
        return name in self.files[path][0].split()

    def lookups(self) -> Lookups:
        return Lookups(self.imports_of, self.defines, self.modules)

    def rows(self) -> list[tuple[str, str, int, str]]:
        return [
            (path, language_of(path), line, text)
            for path, (_, texts) in self.files.items()
            for line, text in enumerate(texts, start=1)
        ]


def found(tree: Tree, name: str, path: str) -> list[str]:
    """Return the origins as text: `path#name`, with a `?` where nothing defines the name."""
    return [
        f"{origin.path}#{origin.name}{'' if origin.is_defined else '?'}"
        for origin in origins_of(name, path, tree.lookups())
    ]


PYTHON = Tree(
    {
        "pkg/__init__.py": (
            "VERSION",
            [
                "from .base import Model as Model",
                "from .fields import *",
                "from . import sub",
                "from .late import lazy",
            ],
        ),
        "pkg/base.py": ("Model helper", ["from .sub.deep import Root", "import json"]),
        "pkg/fields.py": ("Field _hidden", ["from pkg.base import helper as assist", "from .more import *"]),
        "pkg/more.py": ("CharField", ["from .fields import *"]),
        "pkg/late.py": ("__getattr__", []),
        "pkg/sub/__init__.py": ("", []),
        "pkg/sub/deep.py": ("Root", ["from ..ring_a import ring"]),
        "pkg/ring_a.py": ("", ["from .ring_b import ring"]),
        "pkg/ring_b.py": ("", ["from .ring_a import ring"]),
        "pkg/fast.py": ("loads", []),
        "app.py": (
            "main Model2",
            [
                "import pkg",
                "import pkg.base",
                "import pkg.sub.deep as deep",
                "import numpy as np",
                "from pkg import Model, Field, CharField, assist, sub, VERSION as V, lazy, missing, helper",
                "from pkg.sub import deep as d2",
                "from pkg.base import json",
                "from pkg.ring_a import ring",
                "try: from pkg.fast import loads",
                "from pkg.fast import loads",
                "from json import loads",
            ],
        ),
        "star.py": ("Field", ["from pkg import *", "from os.path import *"]),
    }
)


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("main", "app.py", ["app.py#main"]),
        ("Model", "app.py", ["pkg/base.py#Model"]),
        ("Model.save", "app.py", ["pkg/base.py#Model.save"]),
        ("Field", "app.py", ["pkg/fields.py#Field"]),
        ("CharField", "app.py", ["pkg/more.py#CharField"]),
        ("assist", "app.py", ["pkg/base.py#helper"]),
        ("V", "app.py", ["pkg/__init__.py#VERSION"]),
        ("sub", "app.py", ["pkg/sub/__init__.py#"]),
        ("sub.deep.Root", "app.py", ["pkg/sub/__init__.py#deep.Root?"]),
        ("deep", "app.py", ["pkg/sub/deep.py#"]),
        ("deep.Root", "app.py", ["pkg/sub/deep.py#Root"]),
        ("d2.Root.method", "app.py", ["pkg/sub/deep.py#Root.method"]),
        ("pkg", "app.py", ["pkg/__init__.py#"]),
        ("pkg.base.Model", "app.py", ["pkg/base.py#Model"]),
        ("pkg.Model", "app.py", ["pkg/base.py#Model"]),
        ("pkg.base", "app.py", ["pkg/base.py#"]),
        ("pkg.nothing", "app.py", ["pkg/__init__.py#nothing?"]),
        ("lazy", "app.py", ["pkg/late.py#lazy?"]),
        ("missing", "app.py", ["pkg/__init__.py#missing?"]),
        ("json", "app.py", []),
        ("np.array", "app.py", []),
        ("ring", "app.py", []),
        ("loads", "app.py", ["pkg/fast.py#loads"]),
        ("print", "app.py", []),
        ("", "app.py", []),
        ("Root", "pkg/base.py", ["pkg/sub/deep.py#Root"]),
        ("CharField", "star.py", ["pkg/more.py#CharField"]),
        ("Model", "star.py", ["pkg/base.py#Model"]),
        ("Field", "star.py", ["star.py#Field"]),
        ("nothing", "star.py", []),
    ],
)
def test_python_names(name: str, path: str, expected: list[str]) -> None:
    """Through packages, renames, stars, submodules and rings; what leaves the segment has no origin in it."""
    assert expected == found(PYTHON, name, path)


def test_only_files_on_the_way_are_looked_up() -> None:
    """A name of the file itself opens no other one, a name handed on once opens two."""
    tree = Tree(PYTHON.files)
    origins_of("main", "app.py", tree.lookups())
    assert {"app.py"} == set(tree.read)
    origins_of("V", "app.py", tree.lookups())
    assert {"app.py", "pkg/__init__.py"} == set(tree.read)


def test_a_definition_beside_an_import_of_the_name_comes_first() -> None:
    """A fallback on ImportError is both."""
    tree = Tree({"a.py": ("loads", ["from fast import loads", "from b import loads"]), "b.py": ("loads", [])})
    assert ["a.py#loads", "b.py#loads"] == found(tree, "loads", "a.py")


WEB = Tree(
    {
        "src/index.ts": (
            "",
            [
                "export { store as makeStore } from './store'",
                "export * from './types'",
                "export * as tools from './tools'",
                "export { default as Button, default } from './Button'",
            ],
        ),
        "src/store.ts": ("store", []),
        "src/types/index.ts": ("", ["export type { Action } from './action'"]),
        "src/types/action.ts": ("Action", []),
        "src/tools.ts": ("bind", []),
        "src/Button.tsx": ("Button", []),
        "src/anonymous.ts": ("default", []),
        "src/computed.ts": ("other", []),
        "src/app.ts": (
            "",
            [
                "import { makeStore, Action, tools, Button as B } from './index'",
                "import Main, * as all from '.'",
                "import anything from './anonymous'",
                "import odd from './computed'",
                "import React from 'react'",
            ],
        ),
        "lib/express.js": (
            "createApplication",
            ["exports.Route = require('./route')", "module.exports.json = require('x').json"],
        ),
        "lib/route.js": ("Route", []),
        "index.js": ("", ["module.exports = require('./lib/express')"]),
        "main.js": (
            "",
            [
                "const express = require('.'), Route = require('./lib/route')",
                "const { Route: R } = require('./lib/express')",
            ],
        ),
    }
)


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("makeStore", "src/app.ts", ["src/store.ts#store"]),
        ("Action", "src/app.ts", ["src/types/action.ts#Action"]),
        ("tools.bind", "src/app.ts", ["src/tools.ts#bind"]),
        ("B", "src/app.ts", ["src/Button.tsx#Button"]),
        ("Main", "src/app.ts", ["src/Button.tsx#Button"]),
        ("all.makeStore", "src/app.ts", ["src/store.ts#store"]),
        ("all", "src/app.ts", ["src/index.ts#"]),
        ("anything", "src/app.ts", ["src/anonymous.ts#default"]),
        ("odd", "src/app.ts", ["src/computed.ts#"]),
        ("odd.other", "src/app.ts", ["src/computed.ts#other?"]),
        ("React", "src/app.ts", []),
        ("express", "main.js", ["index.js#"]),
        ("express.createApplication", "main.js", ["lib/express.js#createApplication"]),
        ("express.Route", "main.js", ["lib/route.js#Route"]),
        ("Route", "main.js", ["lib/route.js#Route"]),
        ("R", "main.js", ["lib/route.js#Route"]),
        ("express.json", "main.js", []),
    ],
)
def test_ecmascript_names(name: str, path: str, expected: list[str]) -> None:
    """Through barrel files, default exports and CommonJS."""
    assert expected == found(WEB, name, path)


OTHERS = Tree(
    {
        "go.mod": ("", []),
        "cmd/main.go": ("main", ['"example.org/x/tool/store"', 'f "fmt"']),
        "store/store.go": ("Store", []),
        "store/open.go": ("Open", []),
        "store/store_test.go": ("Helper", []),
        "crate/src/lib.rs": ("", ["pub use a::Thing;", "pub use crate::b::*;"]),
        "crate/src/a.rs": ("Thing", []),
        "crate/src/b.rs": ("Other", []),
        "crate/src/c.rs": ("", ["use crate::{Thing as T, Other};", "use super::a;"]),
        "src/com/x/A.java": ("A", ["import com.y.B;", "import static com.y.B.of;", "import com.z.*;"]),
        "src/com/x/Near.java": ("Near", []),
        "src/com/y/B.java": ("B", []),
        "src/com/z/C.java": ("C", []),
        "src/Lib/Thing.php": ("Thing", ["use Acme\\Lib\\Url\\Maker as M;"]),
        "src/Lib/Url/Maker.php": ("Maker", []),
        "src/Acme/Core/Engine.cs": ("Engine", ["using Acme.Util;", "using T = Acme.Util.Text;"]),
        "src/Acme/Util/Text.cs": ("Text Trim", []),
        "c/main.c": ("main", ['#include "a.h"', '#include "other.h"']),
        "c/a.h": ("a_init", ['#include "deep.h"']),
        "c/deep.h": ("deep twice", ['#include "a.h"']),
        "c/other.h": ("twice", []),
        "lib/rack.rb": ("Rack", ["autoload :Utils, 'rack/utils'", "require_relative 'rack/base'"]),
        "lib/rack/utils.rb": ("Utils", []),
        "lib/rack/base.rb": ("Base", []),
        "bin/run.sh": ("", ['. "$(dirname "$0")/common.sh"']),
        "bin/common.sh": ("log", []),
    }
)


@pytest.mark.parametrize(
    ("name", "path", "expected"),
    [
        ("store.Open", "cmd/main.go", ["store/open.go#Open"]),
        ("store.Store.Get", "cmd/main.go", ["store/store.go#Store.Get"]),
        ("store.Helper", "cmd/main.go", ["store/store.go#Helper?"]),
        ("store", "cmd/main.go", ["store/store.go#"]),
        ("f.Println", "cmd/main.go", []),
        ("Open", "store/store.go", ["store/open.go#Open"]),
        ("Helper", "store/store.go", []),
        ("T::new", "crate/src/c.rs", ["crate/src/a.rs#Thing.new"]),
        ("Other", "crate/src/c.rs", ["crate/src/b.rs#Other"]),
        ("a::Thing", "crate/src/c.rs", ["crate/src/a.rs#Thing"]),
        ("crate::b::Other", "crate/src/c.rs", ["crate/src/b.rs#Other"]),
        ("std::fmt::Display", "crate/src/c.rs", []),
        ("B", "src/com/x/A.java", ["src/com/y/B.java#B"]),
        ("of", "src/com/x/A.java", ["src/com/y/B.java#of?"]),
        ("C", "src/com/x/A.java", ["src/com/z/C.java#C"]),
        ("Near.run", "src/com/x/A.java", ["src/com/x/Near.java#Near.run"]),
        ("com.y.B", "src/com/x/A.java", ["src/com/y/B.java#B"]),
        ("M", "src/Lib/Thing.php", ["src/Lib/Url/Maker.php#Maker"]),
        ("Text", "src/Acme/Core/Engine.cs", ["src/Acme/Util/Text.cs#Text"]),
        ("T.Trim", "src/Acme/Core/Engine.cs", ["src/Acme/Util/Text.cs#Text.Trim"]),
        ("a_init", "c/main.c", ["c/a.h#a_init"]),
        ("deep", "c/main.c", ["c/deep.h#deep"]),
        ("twice", "c/main.c", ["c/other.h#twice"]),
        ("printf", "c/main.c", []),
        ("Utils", "lib/rack.rb", ["lib/rack/utils.rb#Utils"]),
        ("Base", "lib/rack.rb", ["lib/rack/base.rb#Base"]),
        ("log", "bin/run.sh", ["bin/common.sh#log"]),
    ],
)
def test_names_of_other_languages(name: str, path: str, expected: list[str]) -> None:
    """Packages see their own files, headers open headers, the nearest one that has the name counts."""
    assert expected == found(OTHERS, name, path)


def test_a_chain_longer_than_the_limit_ends() -> None:
    """The walk gives up at the file where the limit stands, without an error."""
    files = {f"m{at}.py": ("", [f"from m{at + 1} import x"]) for at in range(HOPS_MAX + 5)}
    files[f"m{HOPS_MAX + 5}.py"] = ("x", [])
    tree = Tree(files)
    assert [] == found(tree, "x", "m0.py")
    assert [f"m{HOPS_MAX + 5}.py#x"] == found(tree, "x", "m10.py")


def test_a_web_of_headers_wider_than_the_limit_ends() -> None:
    """No question looks into more files than the limit; the rest is as if it were not there."""
    files = {f"h{at}.h": ("", [f'#include "h{at + 1}.h"']) for at in range(FILES_MAX + 50)}
    files[f"h{FILES_MAX + 50}.h"] = ("last", [])
    tree = Tree(files)
    assert [] == found(tree, "last", "h0.h")
    assert len(set(tree.read)) <= FILES_MAX + 1
    assert [f"h{FILES_MAX + 50}.h#last"] == found(tree, "last", "h100.h")


def test_edges_count_names_and_lead_to_submodules() -> None:
    """Each name counts once, a submodule is its own target, an import of itself is none."""
    edges = file_edges(PYTHON.rows(), PYTHON.modules)
    assert {
        "pkg/base.py": 1,
        "pkg/fields.py": 1,
        "pkg/sub/__init__.py": 1,
        "pkg/late.py": 1,
    } == edges["pkg/__init__.py"]
    assert {
        "pkg/__init__.py": 9,
        "pkg/base.py": 2,
        "pkg/sub/__init__.py": 1,
        "pkg/sub/deep.py": 2,
        "pkg/ring_a.py": 1,
        "pkg/fast.py": 1,
    } == edges["app.py"]
    assert "pkg/fast.py" not in edges


def test_edges_of_whole_packages_lead_to_each_of_their_files() -> None:
    """Go and C# name packages; Java's star does, a Java class is one file."""
    edges = file_edges(OTHERS.rows(), OTHERS.modules)
    assert {"store/store.go": 1, "store/open.go": 1} == edges["cmd/main.go"]
    assert {"src/com/y/B.java": 2, "src/com/z/C.java": 1} == edges["src/com/x/A.java"]
    assert {"src/Acme/Util/Text.cs": 2} == edges["src/Acme/Core/Engine.cs"]
    assert {"src/Lib/Url/Maker.php": 1} == edges["src/Lib/Thing.php"]
    assert {"crate/src/lib.rs": 1, "crate/src/a.rs": 1} | {"crate/src/lib.rs": 2} == edges["crate/src/c.rs"]


def test_both_ends_of_the_graph_list_the_closest_first() -> None:
    """By the number of names, then by path; unknown files have neither end."""
    edges = {"a": {"x": 1, "y": 3, "w": 1}, "b": {"y": 4}, "c": {"y": 3}}
    assert ("y", "w", "x") == imported(edges, "a")
    assert ("b", "a", "c") == importers(edges, "y")
    assert () == imported(edges, "x") == importers(edges, "a")


_files = st.sampled_from(["a.py", "b.py", "p/__init__.py", "p/a.py", "p/b.py"])
_statements = st.sampled_from(
    [
        "from a import x", "from b import x as y", "from p import *", "from . import a", "from .a import y",
        "import p.a", "from .b import *", "from p.b import x", "import a as x", "from a import *", "from .. import x",
    ]
)  # fmt: skip


@given(
    st.dictionaries(
        _files, st.tuples(st.sampled_from(["", "x", "x y"]), st.lists(_statements, max_size=5)), min_size=1
    ),
    st.sampled_from(["x", "y", "x.y", "p.a.x", "a.x", "p"]),
)
def test_whatever_imports_whatever_the_walk_ends_where_the_name_is(
    files: dict[str, tuple[str, list[str]]], name: str
) -> None:
    """What is said to be defined is; every origin is a file of the segment; none is named twice."""
    tree = Tree(files)
    for path in files:
        origins = origins_of(name, path, tree.lookups())
        assert len(set(origins)) == len(origins)
        for origin in origins:
            assert origin.path in files
            if origin.is_defined and origin.name:
                assert origin.name.partition(".")[0] in files[origin.path][0].split()


def test_an_origin_is_path_name_and_whether_it_is_defined() -> None:
    """Callers unpack it."""
    assert (Origin("a.py", "x", True),) == origins_of("x", "a.py", Tree({"a.py": ("x", [])}).lookups())


def test_a_rust_module_without_a_body_is_the_file_of_its_name() -> None:
    """Each crate's root leads to its modules' files, `#[cfg(test)]` and visibility aside, and names are followed."""
    tree = Tree(
        {
            "src/lib.rs": ("", ["mod cache;", "pub mod store;", "mod missing;"]),
            "src/cache.rs": ("Cache", ["mod slot;"]),
            "src/cache/slot.rs": ("Slot", []),
            "src/store/mod.rs": ("Store", []),
        }
    )
    edges = file_edges(tree.rows(), tree.modules)
    assert ("src/cache.rs", "src/store/mod.rs") == imported(edges, "src/lib.rs")
    assert ("src/cache.rs",) == importers(edges, "src/cache/slot.rs")
    assert ["src/cache.rs#Cache"] == found(tree, "cache::Cache", "src/lib.rs")
