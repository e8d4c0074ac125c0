"""The page as a whole: every number of the document, nothing of anybody's markup, nothing from elsewhere."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.report_document import HOSTILE_TEXTS, report_document, small_document

from ctx.infrastructure.report_page import page
from ctx.infrastructure.report_page.page import START, embedded
from ctx.infrastructure.report_page.record import oddities
from ctx.infrastructure.report_page.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterator

_VOID = {"br", "col", "hr", "link", "meta"}
_FACTORS = {"": 1.0, "µs": 1e-3, "ms": 1.0, "s": 1e3, "min": 6e4, "h": 3.6e6, "d": 8.64e7, "k": 1e3, "M": 1e6, "G": 1e9}
_FACTORS |= {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9, "%": 0.01}


class Tree(HTMLParser):
    """What a parser makes of a page: tags in order, ids, and the text of what carries a place in the document."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[tuple[str, dict[str, str | None]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.shown: dict[str, list[str]] = {}
        self.scripts: dict[str, str] = {}
        self.unbalanced: list[str] = []
        self.comments: list[str] = []
        self._pointers: list[str | None] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.tags.append((tag, attributes))
        if tag not in _VOID:
            self.open.append((tag, attributes))
            pointer = attributes.get("data-p")
            self._pointers.append(pointer)
            if pointer is not None:
                self.shown.setdefault(pointer, []).append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1][0] != tag:
            self.unbalanced.append(tag)
            return
        self.open.pop()
        self._pointers.pop()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] in {"script", "style"}:
            self.scripts[self.open[-1][1].get("id") or self.open[-1][0]] = data
        for pointer in self._pointers:
            if pointer is not None:
                self.shown[pointer][-1] += data

    def handle_comment(self, data: str) -> None:
        self.comments.append(data)


DOCUMENTS = {
    "a day": report_document(),
    "hostile": report_document(HOSTILE_TEXTS),
    "small": small_document(),
}
TREES = {name: Tree(page(document).decode()) for name, document in DOCUMENTS.items()}
each = pytest.mark.parametrize("name", DOCUMENTS)


