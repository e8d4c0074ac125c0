"""What a language server says beside our own answer: which counts, by rule and through `ctx resolve` and `ctx refs`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

import pytest
from tests.fakes import ScriptedReplies
from tests.unit.application.navigable_segment import NavigableSegment

from ctx.application.definition_finder import NOT_STORED, Meaning
from ctx.application.refs import RefsRequest
from ctx.application.resolve import Resolution
from ctx.application.server_answer import Pointed, graded, places_of_uses, unseen_by_server
from ctx.domain.index_records import DefinitionRow
from ctx.domain.language_server import ServerPlace, ServerReply
from ctx.domain.symbol_answer import Reference

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from ctx.domain.symbol_answer import Reason, ReferencesAnswer, SymbolAnswer
    from ctx.domain.syntax import NameTree


def meaning(
    path: str, line: int, reason: Reason = "server", *, name: str = "price", kind: str = "function", column: int = 5
) -> Meaning:
    """A definition; the ones of kind `import` are places that the index keeps no definition of."""
    parent = NOT_STORED if kind == "import" else -1
    row = DefinitionRow(kind, name, name, "", "", line, line + 2, line, column, parent)
    return Meaning("definition", path, row, reason)


def inside(path: str, line: int, column: int = 1) -> ServerPlace:
    return ServerPlace(path, line, column, is_inside=True)


def outside(path: str, line: int, column: int = 5) -> ServerPlace:
    return ServerPlace(path, line, column, is_inside=False)


def answered(*places: ServerPlace) -> ServerReply:
    return ServerReply("ty", "answered", places, was_sent=True, elapsed_ns=3_000_000)


IMPORTED = meaning("shop/cart.py", 6, "import")
LOCAL = meaning("shop/jobs.py", 4, "local scope", kind="variable")
GUESS = meaning("shop/other.py", 9, "name")
SERVED = meaning("shop/cart.py", 6)
ELSEWHERE = meaning("shop/pay.py", 3)
BINDING = meaning("shop/jobs.py", 1, kind="import")
STUB = outside("/env/typeshed/stdlib/decimal.pyi", 12)
COPY = outside("/env/site-packages/shop/cart.py", 6)


class Case(NamedTuple):
    """Our answer, the server's, and what comes of both: (path:line reason) of each, grade, completeness, reason."""

    name: str
    own: Resolution
    status: str
    server: Pointed
    expected: tuple[list[str], str, bool, str]


def ours(*meanings: Meaning, complete: bool = True, reason: str = "") -> Resolution:
    return Resolution(meanings, "price", "tree_sitter", complete, reason)


