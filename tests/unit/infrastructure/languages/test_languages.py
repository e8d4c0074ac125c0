"""Which language a file is in: by its name, corrected by what its text shows."""

from __future__ import annotations

import importlib.metadata
import re

import pytest

from ctx.infrastructure.languages import (
    LANGUAGES,
    MARKDOWN,
    TEXT,
    extraction_version,
    grammar_of,
    language_of,
    parsable,
    query_source,
)

_NAMES = [row.name for row in LANGUAGES]


@pytest.mark.parametrize(
    ("path", "language"),
    [
        ("a/b.py", "python"),
        ("a.PYI", "python"),
        ("web/app.jsx", "javascript"),
        ("web/app.mjs", "javascript"),
        ("web/app.cts", "typescript"),
        ("web/App.tsx", "tsx"),
        ("x.go", "go"),
        ("x.rs", "rust"),
        ("X.java", "java"),
        ("x.h", "c"),
        ("x.hh", "cpp"),
        ("Rakefile", "ruby"),
        ("x.gemspec", "ruby"),
        ("x.phtml", "php"),
        ("x.cs", "csharp"),
        (".bashrc", "bash"),
        ("x.bats", "bash"),
        ("README.md", MARKDOWN),
        ("Makefile", TEXT),
        (".py", TEXT),
        ("py", TEXT),
        ("x.unknown", TEXT),
    ],
)
def test_a_name_alone_says_the_language(path: str, language: str) -> None:
    """Endings in any case, whole names, and text for everything else."""
    assert language == language_of(path)


@pytest.mark.parametrize(
    ("path", "source", "language"),
    [
        # scripts without an ending go by their first line
        ("bin/tool", b"#!/usr/bin/env python3\n", "python"),
        ("bin/tool", b"#!/usr/bin/python3.11 -u\n", "python"),
        ("bin/tool", b"#! /bin/sh\n", "bash"),
        ("bin/tool", b"#!/usr/bin/env -S node --no-warnings\n", "javascript"),
        ("bin/tool", b"#!/usr/bin/env -S LANG=C ruby -w\n", "ruby"),
        ("bin/tool", b"#!/usr/bin/env deno run\r\n", "typescript"),
        ("bin/tool", b"#!/usr/bin/awk -f\n", TEXT),
        ("bin/tool", b"#!\n", TEXT),
        ("bin/tool", b"no script\n", TEXT),
        ("deploy.sh", b"#!/usr/bin/env python\n", "python"),
        ("deploy.sh", b"#!/usr/bin/perl\n", "bash"),
        # any other ending is believed before a first line
        ("launch.py", b"#!/bin/sh\n'''exec' python3 \"$0\"\n", "python"),
        ("notes.md", b"#!/bin/sh\n", MARKDOWN),
        # headers
        ("a.h", b"int f(void);\n", "c"),
        ("a.h", b"// class of its own\nint f(void);\nstruct s { int private; };\n", "c"),
        ("a.h", b'#ifdef __cplusplus\nextern "C" {\n#endif\nint f(void);\n', "c"),
        ("a.h", b"#include <vector>\nint f();\n", "cpp"),
        ("a.h", b"#include <stdio.h>\nint f();\n", "c"),
        ("a.h", b"namespace a {\n}\n", "cpp"),
        ("a.h", b"  template <typename T>\nT f();\n", "cpp"),
        ("a.h", b"class EXPORT A : public B {\n};\n", "cpp"),
        ("a.h", b"struct A {\n public:\n  int f();\n};\n", "cpp"),
        ("a.h", b"@interface A : NSObject\n@end\n", TEXT),
        # data and pages under a program's ending
        ("a.js", b'{"a": 1}\n', TEXT),
        ("a.js", b'\n[\n  {"a": 1}\n]\n', TEXT),
        ("a.js", b"{ const x = 1 }\n", "javascript"),
        ("a.js", b"[1, 2].forEach(f)\n", TEXT),
        ("a.js", b"<!DOCTYPE html>\n<html>\n", TEXT),
        ("a.js", b"/* @flow strict */\nexport type A = number\n", "tsx"),
        ("a.js", b"// @flow\n", "tsx"),
        ("a.ts", b'<?xml version="1.0"?>\n<TS version="2.1"></TS>\n', TEXT),
        ("a.ts", b"const a = <T>(x: T) => x\n", "typescript"),
        ("a.php", b"<html><?php echo 1 ?></html>\n", "php"),
    ],
)
def test_the_text_corrects_a_name_that_says_nothing_or_lies(path: str, source: bytes, language: str) -> None:
    """First lines, headers of C++ in .h, JSON in .js, markup, Flow."""
    assert language == language_of(path, source)


def test_no_two_languages_claim_one_name() -> None:
    """Endings, file names and interpreters each lead to one language."""
    for claims in (
        [extension for row in LANGUAGES for extension in row.extensions],
        [name for row in LANGUAGES for name in row.file_names],
        [program for row in LANGUAGES for program in row.interpreters],
    ):
        assert sorted(set(claims)) == sorted(claims)


@pytest.mark.parametrize("language", _NAMES)
def test_a_query_uses_only_the_captures_that_are_read(language: str) -> None:
    """A misspelt capture would silently find nothing."""
    from tree_sitter import Query

    query = Query(grammar_of(language), query_source(language))
    captures = {query.capture_name(at) for at in range(query.capture_count)}
    known = {"name", "body", "scope", "namespace", "decorator", "doc", "comment", "import", "bound"}
    assert {c for c in captures if not c.startswith(("definition.", "_"))} <= known


@pytest.mark.parametrize("language", _NAMES)
def test_a_query_defines_only_kinds_of_the_vocabulary(language: str) -> None:
    """Kinds are filtered for by name: one word for one thing in all languages."""
    from typing import get_args

    from ctx.domain.symbols import Kind

    kinds = set(re.findall(r"@definition\.(\w+)", query_source(language)))
    assert kinds
    assert kinds <= set(get_args(Kind))


@pytest.mark.parametrize("language", _NAMES)
def test_the_extraction_version_names_the_grammar_s(language: str) -> None:
    """A new grammar makes what is cached stale."""
    row = next(row for row in LANGUAGES if row.name == language)
    grammar = importlib.metadata.version(row.grammar_module.replace("_", "-"))
    assert re.fullmatch(re.escape(grammar) + r"-[0-9a-f]{8}", extraction_version(language))


@pytest.mark.parametrize(
    ("source", "parsed"),
    [
        (b"class EXPORT A {", b"class        A {"),
        (b"class API_(1) A final : B {", b"class         A final : B {"),
        (b"struct LIB_API A<int> {", b"struct         A<int> {"),
        (b"class ABC {", b"class ABC {"),
        (b"class ABC final {", b"class ABC final {"),
        (b"class Abc Def {", b"class Abc Def {"),
        (b"struct ABC a = {", b"struct ABC a = {"),
        (b"struct ABC f() {", b"struct ABC f() {"),
    ],
)
def test_export_macros_are_blanked_for_the_grammar_of_cpp(source: bytes, parsed: bytes) -> None:
    """Only between `class` and a name; every byte stays in its place."""
    assert parsed == parsable("cpp", source)
    assert source == parsable("java", source)
