"""Trees that would harm a careless reader: every trap costs its own file at most, is named, and the rest is found."""

from __future__ import annotations

import io
import json
import os
import pickle
import re
import socket
import struct
import zipfile
import zlib
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.integration.conftest import Sandbox

CODE = '"""Doc."""\n\n\ndef needle_function(argument):\n    """Find me."""\n    return argument\n'


def _reasons(sandbox: Sandbox, kind: str) -> dict[str, str]:
    return {row["path"]: row["reason"] for row in sandbox.json("stats")["index"][kind]}


def _folded(unit: str, size: int) -> str:
    """Return so many bytes of a unit, in lines short enough not to look minified."""
    text = (unit * (size // len(unit) + 1))[:size]
    return "\n".join(text[at : at + 300] for at in range(0, size, 300)) + "\n"


def _bystanders(count: int = 3) -> dict[str, str]:
    return {f"pkg/m{n}.py": CODE.replace("needle_function", f"needle_{n}") for n in range(count)}


# --- grammars --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_update", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_text_that_takes_a_grammar_gigabytes_costs_its_definitions(sandbox: Sandbox, is_update: bool) -> None:
    """A file that would take 14 GB and a minute is found by its words, in the first build and in an update of it."""
    sandbox.write(_bystanders())
    if is_update:
        sandbox.ok("index")
    sandbox.write({"A.java": "class Bomb { /* bombword */ }\n" + _folded("a<", 65_536)})
    assert ["A.java"] == sandbox.paths("bombword")
    # On a machine with much else to do the parser's deadline comes before the limit.
    named = _reasons(sandbox, "failed")
    assert ["A.java"] == list(named)
    assert re.search(r"takes more than 768 MiB of memory|took longer than 5 s", named["A.java"]), named
    assert "pkg/m1.py" == sandbox.paths("needle_1")[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("a.py", "("),
        ("a.js", "["),
        ("a.ts", "a<b,"),
        ("a.tsx", "<a>{"),
        ("a.go", "*"),
        ("a.rs", "{"),
        ("A.java", "a<"),
        ("a.c", "f("),
        ("a.cpp", "!a<"),
        ("a.rb", "a?b:"),
        ("a.php", "$a->"),
        ("a.cs", "a<b,"),
        ("a.sh", "$("),
    ],
)
@pytest.mark.parametrize("size", [65_536, 1_000_000])
def test_no_nesting_takes_a_build_down(sandbox: Sandbox, name: str, unit: str, size: int) -> None:
    """Whatever a grammar makes of it, the build ends, and the file is in the index or named."""
    sandbox.write({**_bystanders(), name: ("<?php\n" if name == "a.php" else "") + _folded(unit, size)})
    sandbox.ok("index")
    assert 4 == sandbox.json("stats")["index"]["files"]
    assert "pkg/m1.py" == sandbox.paths("needle_1")[0]


@pytest.mark.slow
def test_50_000_functions_in_one_file(sandbox: Sandbox) -> None:
    """Each of them is found and handed out."""
    sandbox.write({"many.py": "".join(f"def tiny_{n}(a):\n    return a\n" for n in range(50_000))})
    hit = sandbox.json("search", "tiny_49321")["hits"][0]
    assert ("tiny_49321", 2 * 49_321 + 1) == (hit["name"], hit["start_line"])
    assert "def tiny_49321(a):\n    return a\n" in sandbox.ok("get", hit["id"]).out


@pytest.mark.parametrize(
    "name", ["deep.ipynb", *(pytest.param(it, marks=pytest.mark.slow) for it in ("deep.json", "deep.py", "deep.js"))]
)
def test_100_000_levels_of_brackets(sandbox: Sandbox, name: str) -> None:
    """Nothing that reads it recurses into it."""
    sandbox.write({name: "\n".join(["[" * 100] * 1_000 + ["0"] + ["]" * 100] * 1_000) + "\n", "a.py": CODE})
    assert ["a.py"] == sandbox.paths("needle_function")
    assert {name, "a.py"} == {path for path in (name, "a.py") if sandbox.run("get", path).exit_code == 0}


def test_very_long_identifiers_and_lines(sandbox: Sandbox) -> None:
    """A name of 50,000 characters and a literal of 90,000 are text like any other; one line of 1.9 MB is not."""
    name = "endless" + "_name" * 10_000
    sandbox.write(
        {
            "long.py": f"def {name}(argument):\n    return 'needleword'\n\n\nx = '{'a ' * 45_000}'\n"
            + "y = 1\n" * 2_000,
            "line.js": "var needle=1;" * 150_000,
            "data.csv": "1,2,3," * 900_000,
        }
    )
    assert ["long.py"] == sandbox.paths("needleword")
    assert {"line.js": "minified", "data.csv": "larger than 2 MiB"} == _reasons(sandbox, "skipped")


# --- what programs wrote ---------------------------------------------------------------------------------------------


def test_minified_bundles(sandbox: Sandbox) -> None:
    """They are left out, `ctx stats` says why, and whoever asks for one by name gets it."""
    bundle = "!function(e){var t={};function n(r){return needle_bundle(r)}}([]);" * 2_000
    sandbox.write({"dist/app.min.js": bundle, "src/app.js": "function source() { return 1; }\n"})
    assert 1 == sandbox.run("search", "needle_bundle").exit_code
    assert {"dist/app.min.js": "minified"} == _reasons(sandbox, "skipped")
    assert "dist/app.min.js: minified" in sandbox.ok("stats").out
    assert "needle_bundle" in sandbox.ok("get", "dist/app.min.js", "--mode", "raw", "--budget", "100000").out


def test_generated_and_vendored_code_stands_behind_what_people_wrote(sandbox: Sandbox) -> None:
    """It is indexed and found, after the same words in a hand-written file, and first when asked for by path."""
    told = {
        "proto/shop_pb2.py": "# Generated by the protocol buffer compiler.  DO NOT EDIT!\n" + CODE,
        "vendor/lib/shop.py": CODE + "\n\ndef only_in_vendor():\n    pass\n",
        "zz/handwritten.py": CODE,
    }
    go = "// Code generated by protoc-gen-go. DO NOT EDIT.\npackage p\n\nfunc Gopher() int { return 1 }\n"
    sandbox.write({**told, "proto/shop.pb.go": go, "proto/shop.pb.cc": "int serialized() { return 1; }\n"})
    found = sandbox.paths("needle_function")
    assert "zz/handwritten.py" == found[0]
    assert set(told) == set(found)
    assert ["proto/shop.pb.go"] == sandbox.paths("Gopher")
    assert ["proto/shop.pb.cc"] == sandbox.paths("serialized")
    assert "vendor/lib/shop.py" == sandbox.paths("only_in_vendor")[0]
    by_path = sandbox.json("search", "needle_function", "--path", "vendor/")["hits"]
    assert {"vendor/lib/shop.py"} == {hit["path"] for hit in by_path}


# --- notebooks -------------------------------------------------------------------------------------------------------


def _notebook(*cells: tuple[str, str]) -> str:
    figure = {"output_type": "display_data", "metadata": {}, "data": {"image/png": "iVBORneedlepng" * 20_000}}
    made = [
        {"cell_type": kind, "metadata": {}, "source": source.splitlines(keepends=True)}
        | ({"execution_count": 1, "outputs": [figure]} if kind == "code" else {})
        for kind, source in cells
    ]
    return json.dumps({"cells": made, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}, indent=1) + "\n"


def test_notebooks_are_their_cells(sandbox: Sandbox) -> None:
    """Cells are found and shown as a person wrote them, at the lines of the file; outputs are not there."""
    text = _notebook(
        ("markdown", "# Churn model\n\nWho leaves, and why."),
        (
            "code",
            "import pandas\n\ndef load_needle_events(path):\n    '''Read it.'''\n    return pandas.read(path)\n",
        ),
    )
    sandbox.write({"study.ipynb": text})
    hit = sandbox.json("search", "load_needle_events")["hits"][0]
    assert ("study.ipynb", "load_needle_events") == (hit["path"], hit["qualname"])
    rows = text.split("\n")[hit["start_line"] - 1 : hit["end_line"]]
    assert '"source": [' in rows[0]
    assert "return pandas.read(path)" in rows[-1]
    shown = sandbox.ok("get", hit["id"]).out
    assert "def load_needle_events(path):\n    '''Read it.'''\n    return pandas.read(path)" in shown
    assert "# Churn model\n\nWho leaves, and why." in sandbox.ok("get", "study.ipynb#churn-model").out
    assert "def load_needle_events(path)" in sandbox.ok("get", "study.ipynb").out
    assert 1 == sandbox.run("search", "iVBORneedlepng").exit_code
    assert "iVBOR" not in sandbox.ok("get", "study.ipynb", "--mode", "raw").out


def test_a_broken_notebook_is_text(sandbox: Sandbox) -> None:
    """What is left of it is found, and named as no notebook."""
    sandbox.write({"torn.ipynb": _notebook(("code", "needle_torn = 1\n")).replace("iVBORneedlepng", "")[:-20]})
    assert ["torn.ipynb"] == sandbox.paths("needle_torn")
    reason = _reasons(sandbox, "failed")["torn.ipynb"]
    assert reason.startswith("not a notebook: no JSON")
    assert reason.endswith("; indexed as text")


# --- names that lie --------------------------------------------------------------------------------------------------


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("needle.py", CODE)
    return buffer.getvalue()


def _png() -> bytes:
    def part(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = part(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + part(b"IDAT", zlib.compress(b"\0" * 20)) + part(b"IEND", b"")


BINARIES: dict[str, Callable[[], bytes]] = {
    "picture.py": _png,
    "archive.py": _zip,
    "program.py": lambda: b"\x7fELF\x02\x01\x01" + b"\0" * 100 + b"needle_elf" * 10,
    "pickled.py": lambda: pickle.dumps({"needle_pickle": list(range(300))}, protocol=4),
    "film.ts": lambda: (b"\x47\x40\x11\x10\x00" + b"needle_film" + b"\xff" * 172) * 50,
}


def test_binaries_under_the_names_of_source_files(sandbox: Sandbox) -> None:
    """Nothing of them is indexed, whatever they are called."""
    sandbox.write({name: make() for name, make in BINARIES.items()} | {"a.py": CODE})
    assert ["a.py"] == sandbox.paths("needle_function")
    assert dict.fromkeys(BINARIES, "binary") == _reasons(sandbox, "skipped")


@pytest.mark.parametrize(
    ("name", "text", "language"),
    [
        ("tool.txt", "#!/usr/bin/env python3\n" + CODE, "python"),
        ("tool", "#!/usr/bin/python3 -u\n" + CODE, "python"),
        ("runner", "#!/bin/sh\nneedle_function() {\n  echo\n}\n", "bash"),
        ("header.h", "template <class T>\nint needle_function(T value) {\n  return 1;\n}\n", "cpp"),
        ("view.h", "#import <Foundation/Foundation.h>\n@interface Needle_function : NSObject\n@end\n", "text"),
        ("view.m", "@implementation needle_function\n@end\n", "text"),
        ("qt.ts", '<?xml version="1.0"?>\n<!DOCTYPE TS>\n<TS><source>needle_function</source></TS>\n', "text"),
        ("data.js", '{"needle_function": [1, 2]}\n', "text"),
    ],
)
def test_what_a_file_is_decides_over_its_name(sandbox: Sandbox, name: str, text: str, language: str) -> None:
    """The text corrects the ending."""
    sandbox.write({name: text})
    hit = sandbox.json("search", "needle_function")["hits"][0]
    assert (name, language) == (hit["path"], hit["lang"])


def test_names_that_differ_in_case_alone(sandbox: Sandbox) -> None:
    """Each is a file of its own."""
    sandbox.write({"readme.py": CODE, "README.py": "def other():\n    pass\n"})
    if len(os.listdir(sandbox.segment)) < 2:
        pytest.skip("this file system knows no case")
    assert ["readme.py"] == sandbox.paths("needle_function")
    assert ["README.py"] == sandbox.paths("other")
    assert "def other()" in sandbox.ok("get", "README.py").out


# --- what is no file -------------------------------------------------------------------------------------------------


def test_fifos_sockets_and_devices(sandbox: Sandbox) -> None:
    """Nothing waits for a writer, connects or reads a device; each is named."""
    sandbox.write({"a.py": CODE})
    os.mkfifo(sandbox.segment / "pipe.py")
    endless = sandbox.segment / "zero.py"
    expected = {"pipe.py", "door.py"}
    try:
        os.mknod(endless, 0o600 | 0o020000, os.makedev(1, 5))
        expected.add("zero.py")
    except PermissionError:  # only root makes devices
        pass
    folder = os.open(sandbox.segment, os.O_PATH)
    with socket.socket(socket.AF_UNIX) as door:
        door.bind(f"/proc/self/fd/{folder}/door.py")  # a socket's path has to be short, a segment's need not be
        os.close(folder)
        assert ["a.py"] == sandbox.paths("needle_function")
        assert dict.fromkeys(expected, "not a regular file") == _reasons(sandbox, "skipped")
        for name in expected:
            run = sandbox.run("get", name)
            assert (1, "") == (run.exit_code, run.out)
            assert f"{name}: the file is there and not indexed" in run.complaint


# --- what changes under the command ----------------------------------------------------------------------------------


def _tree(sandbox: Sandbox, count: int) -> None:
    body = "".join(f"def filler_{n}(value):\n    return value * {n}\n\n\n" for n in range(20))
    sandbox.write({f"d{n % 20}/m{n}.py": f"def needle_{n}():\n    return {n}\n\n\n{body}" for n in range(count)})


def _size(path: Path) -> int:
    """A file's bytes; 0 for one that is not there, or goes away while it is looked at."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _start_and_wait_for(sandbox: Sandbox, path: Path) -> Callable[[], tuple[int, str]]:
    """Start a build and return once it has written to a file; what is returned waits for its end."""
    while True:
        process = sandbox.start("index")
        while process.poll() is None and not _size(path):
            os.sched_yield()
        if process.poll() is None:
            break
        # We stood still for as long as it took: another one.
        assert 0 == sandbox.finish(process).exit_code
        for made in sandbox.segment.glob("_ctx/index.db*"):
            made.unlink()

    def end() -> tuple[int, str]:
        run = sandbox.finish(process)
        assert "Traceback" not in run.err, run
        assert "internal error" not in run.err, run
        return run.exit_code, run.err

    return end


def test_a_segment_deleted_during_the_build(sandbox: Sandbox) -> None:
    """Whatever of it is noticed is said in lines of ours; nothing is left running."""
    _tree(sandbox, 500)
    end = _start_and_wait_for(sandbox, sandbox.segment / "_ctx/index.db-wal")
    sandbox.remove_segment()
    code, err = end()
    assert code in {0, 3}, err
    assert all(line.startswith("ctx: ") for line in err.splitlines()), err


@pytest.mark.parametrize(
    "damage", ["truncated", *(pytest.param(it, marks=pytest.mark.slow) for it in ("garbage", "deleted"))]
)
def test_an_index_spoiled_during_the_build(sandbox: Sandbox, damage: str) -> None:
    """No signal, no traceback; the next command finds the damage, builds anew and answers right."""
    _tree(sandbox, 50)
    index = sandbox.segment / "_ctx/index.db"
    sandbox.ok("index")
    _tree(sandbox, 500)
    wal = sandbox.segment / "_ctx/index.db-wal"
    end = _start_and_wait_for(sandbox, wal)
    if damage == "garbage":
        with index.open("rb+") as file:
            file.write(b"no index " * 100_000)
    elif damage == "truncated":
        os.truncate(index, 5_000)
    else:
        for path in sandbox.segment.glob("_ctx/index.db*"):
            path.unlink()
    code, err = end()
    assert code in {0, 3}, err
    run = sandbox.run("search", "needle_477", "--json")
    assert 0 == run.exit_code, run
    assert "d17/m477.py" == run.document["hits"][0]["path"]
    assert 500 == run.document["index"]["files"]


def test_a_file_truncated_while_a_search_reads_its_index(sandbox: Sandbox) -> None:
    """Searches beside a program that cuts the index off are answered or refused in one line, never killed."""
    _tree(sandbox, 100)
    sandbox.ok("index")
    index = sandbox.segment / "_ctx/index.db"
    started = [sandbox.start("search", "needle_77") for _ in range(4)]
    os.truncate(index, index.stat().st_size // 2)
    for process in started:
        run = sandbox.finish(process)
        assert run.exit_code in {0, 3}, run
        assert "Traceback" not in run.err
    assert "d17/m77.py" in sandbox.run("search", "needle_77").out
