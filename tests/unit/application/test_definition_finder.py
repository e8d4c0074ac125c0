"""From a place in a file to the definition: scopes, imports, receivers and classes, in Python and beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

import pytest
from tests.unit.application.navigable_segment import NavigableSegment

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NavigableSegment]:
    """One segment for all cases: making an index takes longer than asking it."""
    root = tmp_path_factory.mktemp("navigable")
    (root / "seg").mkdir()
    with pytest.MonkeyPatch.context() as patch, NavigableSegment(root / "seg", root / "index/index.db") as opened:
        patch.setenv("HOME", str(root / "home"))
        patch.setenv("XDG_CONFIG_HOME", str(root / "home/config"))
        yield opened.fill(PACKAGE)


@pytest.fixture
def segment(shared: NavigableSegment) -> NavigableSegment:
    """The shared segment, its root the place of new files."""
    shared.folder = ""
    return shared


PACKAGE = {
    "shop/__init__.py": "from .cart import Cart\nfrom .base import *\n",
    "shop/base.py": """\
class Base:
    kind = "base"
    size: int

    def save(self, force=False, **options):
        return self

    @classmethod
    def make(cls):
        return cls()

    def total(self) -> "Money":
        return Money()


class Mixin:
    def save(self):
        return super().save()


class Money:
    def add(self, other): ...


def helper(amount): ...


class Open:
    def __call__(self, key): ...
""",
    "shop/late.py": """\
from typing import Self
if True:
    LATER = 1


class factory:
    def __call__(self, n) -> "Made":
        return Made()


class Made:
    def go(self): ...

    def same(self) -> Self:
        return self
""",
    "shop/cart.py": """\
import shop.base
import shop.base as b
from .base import Base, Mixin, Money, helper as help_out

PRICE = Money()


class Cart(Mixin, Base):
    def __init__(self, owner):
        self.owner = owner
        self.size = 3
        self.price = Money()
        self.items: list[Money] = []

    def save(self):
        return super().save()
