"""Where a process starts: which command lines take the thin path, and that both paths lead to the same command."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure.cli import app as full
from ctx.infrastructure.cli.entry import main

if TYPE_CHECKING:
    from pathlib import Path

THIN = (
    (["search", "price"], "#price@"),
    (["get", "shop/cart.py#price"], "def price(cart):"),
    (["get", "--ids", "shop/other.py"], "class Cart"),
    (["resolve", "price"], "shop/cart.py:6:5"),
    (["refs", "price", "--callers"], "work L7, 8"),
    (["map"], "shop/cart.py\n"),
    (["map", "shop/jobs.py", "--focus", "shop/cart.py"], "def work(thing)"),
)


@pytest.mark.parametrize(("arguments", "said"), THIN, ids=[" ".join(arguments) for arguments, _said in THIN])
def test_what_answers_questions_takes_the_thin_path(
    shop: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    said: str,
) -> None:
    """The full command line is not asked."""
    monkeypatch.setattr(full, "run", lambda given: pytest.fail(f"{given} went to the full command line"))
    assert 0 == main([*arguments, "--segment", str(shop)])
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--version"],
        ["search"],
        ["search", "a", "b"],
        ["search", "a", "--nope"],
        ["get"],
        ["get", "--ids", ""],
        ["resolve"],
        ["resolve", "a", "b"],
        ["refs", "a", "--deadline", "soon"],
        ["refs", "a", "b"],
        ["map", "--focus"],
        ["map", "--help"],
        ["stats"],
    ],
    ids=" ".join,
)
def test_everything_else_is_for_the_full_command_line(monkeypatch: pytest.MonkeyPatch, arguments: list[str]) -> None:
    """Exactly as it was given; its exit code is the process's."""
    asked: list[list[str]] = []

    def run(given: list[str]) -> int:
        asked.append(given)
        return 7

    monkeypatch.setattr(full, "run", run)
    assert 7 == main(arguments)
    assert [arguments] == asked


def test_an_answer_that_is_not_taken_whole_is_an_error(shop: Path) -> None:
    """Also without Python's own buffer: a pipe that takes no more fails the command, and half an answer is none."""
    (shop / "long.py").write_text("def long(): ...\n" + "# a line of a long text\n" * 20_000)
    for unbuffered in ("", "1"):
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        command = (
            sys.executable,
            "-m",
            "ctx",
            "get",
            "long.py",
            "--mode",
            "raw",
            "--budget",
            "10000000",
            "--segment",
            shop,
        )
        environ = {**os.environ, "PYTHONUNBUFFERED": unbuffered, "CTX_DAEMON": "off"}
        ended = subprocess.run(command, env=environ, stdout=writer, stderr=subprocess.PIPE, check=False)
        os.close(writer)
        os.close(reader)
        assert (3, True) == (ended.returncode, b"standard output: cannot be written" in ended.stderr), ended
