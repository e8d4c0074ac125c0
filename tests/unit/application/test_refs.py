"""Uses of a symbol: certain, uncertain and none, within limit, budget and deadline; who calls and what is called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.application.navigable_segment import NavigableSegment

from ctx.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ctx.domain.symbol_answer import ReferencesAnswer

FILES = {
    "shop/__init__.py": "from .cart import Cart, price as cost\n",
    "shop/cart.py": """\
class Cart:
    def add(self, n):
        return self

    def fill(self):
        self.add(1)
        self.add(2).add(3)


class Other:
    def add(self): ...


def price(cart: Cart) -> int:
    cart.add(1)
    Other().add()
    return len(cart)  # price
""",
    "shop/jobs.py": """\
from shop import Cart, cost
import shop.cart


def work(thing):
    thing.add(1)
    add = 3
    cost(Cart())
    shop.cart.price(add)
    print("price")


PRICE = shop.cart.price
""",
    "tests/test_cart.py": "from shop.cart import price\n\n\ndef test_price():\n    assert price(None)\n",
    "web/cart.js": "function price() {}\nprice()\n",
}


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[NavigableSegment]:
    (tmp_path / "seg").mkdir()
    with NavigableSegment(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        yield opened.fill(FILES)


def told(answer: ReferencesAnswer) -> list[str]:
    return [f"{r.path}:{r.line}:{r.column} {r.kind}{'' if r.certain else '?'} {r.within}" for r in answer.references]


def test_uses_of_a_function(segment: NavigableSegment) -> None:
    """Its definition, imports, other names for it, members of its module; no text, no namesake of another language."""
    answer = segment.refs("shop.cart.price")
    assert [
        "shop/__init__.py:1:25 import ",
        "shop/__init__.py:1:34 import ",
        "shop/cart.py:14:5 definition ",
        "shop/jobs.py:9:15 call work",
        "shop/jobs.py:13:19 attribute ",
        "tests/test_cart.py:1:23 import ",
        "tests/test_cart.py:5:12 call test_price",
    ] == told(answer)
    assert (7, 7, 0, True) == (answer.total, answer.certain, answer.omitted, answer.complete)
    assert ("shop.cart.price(add)", 1) == (answer.references[3].text, answer.references[3].tokens)
    assert (4, 4, "tree_sitter") == (answer.files_searched, answer.files_with_name, answer.resolved_by)


def test_uses_of_a_method(segment: NavigableSegment) -> None:
    """Known receivers are certain, unknown ones last and marked; another class's method is none."""
    answer = segment.refs("Cart.add")
    assert [
        "shop/cart.py:2:9 definition Cart",
        "shop/cart.py:6:14 call Cart.fill",
        "shop/cart.py:7:14 call Cart.fill",
        "shop/cart.py:7:21 call Cart.fill",
        "shop/cart.py:15:10 call price",
        "shop/jobs.py:6:11 call? work",
    ] == told(answer)
    assert (6, 5, False) == (answer.total, answer.certain, answer.complete)
    assert "receiver is not known" in answer.reason


def test_uses_of_a_local_name_stay_in_its_function(segment: NavigableSegment) -> None:
    """A parameter is used in its own function only."""
    assert [
        "shop/cart.py:14:11 definition price",
        "shop/cart.py:15:5 other price",
        "shop/cart.py:17:16 other price",
    ] == told(segment.refs("shop/cart.py:17:16"))


def test_uses_of_a_class_include_types(segment: NavigableSegment) -> None:
    """An annotation and a call are uses of their own kinds."""
    kinds = [reference.kind for reference in segment.refs("shop.cart.Cart").references]
    assert ["import", "definition", "type", "import", "call"] == kinds


def test_limit_and_budget_cut_the_end_off(segment: NavigableSegment) -> None:
    """The totals stay, the tokens are those of the lines handed on."""
    by_limit = segment.refs("Cart.add", limit=2)
    assert (2, 6, 4) == (len(by_limit.references), by_limit.total, by_limit.omitted)
    by_budget = segment.refs("Cart.add", budget_tokens=4)
    assert (2, 4, 4) == (len(by_budget.references), by_budget.omitted, by_budget.total_tokens)


