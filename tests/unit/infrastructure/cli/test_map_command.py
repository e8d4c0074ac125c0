"""`ctx map` from its options to what is printed, noted and returned."""

from __future__ import annotations

import gc
import json
from typing import TYPE_CHECKING

import pytest

from ctx.infrastructure.cli.map_command import run_map

if TYPE_CHECKING:
    from pathlib import Path


def test_the_map_in_text_and_object(shop: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """The text is the object's, and nothing is said beside it."""
    assert 0 == run_map([], segment=str(shop))
    text, err = (part.decode() for part in capfdbinary.readouterr())
    assert ("shop/cart.py\n 1 class Cart\n", "") == (text[:27], err)
    assert 0 == run_map([], segment=str(shop), as_json=True, focus=("shop/jobs.py",))
    document = json.loads(capfdbinary.readouterr().out)
    assert ("ctx.map/1", True, ["shop/jobs.py"]) == (document["schema"], document["complete"], document["focus"])
    assert "reason" not in document
    assert ["shop/jobs.py", "shop/cart.py"] == [file["path"] for file in document["files"]][:2]


def test_what_is_not_on_the_map_is_named(shop: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Files that could not be parsed with their reasons, more than three as three and an ellipsis."""
    for name in "abcd":
        (shop / f"{name}.ipynb").write_text("{")
    (shop / "torn.py").write_text("def f(:\n    pass\n")
    assert 0 == run_map([], segment=str(shop))
    not_parsed, recovered = capsys.readouterr().err.splitlines()
    assert not_parsed.startswith("ctx: 4 files are not in the map: a.ipynb (")
    assert not_parsed.endswith("), …")
    assert "ctx: 1 file is in the map as far as syntax errors allow: torn.py" == recovered


def test_an_empty_map_says_why(shop: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Exit code 1 and a reason, in a note and in the object."""
    assert 1 == run_map([], segment=str(shop), budget=1, as_json=True)
    out, err = capfdbinary.readouterr()
    reason = json.loads(out)["reason"]
    assert reason.startswith("a budget of 1 tokens holds not even the first line")
    assert f"ctx: no map: {reason}\n" == err.decode()


@pytest.mark.parametrize("was_enabled", [True, False])
def test_the_collector_is_left_as_it_was(shop: Path, was_enabled: bool) -> None:
    """Also after a mistake."""
    before = gc.isenabled()
    try:
        (gc.enable if was_enabled else gc.disable)()
        assert 1 == run_map(["nowhere"], segment=str(shop))
        assert was_enabled == gc.isenabled()
    finally:
        (gc.enable if before else gc.disable)()
