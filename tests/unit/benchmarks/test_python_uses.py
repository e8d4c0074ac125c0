"""What counts as a use of a name, and of which kind."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import python_uses

if TYPE_CHECKING:
    from pathlib import Path

SOURCE = """\
from __future__ import annotations
import os.path as p
from .base import Base, tools
from shop import stock as s

LIMIT = 3

@tools.register
@s.cached(size=LIMIT)
class Cart(Base, s.Mixin[int], metaclass=Meta):
    total: Price = 0

    def add(self, item: list[Item], *rest, count=LIMIT, **more) -> Total:
        price, (tax, _) = lookup(item)
        self.total += price
        self.log(f"added {tax:>{count}}", name=more)
        for line in self.lines:
            line.count = rest[0].count
        return [each for each in p.join(price)]

def free(callback):
    global LIMIT
    with open(callback) as file:
        LIMIT = callback(file.read)
    return lambda value, other=LIMIT: value + __file__
"""


def uses_of(source: str, path: str = "shop/cart.py") -> list[tuple[int, str, str]]:
    modules = frozenset({"shop", "shop.cart", "shop.base", "shop.stock", "shop.base.tools"})
    return sorted((use.line, use.name, use.stratum) for use in python_uses.uses_in(source.encode(), path, modules))


def test_every_use_is_found_with_its_stratum_and_no_defining_name() -> None:
    """Bound names, parameters, assigned attributes and dunders are none; any other name has the kind of its place."""
    assert [
        (2, "os", "module in an import"),
        (2, "path", "module in an import"),
        (3, "Base", "imported name"),
        (3, "base", "module in an import"),
        (3, "tools", "imported name"),
        (4, "shop", "module in an import"),
        (4, "stock", "imported name"),
        (8, "register", "decorator"),
        (8, "tools", "imported name"),
        (9, "LIMIT", "name of the module"),
        (9, "cached", "decorator"),
        (9, "s", "imported name"),
        (9, "size", "keyword argument"),
        (10, "Base", "class base"),
        (10, "Meta", "name of the module"),
        (10, "Mixin", "class base"),
        (10, "int", "name of the module"),
        (10, "s", "imported name"),
        (11, "Price", "type annotation"),
        (13, "Item", "type annotation"),
        (13, "LIMIT", "name of the module"),
        (13, "Total", "type annotation"),
        (13, "list", "type annotation"),
        (14, "item", "local variable or parameter"),
        (14, "lookup", "call of a plain name"),
        (15, "price", "local variable or parameter"),
        (16, "count", "local variable or parameter"),
        (16, "log", "attribute on self or cls"),
        (16, "more", "local variable or parameter"),
        (16, "name", "keyword argument"),
        (16, "tax", "local variable or parameter"),
        (17, "lines", "attribute on self or cls"),
        (18, "count", "attribute on another receiver"),
        (18, "line", "local variable or parameter"),
        (18, "rest", "local variable or parameter"),
        (19, "each", "local variable or parameter"),
        (19, "join", "attribute on a module"),
        (19, "p", "imported name"),
        (19, "price", "local variable or parameter"),
        (23, "callback", "local variable or parameter"),
        (23, "open", "call of a plain name"),
        (24, "callback", "local variable or parameter"),
        (24, "file", "local variable or parameter"),
        (24, "read", "attribute on another receiver"),
        (25, "LIMIT", "name of the module"),
        (25, "value", "local variable or parameter"),
    ] == uses_of(SOURCE)


def test_columns_count_characters_from_one() -> None:
    """Letters of two and four bytes before a name move its column by one each."""
    (use,) = python_uses.uses_in('x = "é𝄞", found\n'.encode(), "a.py", frozenset())
    assert ("found", 1, 11) == (use.name, use.line, use.column)


def test_file_that_is_no_utf8_has_no_uses() -> None:
    """A file in another encoding is left out instead of being asked about at wrong columns."""
    assert [] == list(python_uses.uses_in(b"x = caf\xe9\n", "a.py", frozenset()))


def test_attribute_of_a_module_needs_the_import_to_name_a_module() -> None:
    """`from shop import stock` binds a module of the tree, `from shop import Stock` does not; relative dots count."""
    source = "from . import stock, Stock\nimport a.b\nstock.x\nStock.x\na.b.x\n"
    kinds = {line: kind for line, name, kind in uses_of(source) if name == "x"}
    assert {
        3: "attribute on a module",
        4: "attribute on another receiver",
        5: "attribute on a module",
    } == kinds


def test_deep_expression_does_not_exhaust_the_stack() -> None:
    """A sum of more terms than Python's frames nests as deep in the tree."""
    terms = 2 * sys.getrecursionlimit()
    assert terms == len(uses_of("x = " + " + ".join(["y"] * terms)))


def test_sample_takes_as_many_of_each_stratum_and_counts_all(tmp_path: Path) -> None:
    """The same seed draws the same uses, at most so many of a stratum; the counts are of the whole tree."""
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "no.py").write_text("hidden(1)\n", encoding="utf-8")
    (tmp_path / "a.py").write_text("".join(f"call{at}(word.attr)\n" for at in range(50)), encoding="utf-8")
    drawn, seen = python_uses.sample(tmp_path, 4, seed=1)
    assert {"call of a plain name": 50, "name of the module": 50, "attribute on another receiver": 50} == dict(seen)
    assert 12 == len(drawn)
    assert (drawn, seen) == python_uses.sample(tmp_path, 4, seed=1)
    assert drawn != python_uses.sample(tmp_path, 4, seed=2)[0]