CASES = (
    Case(
        "both found it: our reason, the server's grade",
        ours(IMPORTED),
        "answered",
        Pointed((SERVED,)),
        (["shop/cart.py:6 import"], "lsp:ty", True, ""),
    ),
    Case(
        "the server knows better than a guess",
        ours(GUESS, complete=False, reason="by name alone"),
        "answered",
        Pointed((ELSEWHERE,)),
        (["shop/pay.py:3 server"], "lsp:ty", True, ""),
    ),
    Case(
        "a guess that was right is none any more",
        ours(GUESS, complete=False, reason="by name alone"),
        "answered",
        Pointed((meaning("shop/other.py", 9),)),
        (["shop/other.py:9 server"], "lsp:ty", True, ""),
    ),
    Case(
        "several places in the server's order",
        ours(IMPORTED),
        "answered",
        Pointed((ELSEWHERE, SERVED)),
        (["shop/pay.py:3 server", "shop/cart.py:6 import"], "lsp:ty", True, ""),
    ),
    Case(
        "the server stops at the import that we follow",
        ours(IMPORTED),
        "answered",
        Pointed((BINDING,)),
        (["shop/cart.py:6 import"], "tree_sitter", True, ""),
    ),
    Case(
        "an import is better than a guess",
        ours(GUESS, complete=False),
        "answered",
        Pointed((BINDING,)),
        (["shop/jobs.py:1 server"], "lsp:ty", True, ""),
    ),
    Case(
        "an import of what is outside",
        ours(reason="price is defined outside the segment"),
        "answered",
        Pointed((BINDING,)),
        ([], "tree_sitter", True, "price is defined outside the segment"),
    ),
    Case(
        "outside only",
        ours(GUESS, complete=False, reason="by name alone"),
        "answered",
        Pointed((), (STUB,)),
        ([], "lsp:ty", True, "price is defined outside the segment: decimal.pyi:12"),
    ),
    Case(
        "in the segment and not in the index",
        ours(),
        "answered",
        Pointed((), (inside(".venv/lib/pay.py", 3),)),
        ([], "lsp:ty", True, "price is defined in a file that is not indexed: pay.py:3"),
    ),
    Case(
        "an installed copy of our own file",
        ours(IMPORTED),
        "answered",
        Pointed((), (COPY,)),
        (["shop/cart.py:6 import"], "lsp:ty", True, ""),
    ),
    Case(
        "nothing known takes the certainty of an import",
        ours(IMPORTED),
        "answered",
        Pointed(),
        (["shop/cart.py:6 import"], "tree_sitter", False, "ty knows no definition of it"),
    ),
    Case(
        "nothing known leaves the scope its word",
        ours(LOCAL),
        "answered",
        Pointed(),
        (["shop/jobs.py:4 local scope"], "tree_sitter", True, "ty knows no definition of it"),
    ),
    Case(
        "nothing known by anybody",
        ours(reason="no name stands there"),
        "answered",
        Pointed(),
        ([], "tree_sitter", True, "no name stands there"),
    ),
    *(
        Case(
            f"not answered: {status}",
            ours(GUESS, complete=False, reason="by name alone"),
            status,
            Pointed(),
            (["shop/other.py:9 name"], "tree_sitter", False, "by name alone"),
        )
        for status in ("timeout", "not_ready", "error", "crashed", "circuit_open", "no_server")
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_which_answer_counts(case: Case) -> None:
    """The server's for what it answers, ours with its own grade for the rest; the reply stays with either."""
    reply = ServerReply("ty", case.status)  # type: ignore[arg-type]
    found = graded(case.own, reply, case.server, "price")
    told = [f"{m.path}:{m.row.name_line} {m.reason}" for m in found.meanings]
    assert case.expected == (told, found.resolved_by, found.complete, found.reason)
    assert reply is found.reply


def test_the_beginning_of_a_file_is_no_copy() -> None:
    """Every package has an `__init__.py` that begins at 1:1."""
    module = meaning("shop/__init__.py", 1, "import", name="shop", column=1)._replace(kind="module")
    place = outside("/env/site-packages/other/__init__.py", 1, 1)
    found = graded(ours(module), answered(place), Pointed((), (place,)), "shop")
    assert ((), (place,)) == (found.meanings, found.outside)


def use(path: str, line: int, *, certain: bool = True) -> Reference:
    return Reference(path, line, 1, "call", certain, "", "", 0)


def test_places_of_uses_hold_the_definition_once() -> None:
    """Whether or not the server counts it; what is not indexed is counted and not listed."""
    replies = (answered(inside("a.py", 9), inside("gone.py", 1), outside("/x.py", 1)), answered(inside("a.py", 9)))
    found = places_of_uses(replies, [meaning("a.py", 2)], lambda path: path == "a.py")
    assert ([("a.py", 2, 5), ("a.py", 9, 1)], 2) == found


@pytest.mark.parametrize(
    ("own", "kept"),
    [
        (use("web/cart.js", 3), True),
        (use("web/cart.js", 3, certain=False), False),
        (use("a.py", 3), False),
        (use("named.js", 3), False),
    ],
)
def test_uses_where_the_server_does_not_look_are_kept(own: Reference, kept: bool) -> None:
    """Certain ones, in languages and files the server names none in."""

    def language_of(path: str) -> str:
        return "python" if path.endswith(".py") else "javascript"

    assert kept == bool(unseen_by_server([own], [("named.js", 7, 1)], {"python"}, language_of))


FILES = {
    "shop/__init__.py": "",
    "shop/cart.py": """\
from decimal import Decimal


class Cart:
    total: Decimal

    def add(self, n):
        self.total = n
        return self


def price(cart):
    cart.add(1)
    return cart
""",
    "shop/jobs.py": "from shop.cart import Cart, price\n\n\ndef work(thing):\n    thing.add(1)\n    price(Cart())\n",
}


@pytest.fixture
def segment(tmp_path: Path) -> Iterator[NavigableSegment]:
    (tmp_path / "seg").mkdir()
    with NavigableSegment(tmp_path / "seg", tmp_path / "index/index.db") as opened:
        yield opened.fill(FILES)


def resolved(segment: NavigableSegment, position: str, *places: ServerPlace) -> SymbolAnswer:
    segment.servers = ScriptedReplies(definition=answered(*places))
    return segment.resolve(position)


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        (inside("shop/cart.py", 7, 9), "method Cart.add 7:9 (server)"),
        (inside("shop/cart.py", 7, 5), "method Cart.add 7:9 (server)"),
        (inside("shop/cart.py", 5, 5), "constant Cart.total 5:5 (server)"),
        (inside("shop/cart.py", 12, 11), "parameter price.cart 12:11 (server)"),
        (inside("shop/cart.py", 9, 1), "method Cart.add 7:9 (server)"),
        (inside("shop/cart.py", 1, 1), "module shop.cart 1:1 (server)"),
        (inside("shop/cart.py", 8, 14), "property Cart.add.total 8:14 (server)"),
        (inside("shop/cart.py", 1, 21), "import Decimal 1:21 (server)"),
        (inside("shop/cart.py", 3, 1), "variable add 3:1 (server)"),
        (inside("shop/__init__.py", 1, 1), "module shop 1:1 (server)"),
    ],
)
def test_what_stands_where_a_server_points(segment: NavigableSegment, place: ServerPlace, expected: str) -> None:
    """A definition, a place the index keeps none of, what is around it, a file."""
    (found,) = resolved(segment, "shop/jobs.py:5:11", place).found
    assert expected == f"{found.kind} {found.qualname} {found.line}:{found.column} ({found.reason})"