def test_callers_are_functions_with_their_lines(segment: NavigableSegment) -> None:
    """Calls are grouped by the function around them; of a module there is the file."""
    segment.put("top.py", "from shop.cart import price\nprice(1)\nprice(2)\n")
    segment.refresh()
    answer = segment.refs("shop.cart.price", view="callers")
    assert [
        ("shop/jobs.py", "work", 5, (9,)),
        ("top.py", "", 2, (2, 3)),
        ("tests/test_cart.py", "test_price", 4, (5,)),
    ] == [(caller.path, caller.qualname, caller.line, caller.lines) for caller in answer.callers]
    assert answer.callers[0].id.startswith("shop/jobs.py#work@")
    assert "top.py" == answer.callers[1].id
    assert (3, 3, 0) == (answer.total, answer.certain, answer.omitted)
    assert 2 == segment.refs("shop.cart.price", view="callers", limit=1).omitted
    assert 2 == segment.refs("shop.cart.price", view="callers", budget_tokens=1).omitted


def test_nothing_calls_it(segment: NavigableSegment) -> None:
    """No caller is an answer with a reason."""
    answer = segment.refs("Other", view="callers")
    assert 1 == len(answer.callers)
    assert "nothing calls it" == segment.refs("Cart.fill", view="callers").reason


def test_callees_are_resolved(segment: NavigableSegment) -> None:
    """Each thing that is called once, with how often; what is outside has no candidates."""
    answer = segment.refs("shop.cart.price", view="callees")
    assert [
        ("add", 15, 1, ["Cart.add"]),
        ("Other", 16, 1, ["Other"]),
        ("add", 16, 1, ["Other.add"]),
        ("len", 17, 1, []),
    ] == [(c.name, c.line, c.calls, [one.qualname for one in c.found]) for c in answer.callees]
    assert answer.complete
    fill = segment.refs("Cart.fill", view="callees")
    assert [("add", 3)] == [(callee.name, callee.calls) for callee in fill.callees]
    assert (1, 0) == (segment.refs("shop.cart.price", view="callees", limit=3).omitted, fill.omitted)
    assert segment.refs("shop.cart.price", view="callees", budget_tokens=1).omitted > 0
    assert "it calls nothing" == segment.refs("Cart.add", view="callees").reason


def test_a_symbol_that_is_none(segment: NavigableSegment) -> None:
    """Nothing is searched for; near names are named, also those a prefix or a likeness gave."""
    for query in ("prise", "pric"):
        answer = segment.refs(query)
        assert ((), (), False) == (answer.targets, answer.references, answer.complete)
        assert "price" in answer.nearest
    assert segment.refs("zzzzzzz").reason


def test_a_deadline_that_passed(segment: NavigableSegment) -> None:
    """What was found by then is the answer, and it is said that there is more."""
    steps = iter(range(0, 10**15, 10**9))
    segment.clock.perf_counter_ns = lambda: next(steps)  # type: ignore[method-assign]
    answer = segment.refs("shop.cart.price", deadline_s=2.0)
    assert not answer.complete
    assert "--deadline" in answer.reason


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"limit": 0}, "--limit must be from 1"),
        ({"budget_tokens": 0}, "--budget must be"),
        ({"deadline_s": 0.0}, "--deadline must be"),
        ({"deadline_s": float("nan")}, "--deadline must be"),
        ({"deadline_s": 1e9}, "--deadline must be"),
    ],
)
def test_options_out_of_range(segment: NavigableSegment, options: dict[str, float], message: str) -> None:
    """One line names the option and its range."""
    with pytest.raises(UsageError, match=message):
        segment.refs("price", **options)


def test_names_that_no_index_has_words_for(segment: NavigableSegment) -> None:
    """A name longer than the index keeps is looked for in every file."""
    name = "x" * 80
    segment.put("long.py", f"def {name}(): ...\n")
    segment.put("use.py", f"import long\nlong.{name}()\n")
    segment.refresh()
    assert ["long.py:1:5 definition ", "use.py:2:6 call "] == told(segment.refs(name))


def test_members_in_languages_that_see_them_bare(segment: NavigableSegment) -> None:
    """In Java a method is called by its bare name in its class."""
    segment.put("A.java", "class A {\n  void go() {}\n  void run() { go(); }\n}\n")
    segment.put("B.java", "class B {\n  void run(Unknown u) { u.go(); go(); }\n}\n")
    segment.refresh()
    assert [
        "A.java:2:8 definition A",
        "A.java:3:16 call A.run",
        "B.java:2:27 call? B.run",
        "B.java:2:33 call? B.run",
    ] == told(segment.refs("A.go"))


def test_a_long_line_says_that_it_is_cut(segment: NavigableSegment) -> None:
    """The text of a use ends with an ellipsis where it is cut, which tells a redactor of half a key."""
    segment.put("top.py", f'from shop.cart import price\nprice(1, "{"x" * 300}")\n')
    segment.refresh()
    (call,) = (use for use in segment.refs("shop.cart.price").references if (use.path, use.line) == ("top.py", 2))
    assert (f'price(1, "{"x" * 229}…', 240) == (call.text, len(call.text))