""",
}
"""Columns of the answer are left to the tests of names; here a line says which definition it is."""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # scopes
        ("def f(a):\n    b = a\n    return ‸b\n", ["use.py:2 f.b (local scope)"]),
        ("def f(a):\n    return ‸a\n", ["use.py:1 f.a (local scope)"]),
        ("X = 1\ndef f():\n    return ‸X\n", ["use.py:1 X (same file)"]),
        ("def f(): ...\n‸f()\n", ["use.py:1 f (same file)"]),
        ("def ‸f(): ...\n", ["use.py:1 f (exact)"]),
        (
            "def f():\n    x = 1\n    x = 2\n    return ‸x\n",
            ["use.py:3 f.x (local scope)", "use.py:2 f.x (local scope)"],
        ),
        (
            "if True:\n    def f(): ...\nelse:\n    f = None\n‸f()\n",
            ["use.py:4 f (same file)", "use.py:2 f (same file)"],
        ),
        # imports
        ("from shop import ‸Cart\n", ["shop/cart.py:8 Cart (import)"]),
        ("from shop import Cart\n‸Cart()\n", ["shop/cart.py:8 Cart (import)"]),
        ("from shop import Money as M\n‸M()\n", ["shop/base.py:21 Money (import)"]),
        ("from shop.cart import ‸help_out\n", ["shop/base.py:25 helper (import)"]),
        ("from shop import *\n‸Money()\n", ["shop/base.py:21 Money (import)"]),
        ("import ‸shop.cart\n", ["shop/__init__.py:1 shop (import)"]),
        ("import shop.‸cart\n", ["shop/cart.py:1 shop.cart (import)"]),
        ("import shop.cart\nshop.cart.‸Cart\n", ["shop/cart.py:8 Cart (import)"]),
        ("import shop.cart\nshop.‸cart.Cart\n", ["shop/cart.py:1 shop.cart (import)"]),
        ("from shop import cart\ncart.‸PRICE\n", ["shop/cart.py:5 PRICE (import)"]),
        ("from shop.‸base import Base\n", ["shop/base.py:1 shop.base (import)"]),
        ("def f():\n    from shop.base import helper\n    ‸helper(1)\n", ["shop/base.py:25 helper (import)"]),
        (
            "try:\n    from shop.base import helper\nexcept ImportError:\n    helper = None\n‸helper\n",
            ["use.py:4 helper (same file)", "shop/base.py:25 helper (import)"],
        ),
        # members
        ("from shop import Cart\nCart(1).‸save()\n", ["shop/cart.py:15 Cart.save (member)"]),
        ("from shop import Cart\nc = Cart(1)\nc.‸total()\n", ["shop/base.py:12 Base.total (inherited)"]),
        ("from shop import Cart\nCart(1).total().‸add(2)\n", ["shop/base.py:22 Money.add (member)"]),
        ("from shop import Cart\nCart.make().‸owner\n", ["shop/cart.py:10 Cart.owner (member)"]),
        ("from shop import Cart\ndef f(c: Cart):\n    c.price.‸add(1)\n", ["shop/base.py:22 Money.add (member)"]),
        (
            "from shop import Cart\ndef f(c: 'Cart | None' = None):\n    c.‸kind\n",
            ["shop/base.py:2 Base.kind (inherited)"],
        ),
        ("from shop import Cart\nfor m in Cart(1).items:\n    m.‸add(1)\n", ["shop/base.py:22 Money.add (member)"]),
        ("from shop import cart\ncart.PRICE.‸add(1)\n", ["shop/base.py:22 Money.add (member)"]),
        ("import shop.cart as s\ns.b.‸helper\n", ["shop/base.py:25 helper (import)"]),
        ("from shop import Cart\nwith Cart(1) as c:\n    c.‸make()\n", ["shop/base.py:9 Base.make (inherited)"]),
        ("from shop import Cart\nx = None\nx = Cart(1)\nx.‸make()\n", ["shop/base.py:9 Base.make (inherited)"]),
        ("from shop.base import Base\nBase().save().‸make()\n", ["shop/base.py:9 Base.make (member)"]),
        (
            "from shop import Cart\nCart(1).‸size\n",
            ["shop/base.py:3 Base.size (inherited)", "shop/cart.py:11 Cart.size (member)"],
        ),
        (
            "from shop import Cart\nclass Mine(Cart):\n    def f(self):\n        super().‸save()\n",
            ["shop/cart.py:15 Cart.save (inherited)"],
        ),
        (
            "from shop import Cart\nclass Mine(Cart):\n    def f(self):\n        self.‸owner\n",
            ["shop/cart.py:10 Cart.owner (inherited)"],
        ),
        ("from shop import Cart\nclass Mine(‸Cart): ...\n", ["shop/cart.py:8 Cart (import)"]),
        (
            "class A:\n    def f(self):\n        self.x = 1\n    def g(self):\n        return self.‸x\n",
            ["use.py:3 A.x (member)"],
        ),
        (
            "class A:\n    @classmethod\n    def f(cls):\n        cls.‸g()\n    def g(self): ...\n",
            ["use.py:5 A.g (member)"],
        ),
        # keywords
        ("from shop import helper\nhelper(‸amount=1)\n", ["shop/base.py:25 helper.amount (import)"]),
        ("from shop import Cart\nCart(‸owner=1)\n", ["shop/cart.py:9 Cart.__init__.owner (import)"]),
        ("from shop.base import Base\nBase().save(‸force=1)\n", ["shop/base.py:5 Base.save.force (import)"]),
        ("from shop.base import Base\nBase().save(‸other=1)\n", ["shop/base.py:5 Base.save (member)"]),
        ("from shop.base import Open\nOpen()(‸key=1)\n", ["shop/base.py:29 Open.__call__.key (import)"]),
        ("import dataclasses\n@dataclasses.dataclass\nclass P:\n    x: int\nP(‸x=1)\n", ["use.py:4 P.x (member)"]),
        # more ways to a definition
        ("from shop.late import ‸LATER\n", ["shop/late.py:3 LATER (import)"]),
        ("from shop.late import factory\nfactory()(1).‸go()\n", ["shop/late.py:12 Made.go (member)"]),
        ("from shop.late import Made\nMade.‸go\n", ["shop/late.py:12 Made.go (member)"]),
        ("from shop.late import Made\nMade().same().‸go()\n", ["shop/late.py:12 Made.go (member)"]),
        (
            "from typing import overload\n@overload\ndef f(a: int): ...\ndef f(a): ...\nf.x\ndef g():\n    ‸f()\n",
            ["use.py:4 f (same file)", "use.py:3 f (same file)"],
        ),
        (
            "class A:\n    @t.overload\n    def f(self, a: int): ...\n    def f(self, a): ...\nA().‸f()\n",
            ["use.py:4 A.f (member)", "use.py:3 A.f (member)"],
        ),
        ("import dataclasses\nclass P:\n    def __init__(self, **k): ...\nP(‸x=1)\n", ["use.py:3 P.__init__ (member)"]),
        (
            "from shop import Cart\nclass A:\n    def f(self):\n        return Cart(1)\nA().f().price.‸add(1)\n",
            ["shop/base.py:22 Money.add (member)"],
        ),
        (
            "def make():\n    return Thing()\nclass Thing:\n    def go(self): ...\nx = make()\nx.‸go()\n",
            ["use.py:4 Thing.go (member)"],
        ),
        ("from shop.base import Base\n(Base() if x else None).‸total()\n", ["shop/base.py:12 Base.total (member)"]),
        ("import shop.base\ndef f(c: type): ...\nshop.base.‸helper(1)\n", ["shop/base.py:25 helper (import)"]),
        ("class A:\n    x: int = 1\n    def f(self):\n        self.‸x\n", ["use.py:2 A.x (member)"]),
        # outside
        ("import os\nos.path.‸join('a')\n", []),
        ("‸print(1)\n", []),
        ("x = []\nx.‸append(1)\n", []),
        ("x = dict()\nx.‸save()\n", []),
        ("from nowhere import Thing\nclass A(Thing): ...\nA().‸save()\n", []),
        ("class A: ...\nA.‸__name__\n", []),
        ("class A:\n    def f(self):\n        ‸super().f()\n", []),
    ],
)
def test_python(segment: NavigableSegment, text: str, expected: list[str]) -> None:
    """The place leads to its definition and to no other."""
    answer = segment.fill({"use.py": text}).resolve()
    assert expected == [f"{c.path}:{c.line} {c.qualname} ({c.reason})" for c in answer.found]
    assert answer.complete
    assert "tree_sitter" == answer.resolved_by


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"a.js": "function f() {}\n‸f()\n"}, ["a.js:1 f (same file)"]),
        ({"a.js": "import { f } from './b'\n‸f()\n", "b.js": "export function f() {}\n"}, ["b.js:1 f (import)"]),
        (
            {"a.js": "const { f } = require('./b')\n‸f()\n", "b.js": "exports.f = function () {}\n"},
            ["b.js:1 f (import)"],
        ),
        (
            {"a.js": "const b = require('./b')\nb.‸f()\n", "b.js": "exports.f = function () {}\n"},
            ["b.js:1 f (import)"],
        ),
        ({"a.js": "class A { f() {} g() { this.‸f() } }\n"}, ["a.js:1 A.f (member)"]),
        (
            {
                "a.js": "import { B } from './b'\nclass A extends B { g() { super.‸f() } }\n",
                "b.js": "export class B { f() {} }\n",
            },
            ["b.js:1 B.f (inherited)"],
        ),
        (
            {"a.js": "var app = {}\napp.f = function f() {}\napp.g = function g() { this.‸f() }\n"},
            ["a.js:2 app.f (member)"],
        ),
        (
            {"a.js": "function Box() { this.size = 1 }\nBox.prototype.f = function () {}\nnew Box().‸f()\n"},
            ["a.js:2 Box.f (member)"],
        ),
        ({"a.js": "const x = 1\nconst o = { ‸x }\n"}, ["a.js:1 x (same file)"]),
        ({"a.js": "const o = { ‸key: 1 }\n"}, ["a.js:1 key (same file)"]),
        ({"a.js": "class A { f() { return ‸this } }\n"}, ["a.js:1 A (exact)"]),
        ({"A.java": "import p.‸B;\nclass A {}\n", "p/B.java": "package p;\nclass B {}\n"}, ["p/B.java:2 p.B (import)"]),
        ({"A.java": "import q.‸r.B;\nclass A {}\n"}, []),
        ({"a.ts": "class A { x: B; g() { this.x.‸f() } }\nclass B { f() {} }\n"}, ["a.ts:2 B.f (member)"]),
        ({"a.ts": "class B { f() {} }\nfunction g(b: B) { b.‸f() }\n"}, ["a.ts:1 B.f (member)"]),
        (
            {
                "a.go": "package p\n\nfunc (s *S) F() { s.‸G() }\n",
                "b.go": "package p\n\ntype S struct{}\n\nfunc (s *S) G() {}\n",
            },
            ["b.go:5 S.G (member)"],
        ),
        ({"a.go": "package p\n\nfunc f() { ‸g() }\n", "b.go": "package p\n\nfunc g() {}\n"}, ["b.go:3 g (import)"]),
        (
            {"a.go": "package p\n\ntype S struct{ N int }\n\nfunc f() { s := &S{}; s.‸N = 1 }\n"},
            ["a.go:3 S.N (member)"],
        ),
        (
            {
                "a.go": "package p\n\ntype B struct{}\n\nfunc (B) F() {}\n\n"
                "type S struct{ B }\n\nfunc g(s S) { s.‸F() }\n"
            },
            ["a.go:5 B.F (inherited)"],
        ),
        ({"a.go": 'package p\n\nimport "fmt"\n\nfunc f() { fmt.‸Println() }\n'}, []),
        ({"A.java": "class A extends B { void f() { ‸g(); } }\n", "B.java": "class B { void h() {} }\n"}, []),
        ({"A.java": "class A { void f() { ‸g(); } void g() {} }\n"}, ["A.java:1 A.g (same file)"]),
        (
            {"A.java": "class A { B b; void f() { this.b.‸h(); } }\n", "B.java": "class B { void h() {} }\n"},
            ["B.java:1 B.h (member)"],
        ),
        ({"a.rs": "struct S { n: u8 }\nimpl S { fn f(&self) { self.‸n; } }\n"}, ["a.rs:1 S.n (member)"]),
        ({"a.rs": "struct S;\nimpl S { fn f(&self) { self.‸g() } fn g(&self) {} }\n"}, ["a.rs:2 S.g (member)"]),
        ({"a.rb": "class A\n  def f\n    g\n  end\n  def ‸g\n  end\nend\n"}, ["a.rb:5 A.g (exact)"]),
        ({"a.c": "int f(int a) { return ‸a; }\n"}, ["a.c:1 f.a (local scope)"]),
        ({"a.c": "static int g(void) { return 1; }\nint f(void) { return ‸g(); }\n"}, ["a.c:1 g (same file)"]),
    ],
)
def test_other_languages(segment: NavigableSegment, files: dict[str, str], expected: list[str]) -> None:
    """Imports, the file, the package, the object's own members and declared types."""
    segment.folder = f"case{crc32(str(files).encode())}/"
    segment.fill(files)
    assert expected == segment.places()


def test_a_cycle_of_imports_and_of_values_ends(segment: NavigableSegment) -> None:
    """What leads back to itself is not known, and said so."""
    segment.folder = "cycle/"
    segment.fill(
        {
            "a.py": "from b import x\ny = y.z\nx.‸w\n",
            "b.py": "from a import x\n",
            "c.py": "class A(B): ...\nclass B(A): ...\nB().nothing\n",
        }
    )
    assert [] == segment.places()
    assert [] == segment.places("cycle/a.py:2:7")
    assert [] == segment.places("cycle/c.py:3:5")


def test_the_clock_ends_the_search_for_receivers(segment: NavigableSegment) -> None:
    """Past the deadline the name alone decides, and the answer says that it is not complete, and why."""
    segment.fill({"use.py": "from shop import Cart\nCart(1).‸total()\n"})
    answer = segment.resolve(deadline_s=0.0)
    assert ["shop/base.py:12 Base.total (name)"] == [
        f"{c.path}:{c.line} {c.qualname} ({c.reason})" for c in answer.found
    ]
    assert not answer.complete
    assert "what total is asked of is not known; these are named so (not finished in 0 s)" == answer.reason