def test_the_question_says_what_is_asked_and_of_which_state(segment: NavigableSegment) -> None:
    """The place where the name begins, wherever in it the caller pointed, and the state of the index."""
    segment.servers = servers = ScriptedReplies(definition=answered(inside("shop/cart.py", 7, 9)))
    for position in ("shop/jobs.py:5:13", "shop/jobs.py:5"):
        segment.resolve(position)
    state = f"{segment.store.meta('generation')} {segment.store.meta('as_of')}"
    asked = [(q.method, q.path, q.line, q.column, q.language, q.name, q.state) for q in servers.questions]
    assert [("definition", "shop/jobs.py", 5, 11, "python", "add", state)] * 2 == asked


@pytest.mark.parametrize("query", ["Cart.add", "shop/cart.py#Cart.add", "sym://python/shop.cart/Cart.add", "nobody"])
def test_names_are_asked_of_no_server(segment: NavigableSegment, query: str) -> None:
    """The index answers them, whatever is installed."""
    segment.servers = servers = ScriptedReplies()
    answer = segment.resolve(query)
    assert ([], None) == (servers.questions, answer.server)


def test_a_place_outside_is_told(segment: NavigableSegment) -> None:
    """With no candidate, no name that is near, and the file's name in the reason."""
    answer = resolved(segment, "shop/jobs.py:5:11", STUB)
    assert ((), (STUB,), (), True) == (answer.found, answer.outside, answer.nearest, answer.complete)
    assert "add is defined outside the segment: decimal.pyi:12" == answer.reason


def test_a_word_without_a_name_is_asked_too(segment: NavigableSegment) -> None:
    """In a string a server may know a name where the grammar sees none."""
    segment.put("shop/late.py", 'KIND = cast("x Cart", None)\n')
    segment.refresh()
    answer = resolved(segment, "shop/late.py:1:16", inside("shop/cart.py", 4, 7))
    assert (["Cart"], "lsp:ty") == ([c.qualname for c in answer.found], answer.resolved_by)
    nothing = resolved(segment, "shop/late.py:1:16")
    assert ((), "no name stands at column 16 of line 1 of shop/late.py") == (nothing.found, nothing.reason)


