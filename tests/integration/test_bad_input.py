"""Every kind of bad input gets one clear line, the right exit code and no traceback, and loses nothing."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.integration.conftest import Sandbox

CODE = '"""Doc."""\n\n\ndef needle_function(argument):\n    """Find me."""\n    return argument\n'


def _skipped(sandbox: Sandbox) -> dict[str, str]:
    return {row["path"]: row["reason"] for row in sandbox.json("stats")["index"]["skipped"]}


# --- trees -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["index", "build", "sync", "stats", "doctor"])
def test_empty_folder(sandbox: Sandbox, command: str) -> None:
    """Nothing to do in an empty folder is no failure of the commands that make or describe an index."""
    run = sandbox.run(command, "--json")
    assert (0 if command != "doctor" else 1, "") == (run.exit_code, run.err)
    assert f"ctx.{command}/1" == run.document["schema"]


def test_empty_folder_search(sandbox: Sandbox) -> None:
    """A search in an empty folder says that there is nothing to search."""
    run = sandbox.run("search", "needle")
    assert (1, "") == (run.exit_code, run.out)
    assert "no hits for 'needle': nothing is indexed: the segment holds no readable text file" == run.complaint


def test_no_python_at_all(sandbox: Sandbox) -> None:
    """Other text is indexed as text: a word in a C file and a heading in Markdown are found."""
    sandbox.write({"main.c": "int needle(void) { return 0; }\n", "NOTES.md": "# Needles\n\nSharp.\n"})
    assert {"main.c", "NOTES.md"} == set(sandbox.paths("needle")) | set(sandbox.paths("sharp"))
    run = sandbox.ok("get", "main.c", "--mode", "raw")
    assert "int needle(void)" in run.out


def test_file_of_50_megabytes(sandbox: Sandbox) -> None:
    """A file over the limit is left out with its reason, the rest is found, and asking for it says why not."""
    sandbox.write({"a.py": CODE})
    with (sandbox.segment / "huge.py").open("wb") as file:
        for _ in range(50):
            file.write(b"needle_variable = 'some text to fill the line with'\n" * 20_165)
    assert (sandbox.segment / "huge.py").stat().st_size > 50_000_000
    assert ["a.py"] == sandbox.paths("needle_function")
    assert {"huge.py": "larger than 2 MiB"} == _skipped(sandbox)
    run = sandbox.run("get", "huge.py")
    assert (2, "") == (run.exit_code, run.out)
    assert "huge.py: larger than 2 MiB" in run.complaint


def test_ten_thousand_tiny_files(sandbox: Sandbox) -> None:
    """Many files are one index like any other, and the second search reads none of them."""
    for folder in range(100):
        directory = sandbox.segment / f"d{folder:02}"
        directory.mkdir()
        for n in range(100):
            (directory / f"m{n:02}.py").write_text(f"tiny_value_{folder}_{n} = {n}\n")
    found = sandbox.json("search", "tiny_value_42_17")
    assert "d42/m17.py" == found["hits"][0]["path"]
    assert 10_000 == found["index"]["files"]
    assert 0 < sandbox.telemetry_file("last_run.json")["metrics_delta"]["index_read_bytes_total"]
    assert "d42/m17.py" == sandbox.paths("tiny_value_42_17")[0]
    assert "index_read_bytes_total" not in sandbox.telemetry_file("last_run.json")["metrics_delta"]


# --- texts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "encoding"),
    [
        ("latin1.py", "# -*- coding: latin-1 -*-\ndef straße(): return 'é'\n".encode("latin-1"), "declared latin-1"),
        ("undeclared.py", "def strasse():\n    return 'é'\n".encode("latin-1"), "bytes that are no UTF-8"),
        ("utf16.py", "def wide_name():\n    return 'é'\n".encode("utf-16"), "UTF-16 with its mark"),
        ("bom.py", b"\xef\xbb\xbfdef marked_name():\n    return 1\n", "UTF-8 with a mark"),
        ("crlf.py", b"def dos_name():\r\n    '''Doc.'''\r\n    return 1\r\n", "CRLF"),
        ("feed.py", b"import os\n\x0c\ndef after_the_feed():\n    return os\n", "form feed"),
        ("cr.py", b"def old_mac():\r    return 1\r", "lone CR"),
        ("tail.py", b"def no_newline(): return 1", "no newline at the end"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else "",
)
def test_encodings_and_line_ends(sandbox: Sandbox, name: str, data: bytes, encoding: str) -> None:
    """A definition is found by its name and handed out whole, whatever the bytes it is written in."""
    sandbox.write({name: data})
    identifier = next(
        word
        for word in (
            "straße",
            "strasse",
            "wide_name",
            "marked_name",
            "dos_name",
            "after_the_feed",
            "old_mac",
            "no_newline",
        )
        if word.encode("utf-16-le") in data or word.encode("latin-1") in data
    )
    hit = sandbox.json("search", identifier)["hits"][0]
    assert (name, identifier) == (hit["path"], hit["name"]), encoding
    (item,) = sandbox.json("get", hit["id"], "--mode", "raw")["items"]
    assert f"def {identifier}()" in item["text"], encoding
    assert "\N{REPLACEMENT CHARACTER}" not in item["text"], encoding


def test_nul_bytes(sandbox: Sandbox) -> None:
    """A file with NUL is binary: left out with the reason, and not handed out."""
    sandbox.write({"nul.py": b"def needle():\n    return '\0'\n", "a.py": CODE})
    assert ["a.py"] == sandbox.paths("needle")
    assert {"nul.py": "binary"} == _skipped(sandbox)
    run = sandbox.run("get", "nul.py", "--mode", "raw")
    assert (2, "") == (run.exit_code, run.out)
    assert "nul.py: binary" in run.complaint


@pytest.mark.parametrize(
    "broken",
    [
        "def needle_function(argument:\n    return (((\n\n\ndef whole_function():\n    return 1\n",
        "class Half\n    def needle_function(self) -> :\n        pass\n\n\ndef whole_function():\n    return 1\n",
        "<<<<<<< HEAD\ndef needle_function(): ...\n=======\n>>>>>>> other\n\n\ndef whole_function():\n    return 1\n",
        "'''never closed\ndef needle_function(): whole_function\n",
    ],
)
def test_syntax_errors(sandbox: Sandbox, broken: str) -> None:
    """A file that does not parse is still found by its words and named as partial."""
    sandbox.write({"broken.py": broken})
    for word in ("needle_function", "whole_function"):
        assert ["broken.py"] == list(dict.fromkeys(sandbox.paths(word))), word
    assert broken == sandbox.json("get", "broken.py", "--mode", "raw")["items"][0]["text"]
    assert "broken.py" in str(sandbox.json("stats")["index"]["partial"])
    for mode in ("skeleton", "excerpt"):
        assert 0 == sandbox.run("get", "broken.py", "--mode", mode).exit_code


@pytest.mark.parametrize(
    "deep",
    [
        "x = " + "(" * 10_000 + "1" + ")" * 10_000 + "\n",
        "x = " + "[" * 10_000 + "\n",
        "".join("    " * min(n, 90) + f"def f{n}():\n" for n in range(200)) + "    " * 91 + "pass\n",
        "".join(" " * n + "if x:\n" for n in range(1_400)) + " " * 1_400 + "pass\n",
        "x = " + "-" * 10_000 + "1\n",
        "x = " + " + ".join("y" for _ in range(10_000)) + "\n",
        "x = a" + ".b" * 10_000 + "\n",
        "".join("#" * (n % 6 + 1) + f" heading {n}\n" for n in range(10_000)),
    ],
    ids=["parentheses", "unclosed", "functions", "indents", "unary", "sum", "attributes", "comments"],
)
def test_deep_nesting(sandbox: Sandbox, deep: str) -> None:
    """Code nested 10,000 levels deep neither crashes nor hangs, and the files beside it are found."""
    sandbox.write({"deep.py": deep, "a.py": CODE})
    assert "a.py" in sandbox.paths("needle_function")
    for mode in ("skeleton", "excerpt", "raw"):
        run = sandbox.run("get", "deep.py", "--mode", mode, "--budget", "1000000", "--json")
        assert run.exit_code in {0, 1}, run
        assert "Traceback" not in run.err
        assert "internal error" not in run.err


def test_deep_folders(sandbox: Sandbox) -> None:
    """A file 400 folders down is found and handed out."""
    path = "/".join(["d"] * 400) + "/a.py"
    sandbox.write({path: CODE})
    (hit,) = sandbox.json("search", "needle_function")["hits"]
    assert path == hit["path"]
    sandbox.ok("get", hit["id"])


# --- links, names, permissions ---------------------------------------------------------------------------------------


def test_links_in_a_loop_and_to_the_outside(sandbox: Sandbox) -> None:
    """Loops end, links out of the segment hand nothing out, and a linked file is found once."""
    outside = sandbox.root / "outside"
    sandbox.write({"secret.py": "def outside_secret(): ...\n"}, below=outside)
    sandbox.write({"pkg/a.py": CODE})
    (sandbox.segment / "pkg/loop").symlink_to("..")
    (sandbox.segment / "self").symlink_to("self")
    (sandbox.segment / "out").symlink_to(outside)
    (sandbox.segment / "out.py").symlink_to(outside / "secret.py")
    (sandbox.segment / "alias.py").symlink_to("pkg/a.py")
    (sandbox.segment / "dangling.py").symlink_to("nowhere.py")

    assert ["pkg/a.py"] == sandbox.paths("needle_function")
    assert 1 == sandbox.run("search", "outside_secret").exit_code
    for target in ("out.py", "out/secret.py", "out.py#outside_secret", "out.py:1"):
        run = sandbox.run("get", target)
        assert 2 == run.exit_code, target
        assert "outside the segment" in run.complaint
        assert "outside_secret()" not in run.out + run.err
    for target in ("self", "dangling.py"):
        run = sandbox.run("get", target)
        assert run.exit_code in {1, 2}, target
        assert target in run.complaint
    assert "needle_function" in sandbox.ok("get", "alias.py").out
    assert "needle_function" in sandbox.ok("get", "pkg/loop/pkg/loop/pkg/a.py").out


AWKWARD_NAMES = (
    b"with space.py",
    b"new\nline.py",
    b"tab\tand\rreturn.py",
    b"caf\xe9.py",
    "café.py".encode(),
    "日本語.py".encode(),
    b"quote'\".py",
    b"-dash.py",
    b"--json.py",
    b"a#b@c.py",
    b"colon:12.py",
    b"[brackets]*?.py",
    b"back\\slash.py",
    b"$(touch pwned).py",
    b"%41.py",
    b"\x1b[31mred.py",
)


def test_awkward_file_names(sandbox: Sandbox) -> None:
    """Every file is found under a printable name of one line, and its id, its path and its bytes get it back."""
    texts = [f"def needle_{n}_end():\n    return {n}\n" for n in range(len(AWKWARD_NAMES))]
    for name, text in zip(AWKWARD_NAMES, texts, strict=True):
        with open(os.path.join(os.fsencode(sandbox.segment), name), "wb") as file:
            file.write(text.encode())
    hits = sandbox.json("search", "needle end", "--limit", "100", "--budget", "10000")["hits"]
    hits = sorted((hit for hit in hits if hit["kind"] == "function"), key=lambda hit: int(hit["name"].split("_")[1]))
    assert [f"needle_{n}_end" for n in range(len(AWKWARD_NAMES))] == [hit["name"] for hit in hits]
    assert all(hit["path"].isprintable() for hit in hits)
    for targets in ([hit["id"] for hit in hits], [hit["path"] for hit in hits], AWKWARD_NAMES):
        run = sandbox.ok("get", "--json", "--mode", "raw", "--", *targets)
        assert texts == [item["text"] for item in run.document["items"]], targets
        json.dumps(run.document, ensure_ascii=False).encode()  # no surrogate in it
    for command in (("search", "needle end", "-n", "100"), ("get", "--", *AWKWARD_NAMES), ("stats",)):
        assert all(line.isprintable() for line in sandbox.ok(*command).out.splitlines()), command
    assert not (sandbox.segment / "pwned").exists()


def test_segment_of_an_awkward_name(sandbox: Sandbox) -> None:
    """A segment whose own name is no UTF-8 works like any other."""
    segment = os.path.join(os.fsencode(sandbox.root), b"caf\xe9 \n dir")
    os.mkdir(segment)
    for n in range(500):  # enough for worker processes
        with open(os.path.join(segment, b"m%d.py" % n), "wb") as file:
            file.write(b"def needle_function_%d(): ...\n" % n)
    for arguments in (("search", "needle_function_7", "-s", segment), ("index", "-s", segment)):
        run = sandbox.ok(*arguments, "--json")
        assert "caf\\xe9 \\n dir" == run.document["segment"]
    assert "m7.py" == sandbox.ok("search", "needle_function_7", "--json", cwd=segment).document["hits"][0]["path"]


def test_no_permission(repository: Sandbox) -> None:
    """A file and a folder that may not be read are named with the reason; the rest answers."""
    repository.write({"locked.py": CODE, "vault/inside.py": CODE, "a.py": CODE})
    (repository.segment / "locked.py").chmod(0)
    (repository.segment / "vault").chmod(0)
    try:
        run = repository.run("search", "needle_function", "--json", obeys_permissions=True)
        assert (0, "") == (run.exit_code, run.err)
        assert ["a.py"] == [hit["path"] for hit in run.document["hits"]]
        stats = repository.run("stats", "--json", obeys_permissions=True).document
        reasons = {row["path"]: row["reason"] for row in stats["index"]["skipped"]}
        assert {"locked.py", "vault"} == {path for path, reason in reasons.items() if "not readable" in reason}
        for target in ("locked.py", "vault/inside.py"):
            run = repository.run("get", target, obeys_permissions=True)
            assert run.exit_code in {1, 3}, run
            assert target in run.complaint
    finally:
        (repository.segment / "vault").chmod(stat.S_IRWXU)
        (repository.segment / "locked.py").chmod(stat.S_IRUSR | stat.S_IWUSR)
    # Permission given back changes no mtime of the file: its directory's listing tells.
    repository.ok("index")
    assert {"a.py", "locked.py", "vault/inside.py"} == set(repository.paths("needle_function"))


def test_deleted_segment(repository: Sandbox) -> None:
    """A current directory that was deleted, or a segment that is none, is said in one line."""
    gone = repository.root / "gone"
    gone.mkdir()
    run = repository.run(
        "-c",
        "import os, sys; os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]);"
        "os.execv(sys.executable, [sys.executable, '-P', '-m', 'ctx', 'search', 'x'])",
        str(gone),
        program=(),
    )
    assert 3 == run.exit_code, run
    assert "the current directory was deleted" in run.complaint
    for path in ("nowhere", "README.md"):
        run = repository.run("search", "x", "--segment", path)
        assert 2 == run.exit_code
        assert path in run.complaint


def test_files_deleted_during_the_run(sandbox: Sandbox) -> None:
    """Files that vanish between the listing and the reading are left out; the command answers with the rest."""
    for n in range(1_500):
        sandbox.write({f"d{n % 30}/m{n}.py": f"def vanishing_{n}():\n    return {n}\n"})
    sandbox.write({"a.py": CODE})
    process = sandbox.start("search", "needle_function", "--json")
    for n in range(1_499, 0, -1):  # the largest names are read last
        (sandbox.segment / f"d{n % 30}/m{n}.py").unlink()
    run = sandbox.finish(process)
    assert (0, "") == (run.exit_code, run.err)
    assert "a.py" == run.document["hits"][0]["path"]
    assert ["d0/m0.py"] == sandbox.paths("vanishing_0")[:1]
    assert 1 == sandbox.run("search", "vanishing_1499", "--kind", "function", "--path", "d29/*").exit_code
    assert 2 == sandbox.json("stats")["index"]["files"]
    sandbox.ok("validate")


# --- the index -------------------------------------------------------------------------------------------------------


def test_another_ctx_is_indexing(repository: Sandbox) -> None:
    """While another process holds the writer's lock, a search answers as before and says what may be stale."""
    repository.ok("index")
    repository.write({"shop/new.py": CODE, "shop/cart.py": "def cart_rewritten(): ...\n"})
    with (repository.segment / "_ctx/index.db.lock").open("rb+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        run = repository.run("search", "add_line", "--json")
    assert 0 == run.exit_code
    assert "shop/cart.py" == run.document["hits"][0]["path"]
    assert run.document["complete"] is False
    assert {"shop/cart.py", "shop/new.py"} <= set(run.document["index"]["stale"])
    assert "Traceback" not in run.err
    assert "another ctx" in run.err
    assert "shop/new.py" == repository.paths("needle_function")[0]
    assert 1 == repository.run("search", "add_line", "--path", "shop/cart.py").exit_code


def _index(sandbox: Sandbox) -> Path:
    return sandbox.segment / "_ctx/index.db"


def _damage_text(index: Path) -> None:
    index.write_text("this is no database\n" * 500)


def _damage_cut(index: Path) -> None:
    os.truncate(index, index.stat().st_size // 2)


def _damage_zeros(index: Path) -> None:
    with index.open("rb+") as file:
        file.seek(4096)
        file.write(b"\0" * 16_384)


def _damage_noise(index: Path) -> None:
    with index.open("rb+") as file:
        for page in range(4_096, index.stat().st_size, 4_096):
            file.seek(page)
            file.write(b"\xff\xfe\xfd" * 300)


def _damage_short(index: Path) -> None:
    index.write_bytes(b"SQ")


def _drop_table(index: Path) -> None:
    with contextlib.closing(sqlite3.connect(index)) as db:
        db.execute("DROP TABLE chunks")
        db.commit()


@pytest.mark.parametrize(
    ("damage", "command"),
    [
        *((damage, ("search", "load_cookie")) for damage in (_damage_text, _damage_cut, _damage_zeros, _damage_noise)),
        *((damage, ("search", "load_cookie")) for damage in (_damage_short, _drop_table)),
        *((_drop_table, command) for command in (("index",), ("get", "shop/session.py"), ("stats",), ("build",))),
        *((_damage_text, command) for command in (("index",), ("get", "shop/session.py"), ("stats",), ("sync",))),
    ],
)
def test_damaged_index(repository: Sandbox, damage: Callable[[Path], None], command: tuple[str, ...]) -> None:
    """A damaged index is named and rebuilt, and what was asked is answered all the same."""
    repository.ok("index")
    damage(_index(repository))
    run = repository.run(*command)
    assert 0 == run.exit_code, run
    assert "index" in run.complaint
    assert "built anew" in run.complaint
    assert "shop/session.py" == repository.paths("load_cookie")[0]
    repository.ok("validate")


def test_damage_is_found_by_doctor_and_validate(repository: Sandbox) -> None:
    """Damage that a search never reads is found by the commands that look for it, with what to do."""
    for command in ("validate", "doctor"):
        repository.ok("index")
        _damage_noise(_index(repository))
        run = repository.run(command)
        assert run.exit_code in {0, 1}, run
        assert "Traceback" not in run.err
        told = run.out + run.err
        assert "built anew" in told or "rebuild" in told, told
        assert "damaged" in told, told


@pytest.mark.parametrize("version", [0, 99])
def test_old_or_future_index_schema(repository: Sandbox, version: int) -> None:
    """An index of another schema version is made anew without a word: nothing in it is lost that the tree has not."""
    repository.ok("index")
    with contextlib.closing(sqlite3.connect(_index(repository))) as db:
        db.execute("ALTER TABLE files RENAME COLUMN generated TO something_else")
        db.execute(f"PRAGMA user_version = {version}")
        db.commit()
    assert "shop/session.py" == repository.paths("load_cookie")[0]
    repository.ok("validate")


def test_index_place_is_taken(repository: Sandbox) -> None:
    """A folder where the index belongs is no reason for a traceback."""
    (repository.segment / "_ctx/index.db").mkdir(parents=True)
    run = repository.run("search", "load_cookie")
    assert 3 == run.exit_code
    assert "index" in run.complaint
    assert "internal error" not in run.complaint


def test_ctx_folder_is_a_file(repository: Sandbox) -> None:
    """A file named _ctx sends index and telemetry to the user's cache; the search answers and says so."""
    repository.write({"_ctx": "mine\n"})
    run = repository.run("search", "load_cookie", "--json")
    assert 0 == run.exit_code
    assert "shop/session.py" == run.document["hits"][0]["path"]
    assert "cache" in run.complaint
    assert "mine\n" == (repository.segment / "_ctx").read_text()


# --- pack and configuration ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pack", "finding"),
    [
        ("{", "not JSON"),
        ("", None),
        ("[]", "found a list"),
        ("null", "found nothing"),
        ("{}", '"chunks" must be a list'),
        ('{"schema_version": 9, "chunks": []}', '"schema_version" must be 1'),
        ('{"chunks": [1]}', "item 1"),
        ('{"chunks": [{"path": "x.py"}]}', '"text" must be a string'),
        ('{"chunks": [{"text": "x"}]}', '"path"'),
        ('{"chunks": [{"path": "x.py", "text": "x", "start_line": -3}]}', '"start_line"'),
        ('{"chunks": [], "tree_digest": "x", "digest": "y"}', '"digest"'),
        ("[" * 100_000, "not JSON"),
        (b"\xff\xfe\x00", None),
        (b"\x80\x81 not utf-8", "not JSON"),
        ('{"chunks": [{"path": "\\ud800.py", "text": "\\ud800 x"}]}', ""),
        ('{"chunks": [{"path": "../../etc/passwd", "text": "fake_root_entry"}]}', ""),
        ('{"chunks": [{"path": "/etc/passwd", "text": "fake_root_entry"}]}', ""),
        ('{"chunks": [{"path": "x.py", "text": "x", "start_line": 99999999999999999999999}]}', ""),
    ],
)
def test_malformed_pack(repository: Sandbox, pack: str | bytes, finding: str | None) -> None:
    """A pack that is none is named with what is wrong and left out; the tree answers, and the pack stays as it is."""
    repository.write({"_ctx/context_pack.json": pack})
    run = repository.run("search", "load_cookie", "--json")
    assert 0 == run.exit_code, run
    assert "shop/session.py" == run.document["hits"][0]["path"]
    if finding:
        assert "_ctx/context_pack.json" in run.complaint
        assert finding in run.complaint
        checked = repository.run("validate", "--json")
        assert 1 == checked.exit_code
        assert finding in checked.document["problems"][0]["message"]
    else:
        assert "Traceback" not in run.err
        assert "internal error" not in run.err
    raw = pack.encode() if isinstance(pack, str) else pack
    assert raw == (repository.segment / "_ctx/context_pack.json").read_bytes()
    later = repository.run("search", "fake_root_entry", "--json")
    assert later.exit_code in {0, 1}, later
    for hit in later.document["hits"]:  # a pack may call its text what it likes; no file is read by that name
        assert "fake_root_entry" == repository.json("get", hit["id"], "--mode", "raw")["items"][0]["text"]


@pytest.mark.parametrize(
    ("config", "finding"),
    [
        ("[search\n", "not TOML"),
        (b"\xff\xfe", "not TOML"),
        ("[search]\nlimit = 'ten'\n", "[search] limit must be a whole number >= 1, found 'ten'"),
        ("[search]\nlimit = -1\n", "found -1"),
        ("[search]\nlimit = true\n", "found True"),
        ("[tokens]\nencoding = 'p50k'\n", "must be one of cl100k_base, o200k_base"),
        ("[index]\nignore = 'build/'\n", "must be a list of texts"),
        ("[telemetry]\nlevel = 'loud'\n", "must be one of off, lite, full"),
    ],
)
def test_malformed_config(repository: Sandbox, config: str | bytes, finding: str) -> None:
    """A setting that cannot be is named with file and key, before anything is done."""
    repository.write({"_ctx/config.toml": config})
    for run in repository.run_each([("search", "load_cookie"), ("get", "shop/cart.py"), ("index",), ("doctor",)]):
        assert (2, "") == (run.exit_code, run.out), run
        assert finding in run.complaint
        assert "config.toml" in run.complaint


def test_malformed_ignore_pattern(repository: Sandbox) -> None:
    """A pattern that is none is named with its setting by every command that looks at the tree."""
    repository.write({"_ctx/config.toml": "[index]\nignore = ['[z-a]']\n"})
    for run in repository.run_each([("search", "load_cookie"), ("index",), ("build",)]):
        assert (2, "") == (run.exit_code, run.out), run
        assert 'index.ignore: "[z-a]"' in run.complaint


def test_unknown_settings_are_warnings(repository: Sandbox) -> None:
    """A key of a newer ctx, or one with a slip in it, is named and does not stop the command."""
    repository.write({"_ctx/config.toml": "[search]\nlimt = 3\n[serach]\nlimit = 3\n"})
    run = repository.run("search", "load_cookie")
    assert 0 == run.exit_code
    assert 2 == run.err.count("\n")
    assert "did you mean limit?" in run.err
    assert "did you mean search?" in run.err


def test_bad_environment(repository: Sandbox) -> None:
    """A variable with a value that cannot be is named; the telemetry level alone is only warned about."""
    run = repository.run("search", "load_cookie", env={"CTX_SEARCH_LIMIT": "many"})
    assert 2 == run.exit_code
    assert "CTX_SEARCH_LIMIT must be a whole number >= 1, found 'many'" == run.complaint
    run = repository.run("search", "load_cookie", env={"CTX_TELEMETRY": "loud"})
    assert 0 == run.exit_code
    assert "CTX_TELEMETRY must be one of off, lite, full" in run.complaint


# --- requests --------------------------------------------------------------------------------------------------------


WRONG_USE = (
    (("search",), "query"),
    (("search", ""), "query is empty"),
    (("search", " \t\n"), "query is empty"),
    (("search", "***"), "'***' has no word"),
    (("search", "\x01"), "has no word"),
    (("search", "x", "--nope"), "--nope"),
    (("search", "x", "-z"), "-z"),
    (("search", "x", "y"), "y"),
    (("search", "x", "--limit", "0"), "--limit must be from 1 to 1000, found 0"),
    (("search", "x", "--limit", "-3"), "found -3"),
    (("search", "x", "--limit", "many"), "--limit"),
    (("search", "x", "--limit", "99999999999999999999"), "--limit must be from 1 to 1000"),
    (("search", "x", "--limit"), "--limit"),
    (("search", "x", "--budget", "0"), "--budget must be a whole number of tokens >= 1, found 0"),
    (("search", "x", "--budget=-1"), "found -1"),
    (("search", "x", "-b", "-1"), "found -1"),
    (("get",), "nothing to get"),
    (("get", ""), "empty path"),
    (("get", "shop/cart.py", "--budget", "-5"), "found -5"),
    (("get", "shop/cart.py", "--mode", "all"), "skeleton, excerpt, raw"),
    (("get", "shop/cart.py:0"), "shop/cart.py:0"),
    (("get", "shop/cart.py:9999"), "lines"),
    (("get", "shop/cart.py:9-3"), "lines"),
    (("get", "../../etc/passwd"), "outside the segment"),
    (("get", "/etc/passwd"), "outside the segment"),
    (("get", "/etc/passwd#root"), "outside the segment"),
    (("get", "../../etc/passwd:1"), "outside the segment"),
    (("get", "../../etc/passwd#root@12345678"), "outside the segment"),
    (("get", "shop/../../secret"), "outside the segment"),
    (("get", "--ids", "../../etc/passwd,shop/cart.py"), "outside the segment"),
    (("frobnicate",), "frobnicate"),
    (("--nope",), "--nope"),
    (("index", "extra"), "extra"),
    (("index", "--nope"), "--nope"),
    (("stats", "--json=yes"), "--json"),
)


def test_wrong_use(repository: Sandbox) -> None:
    """Wrong use is exit code 2 and one line that names what was wrong."""
    repository.ok("index")
    runs = repository.run_each(arguments for arguments, _finding in WRONG_USE)
    for (arguments, finding), run in zip(WRONG_USE, runs, strict=True):
        assert (2, "") == (run.exit_code, run.out), (arguments, run)
        assert finding in run.complaint, arguments


NOT_THERE = (
    ("no/such/file.py", "no such file"),
    ("no/such/file.py#Thing", "no such file"),
    ("no/such/file.py#Thing@0a1b2c3d", "no such file"),
    ("no/such/file.py:12", "no such file"),
    ("shop/cart.py#Nobody", "no Nobody in it"),
    ("shop/cart.py#Nobody@0a1b2c3d", "no Nobody"),
    ("shop/cart.py#Cart@0a1b2c3d~7", "~7"),
    ("shop", "a folder"),
    (".", "a folder"),
    ("#", "#"),
    ("#Cart", "Cart"),
    (":12", ":12"),
    ("a" * 300, "aaa"),
    ("a/" * 3_000 + "b", "a/a/"),
    ("\N{SNOWMAN}.py", "\N{SNOWMAN}"),
)


def test_things_that_are_not_there(repository: Sandbox) -> None:
    """Asking for what is not there is exit code 1 (2 for an id whose text changed) and one line that names it."""
    repository.ok("index")
    runs = repository.run_each(("get", target) for target, _finding in NOT_THERE)
    for (target, finding), run in zip(NOT_THERE, runs, strict=True):
        assert "" == run.out, target
        assert finding in run.complaint, target
        assert len(run.complaint) < 1_000, target
        assert run.exit_code == (2 if "~7" in target or "folder" in finding else 1), run


def test_error_object_for_programs(repository: Sandbox) -> None:
    """With --json an error is also an object with the schema first, the message and the exit code."""
    for arguments, exit_code in (
        (("search", ""), 2),
        (("get", "../../etc/passwd"), 2),
        (("get", "nothing.py"), 1),
        (("search", "x", "--segment", "nowhere"), 2),
    ):
        run = repository.run(*arguments, "--json")
        assert exit_code == run.exit_code
        assert ["schema", "error"] == list(run.document)
        assert f"ctx.{arguments[0]}/1" == run.document["schema"]
        assert {"message": run.complaint, "exit_code": exit_code} == run.document["error"]


def test_nothing_found_still_prints_its_object(repository: Sandbox) -> None:
    """No hits is exit code 1, an object with a reason, and the names that come close."""
    run = repository.run("search", "load_cookie", "--kind", "function", "--path", "tests", "--json")
    assert 1 == run.exit_code
    assert [] == run.document["hits"]
    assert "filters" in run.document["reason"]
    run = repository.run("search", "loadcokie", "--json")
    assert (0, "load_cookie") == (run.exit_code, run.document["hits"][0]["name"])
    assert "nothing is called loadcokie; these come close" == run.document["reason"]
    run = repository.run("search", "where is loadcokie", "--json")
    assert 1 == run.exit_code
    assert "load_cookie" in run.document["nearest"]
    assert "load_cookie" in run.complaint


def test_query_of_10_kilobytes(repository: Sandbox) -> None:
    """A pasted text is searched by its first words; one beyond any sense is refused."""
    pasted = "load_cookie raises ValueError " + "and then some more words " * 400
    assert len(pasted) > 10_000
    assert "shop/session.py" == repository.paths(pasted)[0]
    one_word = repository.run("search", "w" * 10_240)
    assert 1 == one_word.exit_code
    assert len(one_word.complaint) < 1_000, "an error that fills the screen is no clear line"
    refused = repository.run("search", "word " * 25_000)
    assert 2 == refused.exit_code
    assert "characters long" in refused.complaint


SYNTAX = (
    'load_cookie"',
    '"load_cookie',
    "load_cookie*",
    "load_cookie OR",
    "NOT load_cookie",
    "load_cookie AND",
    "NEAR(load_cookie)",
    "name:load_cookie",
    "-load_cookie",
    "{load_cookie}",
    "^load_cookie",
    "load_cookie' OR 1=1 --",
    "load_cookie; DROP TABLE files;",
    "load_cookie + (",
    "load_cookie\nand\tmore",
    "load_cookie\\",
    "%load_cookie%",
    "load_cookie \ud83c".encode("utf-8", "surrogatepass").decode("utf-8", "replace"),
    "(load_cookie",
    "load_cookie()",
    "load_cookie ﷽ 😀 ",
)


def test_search_syntax_in_a_query(repository: Sandbox) -> None:
    """What is syntax to the index or to SQL is plain text in a query."""
    repository.ok("index")
    runs = repository.run_each(("search", "--json", "--", query) for query in SYNTAX)
    for query, run in zip(SYNTAX, runs, strict=True):
        assert (0, "") == (run.exit_code, run.err), query
        assert "shop/session.py" == run.document["hits"][0]["path"], query
        assert query == run.document["query"]
    assert repository.json("stats")["index"]["complete"] is True


def test_query_of_undecodable_bytes(repository: Sandbox) -> None:
    """Bytes that are no UTF-8 on the command line are no reason to fail."""
    run = repository.run("search", b"load_cookie caf\xe9", "--json")
    assert (0, "") == (run.exit_code, run.err)
    assert "shop/session.py" == run.document["hits"][0]["path"]
    run = repository.run("get", b"caf\xe9.py")
    assert 1 == run.exit_code
    assert "caf\\xe9.py" in run.complaint


def test_stale_id(repository: Sandbox) -> None:
    """An id whose text changed fails loudly and names the new one, which works; --latest takes it without asking."""
    old = repository.json("search", "load_cookie")["hits"][0]["id"]
    source = (repository.segment / "shop/session.py").read_text()
    repository.write({"shop/session.py": source.replace("raise ValueError(name)", "raise ValueError(part)")})
    run = repository.run("get", old)
    assert (2, "") == (run.exit_code, run.out)
    assert old in run.complaint
    new = run.complaint.partition("it is now ")[2].split()[0]
    assert new != old
    assert "raise ValueError(part)" in repository.ok("get", new).out
    latest = repository.run("get", old, "--latest")
    assert 0 == latest.exit_code
    assert "raise ValueError(part)" in latest.out
    assert "latest text" in latest.complaint


def test_moved_and_deleted_ids(repository: Sandbox) -> None:
    """The id of a text that moved to another file names its new place; one that is gone says so."""
    old = repository.json("search", "load_cookie")["hits"][0]["id"]
    (repository.segment / "shop/session.py").rename(repository.segment / "shop/cookies.py")
    run = repository.run("get", old)
    assert run.exit_code in {1, 2}
    assert "shop/cookies.py#load_cookie@" in run.complaint, "the text is still there, under another path"
    (repository.segment / "shop/cookies.py").unlink()
    run = repository.run("get", old)
    assert 1 == run.exit_code
    assert "shop/session.py" in run.complaint


def test_every_id_that_is_handed_out_gets_its_text_back(repository: Sandbox) -> None:
    """Whatever target an item was asked by, its id is one that `ctx get` takes."""
    repository.write({"shop/twins.py": "if X:\n    def twin(): return 1\nelse:\n    def twin(): return 1\n" * 2})
    targets = (
        "shop/cart.py:22",
        "shop/cart.py#Cart.add_line",
        "shop/cart.py#Cart",
        "shop/cart.py#add_line",
        "shop/cart.py:9",
        "shop/session.py",
        "shop/twins.py#twin",
        "README.md:5",
        "shop/cart.py:3-7",
    )
    for target in targets:
        for item in repository.json("get", target, "--mode", "raw")["items"]:
            (again,) = repository.json("get", item["id"], "--mode", "raw")["items"]
            assert (item["text"], item["id"]) == (again["text"], again["id"]), target


@pytest.mark.parametrize("budget", [1, 2, 7, 30, 200])
def test_budgets_are_never_passed(repository: Sandbox, budget: int) -> None:
    """The tokens handed on stay within the budget, and what is left out is said."""
    found = repository.run("search", "cookie cart shipping", "--budget", str(budget), "--json")
    assert found.exit_code in {0, 1}
    assert sum(0 for _ in found.document["hits"]) <= found.document["total_tokens"] <= budget
    for mode in ("skeleton", "excerpt", "raw"):
        run = repository.run("get", "shop/session.py", "shop/cart.py", "--mode", mode, "-b", str(budget), "--json")
        document = run.document
        assert document["total_tokens"] == sum(item["tokens"] for item in document["items"]) <= budget
        assert document["truncated"] is True
        assert "--budget" in run.err or "more lines" in run.err


def test_secrets_are_never_shown(repository: Sandbox) -> None:
    """Files that hold keys are neither found nor handed out."""
    repository.write({".env": "TOKEN=qqverysecretqq\n", "deploy/id_rsa": "qqverysecretqq\n"})
    assert 1 == repository.run("search", "qqverysecretqq").exit_code
    for target in (".env", "deploy/id_rsa", "./deploy/../.env", ".env:1"):
        run = repository.run("get", target)
        assert (2, "") == (run.exit_code, run.out)
        assert "secrets file" in run.complaint
        assert "qqverysecretqq" not in run.err


def test_json_stays_json(repository: Sandbox) -> None:
    """One object on one line, whatever is in the files."""
    repository.write({"odd.py": 'def odd_text():\n    return "\\ud800 \x7f \u2028 \x1b[31m"\n'})
    run = repository.run("search", "odd_text", "--json")
    assert 1 == run.out.count("\n")
    assert "odd.py" == json.loads(run.out)["hits"][0]["path"]
    (item,) = repository.json("get", "odd.py", "--mode", "raw")["items"]
    assert (repository.segment / "odd.py").read_text() == item["text"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("search", "how", "are", "sessions"), "goes in quotes: `ctx search 'how are sessions stored'`"),
        (("search", "-F", "->"), "No such option: ->. A text that begins with - goes after --: `ctx search -- TEXT`"),
        (("get", "-file.py"), "goes after --: `ctx get -- TEXT`"),
        (("search", "x", "--path", ""), "--path is empty"),
        (("search", "x", "--path", "!"), "after '!' goes the path"),
        (("search", "x", "--kind="), "--kind is empty"),
        (("search", "x", "--lang", ","), "--lang is empty"),
        (("search", "x", "-s", ""), "--segment is empty"),
        (("index", "-s", ""), "--segment is empty"),
        (("search", "x", "-s", b"\xff"), "--segment \\xff: does not exist"),
    ],
)
def test_slips_of_the_command_line(sandbox: Sandbox, arguments: tuple[str | bytes, ...], message: str) -> None:
    """Words without quotes, a dash in front, an empty value, bytes that are no text: one line and code 2."""
    run = sandbox.run(*arguments)
    assert (2, "", 1) == (run.exit_code, run.out, run.err.count("\n"))
    assert message in run.err


@pytest.mark.parametrize("option", ["--kind", "--lang", "--segment", "--limit"])
def test_a_long_value_is_not_repeated_whole(sandbox: Sandbox, option: str) -> None:
    """Whatever is wrong with it, the line stays one that can be read."""
    sandbox.write({"a.py": CODE})
    run = sandbox.run("search", "needle", option, "x" * 100_000)
    assert (2, "", 1) == (run.exit_code, run.out, run.err.count("\n"))
    assert 50 < len(run.err) < 1300