def _numbers(value: Any, pointer: str = "") -> Iterator[tuple[str, float]]:
    if isinstance(value, dict):
        if "hist" in value and not value["count"]:
            return  # no sample: there is nothing to show
        for key, item in value.items():
            yield from _numbers(item, f"{pointer}/{key.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from _numbers(item, f"{pointer}/{at}")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield pointer, value


def _read(words: str) -> tuple[float, float]:
    """Return the number that a text shows, and how far from it the value may be."""
    if words in {"<0.1%", ">99.9%"}:
        return (0.0005, 0.0005) if words[0] == "<" else (0.9995, 0.0005)
    parts = re.findall(r"(-?[\d,]*\.?\d+)\s*([^\d\s-]*)", words)
    numbers = [(float(number.replace(",", "")), _FACTORS[unit]) for number, unit in parts]
    last_number, factor = parts[-1][0], numbers[-1][1]
    digits = len(last_number.partition(".")[2])
    return sum(number * scale for number, scale in numbers), factor * 10.0**-digits


@each
def test_every_number_of_the_document_is_shown(name: str) -> None:
    """At its place, and what is written there is the value to the digits that are shown."""
    shown = TREES[name].shown
    missing, wrong = [], []
    for pointer, value in _numbers(DOCUMENTS[name]):
        texts = shown.get(_in_page(pointer))
        if texts is None:
            missing.append(pointer)
            continue
        # Seconds of a bucket are written as a duration like all others, which count milliseconds.
        expected = value * 1000 if pointer == "/trends/bucket_s" else value
        wrong += [
            (pointer, value, text)
            for text in texts
            if abs(_read(text)[0] - expected) > _read(text)[1] * 0.5000001 + (60_000 if " " in text[:-4] else 0)
        ]
    assert ([], []) == (missing, wrong)


def _in_page(pointer: str) -> str:
    """Return a pointer as it reads in the page, where controls and half characters are replaced."""
    return Tree(f'<p data-p="{_escaped(pointer)}"></p>').tags[0][1]["data-p"] or ""


def _escaped(text: str) -> str:
    from ctx.infrastructure.report_page.markup import escaped

    return escaped(text)


@each
def test_structure(name: str) -> None:
    """Elements are closed in order, ids are unique, what refers to an id finds it, headings skip no level."""
    tree = TREES[name]
    assert ([], [], []) == (tree.unbalanced, tree.open, tree.comments)
    ids = [attributes["id"] for _tag, attributes in tree.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    references = [
        word
        for _tag, attributes in tree.tags
        for key in ("aria-labelledby", "aria-describedby")
        for word in (attributes.get(key) or "").split()
    ]
    references += [(attributes.get("href") or "")[1:] for tag, attributes in tree.tags if tag == "a"]
    assert set() == set(references) - set(ids)
    names = [attributes["aria-label"] for tag, attributes in tree.tags if attributes.get("role") == "region"]
    headings = {
        f"{attributes['id']}-heading" for tag, attributes in tree.tags if tag == "section" and "id" in attributes
    }
    assert headings <= set(ids)
    assert len(names) == len(set(names))
    levels = [int(tag[1]) for tag, _attributes in tree.tags if re.fullmatch(r"h[1-6]", tag)]
    assert 1 == levels[0]
    assert all(level - before <= 1 for before, level in pairwise(levels))
    landmarks = [tag for tag, _attributes in tree.tags if tag in {"header", "nav", "main", "footer"}]
    assert ["header", "nav", "main", "footer"] == landmarks


@each
def test_nothing_is_loaded_and_only_our_own_script_may_run(name: str) -> None:
    """The policy names the hashes of the one style and the one script; there is no address of anything else."""
    raw = page(DOCUMENTS[name]).decode()
    tree = TREES[name]
    (policy,) = [
        attributes["content"] or ""
        for tag, attributes in tree.tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    ]
    hashes = {
        kind: base64.b64encode(hashlib.sha256(tree.scripts[kind].encode()).digest()).decode()
        for kind in ("style", "script")
    }
    assert policy.startswith("default-src 'none'; ")
    assert f"style-src 'sha256-{hashes['style']}'; script-src 'sha256-{hashes['script']}';" in policy
    assert "unsafe" not in policy
    attributes = [key for _tag, found in tree.tags for key in found]
    assert [] == [key for key in attributes if key.startswith("on") or key in {"style", "src", "action", "xlink:href"}]
    assert {"#"} == {(found.get("href") or "")[:1] for tag, found in tree.tags if tag == "a"}
    shown = re.sub('content="default-src[^"]*"', "", raw).replace(tree.scripts["report"], "")
    assert [] == re.findall(r"(?:https?:)?//[\w.]+|url\(|@import", shown)


@each
def test_the_document_is_in_the_page(name: str) -> None:
    """As JSON that is equal to it, half characters included."""
    assert DOCUMENTS[name] == json.loads(TREES[name].scripts["report"])


def test_hostile_texts_add_no_element() -> None:
    """The elements are those of the same page with harmless texts, and no text of a script is another."""
    harmless = Tree(page(report_document(tuple(f"text{at}" for at in range(len(HOSTILE_TEXTS))))).decode())
    hostile = TREES["hostile"]
    expected, found = ([tag for tag, _ in tree.tags] for tree in (harmless, hostile))
    assert expected == found
    assert [sorted(attributes) for _tag, attributes in harmless.tags] == [
        sorted(attributes) for _tag, attributes in hostile.tags
    ]
    assert harmless.scripts["script"] == hostile.scripts["script"]


def test_embedded_json_cannot_end_its_element() -> None:
    """ASCII without the three signs, and still the same text."""
    texts = [*HOSTILE_TEXTS, "\u2028\u2029"]
    raw = embedded(texts)
    assert (True, set()) == (raw.isascii(), set(raw) & set("<>&"))
    assert texts == json.loads(raw)


def test_tables_can_be_heard() -> None:
    """Each has a caption and scopes on all of its headings; each picture has a name."""
    for tag, attributes in TREES["a day"].tags:
        if tag == "th":
            assert attributes["scope"] in {"col", "row"}
        if tag == "svg":
            named = attributes.get("aria-labelledby") or attributes.get("aria-label")
            assert "true" == attributes.get("aria-hidden") or ("img" == attributes["role"] and named)
    tags = [tag for tag, _attributes in TREES["a day"].tags]
    assert tags.count("table") == tags.count("caption")


def test_little_is_said_in_sentences() -> None:
    """Where there is nothing to draw or list, a sentence stands."""
    text = page(small_document()).decode()
    for sentence in (
        "No question for a language server.",
        "No file was handed on.",
        "Every question was answered.",
        "None was recorded.",
        "Of these, the last ",
        "Only events since ",
    ):
        assert sentence in text
    assert 'class="notes"' not in text
    nothing = small_document() | {
        "commands": [],
        "top_runs": [],
        "trends": {"bucket_s": 60, "left_out": 0, "buckets": []},
    }
    text = page(nothing).decode()
    for sentence in ("No command ended in this time.", "No event has a time.", "No command ended."):
        assert sentence in text


def test_servers_without_fallbacks_or_readiness() -> None:
    """A server that answered everything, and one that never became ready."""
    document = report_document()
    (server, *_others) = document["lsp"]["servers"]
    silent = server["ready"] | {"count": 0, "hist": None, "p50_ms": None, "p95_ms": None, "max_ms": None}
    document["lsp"]["servers"] = [server | {"fallback_reasons": {}, "ready": silent, "ready_via": {}}]
    text = page(document).decode()
    assert "No fallback: servers answered every question." in text
    assert "No server became ready." in text


def test_operations_without_durations() -> None:
    """Counted, but without a sample."""
    document = report_document()
    nothing = {"count": 0, "p50_ms": None, "p95_ms": None, "max_ms": None, "sum_ms": 0.0, "hist": None}
    document["operations"] = [{"cmd": "map.rank", "count": 1, "errors": 0, "latency": nothing}]
    assert "No durations were recorded." in page(document).decode()


def test_what_is_odd_or_left_out_is_said() -> None:
    """Only what is there; bounds that were reached, answers that are cost only, times that cannot be."""
    clean = Value(small_document())
    assert [] == oddities(clean)
    assert 6 == len(oddities(Value(report_document())))
    document = report_document() | {"capped": ["zero-hit queries"]}
    document["savings"] |= {"uncredited": 4, "capped": True}
    document["trends"]["left_out"] = 2
    text = re.sub(r"<[^>]+>", "", page(document).decode())
    assert "too many to count all: zero-hit queries" in text
    assert "later ones are not credited." in text
    assert "of them older, cost only4" in text
    assert "with a time that cannot be, in no trend2" in text


def test_one_segment_is_called_by_its_name() -> None:
    """In the title of the window, too; every page begins with what makes it one of ours."""
    raw = page(small_document()).decode()
    assert "<title>ctx telemetry report, shop</title>" in raw
    assert raw.startswith(START)