def test_a_finder_out_of_time_does_not_spoil_the_servers_answer(segment: NavigableSegment) -> None:
    """What we did not finish is not needed then."""
    segment.servers = ScriptedReplies(definition=answered(inside("shop/cart.py", 7, 9)))
    assert segment.resolve("shop/cart.py:13:10", deadline_s=0).complete
    segment.servers = ScriptedReplies()
    assert not segment.resolve("shop/cart.py:13:10", deadline_s=0).complete


def uses(answer: ReferencesAnswer) -> list[str]:
    return [f"{r.path}:{r.line}:{r.column} {r.kind}{'' if r.certain else '?'} {r.within}" for r in answer.references]


ITSELF = inside("shop/cart.py", 7, 9)
USES = (ITSELF, inside("shop/cart.py", 13, 10), inside("shop/jobs.py", 5, 11))


def test_uses_are_those_the_server_knows(segment: NavigableSegment) -> None:
    """Each certain, with its role and what it is in; the definition is one of them."""
    segment.servers = servers = ScriptedReplies(references=answered(*USES, STUB))
    answer = segment.refs("Cart.add")
    assert [
        "shop/cart.py:7:9 definition Cart",
        "shop/cart.py:13:10 call price",
        "shop/jobs.py:5:11 call work",
    ] == uses(answer)
    assert ("lsp:ty", True, 3, 3) == (answer.resolved_by, answer.complete, answer.total, answer.certain)
    assert "1 more in files that are not indexed" == answer.reason
    (question,) = servers.questions
    assert ("references", "shop/cart.py", 7, 9, "add", True) == (
        *(question.method, question.path, question.line, question.column, question.name),
        question.include_declaration,
    )


def test_members_of_what_no_server_can_know_stay_uncertain(segment: NavigableSegment) -> None:
    """Types are not declared there: of a parameter without one the server says nothing, and that is no denial."""
    segment.servers = ScriptedReplies(references=answered(*USES[:2]))
    answer = segment.refs("Cart.add")
    assert [
        "shop/cart.py:7:9 definition Cart",
        "shop/cart.py:13:10 call price",
        "shop/jobs.py:5:11 call? work",
    ] == uses(answer)
    assert ("lsp:ty", False, 3, 2, "uses whose receiver is not known are among these") == (
        *(answer.resolved_by, answer.complete, answer.total, answer.certain),
        answer.reason,
    )


def test_uses_of_a_function_are_those_the_server_knows_alone(segment: NavigableSegment) -> None:
    """It follows imports as far as there are any."""
    segment.servers = ScriptedReplies(references=answered(inside("shop/cart.py", 12, 5)))
    answer = segment.refs("price")
    assert ["shop/cart.py:12:5 definition "] == uses(answer)
    assert ("lsp:ty", True) == (answer.resolved_by, answer.complete)


def test_a_use_that_no_search_finds_is_listed(segment: NavigableSegment) -> None:
    """A place without a name of the grammar's is of kind other."""
    segment.servers = ScriptedReplies(
        references=answered(ITSELF, inside("shop/jobs.py", 1, 23), inside("shop/jobs.py", 2, 1))
    )
    assert [
        "shop/cart.py:7:9 definition Cart",
        "shop/jobs.py:1:23 import ",
        "shop/jobs.py:2:1 other ",
    ] == uses(segment.refs("Cart.add"))[:3]


def test_uses_that_nobody_could_look_at_in_time_are_listed_and_said(segment: NavigableSegment) -> None:
    """The list is the server's all the same; it is not complete, because what kind of use each is is not known."""
    late = [inside("shop/jobs.py", line, 1) for line in (2, 3)]
    segment.servers = ScriptedReplies(references=answered(ITSELF, *late))
    find = segment.finder()
    read_tree = find.resolve.read_tree

    def slow(path: str) -> NameTree | None:
        segment.clock.advance_ns(6_000_000_000)
        return read_tree(path)

    answer = replace(find, resolve=replace(find.resolve, read_tree=slow))(RefsRequest("Cart.add"))
    assert ["shop/jobs.py:2:1 other ", "shop/jobs.py:3:1 other "] == uses(answer)[1:3]
    assert ("lsp:ty", False) == (answer.resolved_by, answer.complete)
    assert answer.reason.startswith("not every use was looked at in 5 s (--deadline)")


def test_callers_are_made_of_the_servers_calls(segment: NavigableSegment) -> None:
    """Grouped and counted as ever."""
    segment.servers = ScriptedReplies(references=answered(*USES))
    answer = segment.refs("Cart.add", view="callers")
    assert [("price", True), ("work", True)] == [(caller.qualname, caller.certain) for caller in answer.callers]
    assert ("lsp:ty", True, 2) == (answer.resolved_by, answer.complete, answer.total)


@pytest.mark.parametrize(
    ("reply", "complete", "reason"),
    [
        (ServerReply("ty", "timeout", was_sent=True), False, "uses whose receiver is not known are among these"),
        (answered(), False, "uses whose receiver is not known are among these; ty knows no use of it"),
    ],
)
def test_uses_without_the_server_are_ours(
    segment: NavigableSegment, reply: ServerReply, complete: bool, reason: str
) -> None:
    """With their own grade, and word of one who does not even know the definition."""
    segment.servers = ScriptedReplies(references=reply)
    answer = segment.refs("Cart.add")
    assert ("tree_sitter", complete, reason, reply) == (
        *(answer.resolved_by, answer.complete, answer.reason),
        answer.server,
    )
    assert "shop/jobs.py:5:11 call? work" == uses(answer)[-1]


def test_of_an_ambiguous_name_no_server_is_asked(segment: NavigableSegment) -> None:
    """Five classes are five questions about what nobody meant; a module is no name's place."""
    for number in range(5):
        segment.put(f"shop/kind{number}.py", "class Kind: ...\n")
    segment.refresh()
    segment.servers = servers = ScriptedReplies()
    segment.refs("Kind")
    segment.refs("shop.cart")
    assert [] == servers.questions


def test_a_server_that_does_not_name_the_definition_has_not_understood(segment: NavigableSegment) -> None:
    """What it names elsewhere takes nothing away from what the search found."""
    segment.servers = ScriptedReplies(references=answered(inside("shop/jobs.py", 2, 1), STUB))
    answer = segment.refs("Cart.add")
    assert ("tree_sitter", False) == (answer.resolved_by, answer.complete)
    assert "shop/jobs.py:5:11 call? work" == uses(answer)[-1]
    assert answer.reason.endswith("ty knows no use of it")


def test_uses_under_another_name_are_kept(segment: NavigableSegment) -> None:
    """Servers take `import x as y` for the end of x; the file is looked at also when they have answered."""
    segment.put("shop/other.py", "from .cart import price as cost\n\n\ndef sell():\n    return cost(1)\n")
    segment.refresh()
    segment.servers = ScriptedReplies(
        references=answered(inside("shop/cart.py", 12, 5), inside("shop/other.py", 1, 19))
    )
    answer = segment.refs("price")
    assert [
        "shop/cart.py:12:5 definition ",
        "shop/other.py:1:19 import ",
        "shop/other.py:5:12 call sell",
    ] == [use for use in uses(answer) if "1:28" not in use]
    assert ("lsp:ty", True) == (answer.resolved_by, answer.complete)
    assert ["sell"] == [caller.qualname for caller in segment.refs("price", view="callers").callers]


def test_files_the_server_knows_are_not_searched_once_it_has_answered(segment: NavigableSegment) -> None:
    """Only those are parsed in which it names a use; without an answer yet, and of another language, all are."""
    segment.put("shop/other.py", "from .cart import price\n")
    segment.refresh()
    reply = answered(inside("shop/cart.py", 12, 5))
    segment.servers = ScriptedReplies(references=reply)
    assert (1, True) == (segment.refs("price").files_searched, segment.refs("price").complete)
    segment.servers = ScriptedReplies(clock=segment.clock, references=replace(reply, elapsed_ns=1))
    assert 3 == segment.refs("price").files_searched
    segment.servers = ScriptedReplies(references=answered(*USES))
    assert 2 == segment.refs("Cart.add").files_searched


def test_the_limit_cuts_the_servers_list(segment: NavigableSegment) -> None:
    """The total stays."""
    segment.servers = ScriptedReplies(references=answered(*USES))
    answer = segment.refs("Cart.add", limit=1)
    assert (1, 3, 2) == (len(answer.references), answer.total, answer.omitted)
