"""The page of `ctx telemetry report --html` in a real browser: Debian's Chromium, headless, without a network.

Without Chromium its tests are skipped and say so; with CTX_REQUIRE_EDITORS=1, as CI has it, they fail.
"""

from __future__ import annotations

import json
import os
import shutil
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.fixtures.report_document import HOSTILE_TEXTS, report_document
from tests.process_tree import process_is_gone

from ctx.infrastructure.report_page import page as page_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Page
    from tests.integration.conftest import Sandbox

    Open = Callable[..., "Opened"]

MARK = "CTX_TEST_BROWSER"
AA_TEXT, AA_LARGE_TEXT, AA_GRAPHICS = 4.5, 3.0, 3.0

# Colours as they are computed: each visible text against what is painted below it, each mark against its panel.
CONTRASTS = """
() => {
  const channels = (colour) => colour.match(/[\\d.]+/g).map(Number);
  const luminance = (colour) => {
    const linear = (c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = channels(colour).map((c) => linear(c / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [light, dark] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = getComputedStyle(at).backgroundColor;
      if (channels(colour)[3] !== 0) return colour;
    }
    throw new Error("nothing is painted");
  };
  const texts = [], marks = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (element.closest("title, desc, script, .hidden, .skip")) continue;
    const style = getComputedStyle(element);
    const size = parseFloat(style.fontSize);
    const isLarge = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    const colour = element.namespaceURI.endsWith("svg") ? style.fill : style.color;
    texts.push([walker.currentNode.data.trim().slice(0, 30), isLarge, ratio(colour, behind(element))]);
  }
  for (const mark of document.querySelectorAll(".bar, .c1, .c2, .c3, .c4, .c5, .c6, .curve, .mark, .axis, .max")) {
    const style = getComputedStyle(mark);
    const isLine = style.fill === "none" || mark.tagName === "line";
    marks.push([mark.getAttribute("class"), ratio(isLine ? style.stroke : style.fill, behind(mark))]);
  }
  return { texts, marks };
}
"""


def _missing() -> str:
    if shutil.which("chromium") is None:
        return "chromium is not installed; scripts/install_editors.sh installs it"
    try:
        import playwright.sync_api  # noqa: F401
    except ImportError:
        return "playwright is not installed"
    return ""


@dataclass(slots=True)
class Opened:
    """A page in the browser and everything it did that a report must not do."""

    page: Page
    console: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)

    def check_quiet(self, path: Path) -> None:
        """Fail unless the file itself is all that was loaded, and nothing was said."""
        assert ([], [], [path.as_uri()]) == (self.console, self.dialogs, self.requests)

    def shown(self) -> list[tuple[str, str]]:
        """Return (place in the document, text) of every value that the page shows."""
        found: list[tuple[str, str]] = self.page.eval_on_selector_all(
            "[data-p]", "all => all.map(e => [e.dataset.p, e.textContent])"
        )
        return [(place, text) for place, text in found]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests of this file, of which no process stays."""
    if why := _missing():
        give_up = pytest.fail if os.environ.get("CTX_REQUIRE_EDITORS") == "1" else pytest.skip
        give_up(why)
    from playwright.sync_api import sync_playwright

    mark = uuid.uuid4().hex
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), headless=True, env={**os.environ, MARK: mark}
        )
        started = _processes(mark)
        yield found
        found.close()
    assert started
    assert [] == [pid for pid in started if not process_is_gone(pid)]
    assert [] == [pid for pid in _processes(mark) if not process_is_gone(pid)]


def _processes(mark: str) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if f"{MARK}={mark}".encode() in (entry / "environ").read_bytes().split(b"\0"):
                    found.append(int(entry.name))
            except OSError:  # gone, or not ours
                continue
    return found


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """Open a file in a window of its own; the network is off."""
    contexts = []

    def opened(path: Path, *, width: int = 1280, **options: Any) -> Opened:
        context = browser.new_context(viewport={"width": width, "height": 900}, offline=True, **options)
        contexts.append(context)
        found = Opened(context.new_page())
        found.page.on("console", lambda message: found.console.append(f"{message.type}: {message.text}"))
        found.page.on("pageerror", lambda error: found.console.append(str(error)))
        found.page.on("request", lambda request: found.requests.append(request.url))

        def dismiss(dialog: Any) -> None:
            found.dialogs.append(dialog.message)
            dialog.dismiss()

        found.page.on("dialog", dismiss)
        found.page.goto(path.as_uri())
        return found

    yield opened
    for context in contexts:
        context.close()


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """The page of a day with everything in it."""
    path = tmp_path / "day.html"
    path.write_bytes(page_of(report_document()))
    return path


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """The page of a day whose queries and names are markup, scripts and controls."""
    path = tmp_path / "hostile.html"
    path.write_bytes(page_of(report_document(HOSTILE_TEXTS)))
    return path


def _unfold(page: Page) -> None:
    page.eval_on_selector_all("details", "all => all.forEach(e => { e.open = true; })")


def test_the_page_of_real_commands_shows_what_json_says(open_page: Open, repository: Sandbox) -> None:
    """The document in the page is that of --json, its numbers are in the page, the browser has nothing to say."""
    repository.ok("search", "signed cookie")
    repository.run("search", "zzqx <script>")
    path = repository.segment / "r.html"
    document = repository.json("telemetry", "report", "--html", str(path))
    opened = open_page(path)
    opened.check_quiet(path)
    embedded = json.loads(opened.page.text_content("#report") or "")
    assert document == embedded
    shown = dict(opened.shown())
    assert ("2", "ctx.search") == (shown["/commands/0/count"], shown["/commands/0/cmd"])
    assert f"{document['events']['selected']:,}" == shown["/events/selected"]
    assert ["zzqx <script>"] == [row["query"] for row in document["zero_hit_queries"]]
    assert "zzqx <script>" == shown["/zero_hit_queries/0/query"]


def test_numbers_are_in_the_page_without_a_script(open_page: Open, day: Path) -> None:
    """With and without JavaScript the same values stand at the same places; controls that need it are not there."""
    with_script, without = open_page(day), open_page(day, java_script_enabled=False)
    with_script.check_quiet(day)
    without.check_quiet(day)
    assert with_script.shown() == without.shown()
    assert len(without.shown()) > 1000
    assert (0, 0) == (without.page.locator("button").count(), without.page.locator("input").count())
    assert without.page.locator("th button").count() < with_script.page.locator("th button").count()
    assert without.page.get_by_text("46.3 ms").first.is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(open_page: Open, day: Path, scheme: str) -> None:
    """WCAG AA for every text and every mark of a plot, in both schemes; the scheme is the one asked for."""
    opened = open_page(day, color_scheme=scheme)
    _unfold(opened.page)
    found = opened.page.evaluate(CONTRASTS)
    assert len(found["texts"]) > 1000
    least = {True: AA_LARGE_TEXT, False: AA_TEXT}
    assert [] == [row for row in found["texts"] if row[2] < least[row[1]]]
    assert len(found["marks"]) > 100
    assert [] == [row for row in found["marks"] if row[1] < AA_GRAPHICS]
    ground = opened.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert {"light": "rgb(246, 247, 249)", "dark": "rgb(14, 18, 23)"}[scheme] == ground
    opened.page.get_by_role("button", name="Light theme" if scheme == "dark" else "Dark theme").click()
    assert ground != opened.page.evaluate("getComputedStyle(document.body).backgroundColor")


def test_keyboard(open_page: Open, day: Path) -> None:
    """The first stop leads past the sections; a heading sorts its table in both orders, and says so."""
    opened = open_page(day)
    page, document = opened.page, report_document()
    page.keyboard.press("Tab")
    assert "Skip to the report" == page.evaluate("document.activeElement.textContent")
    assert page.evaluate("document.activeElement.getBoundingClientRect().top") >= 0
    page.keyboard.press("Enter")
    assert "main" == page.evaluate("document.activeElement.id")
    head = page.locator("#commands table").first.locator("th").filter(has_text="p95")
    for _stop in range(20):
        page.keyboard.press("Tab")
        if head.evaluate("e => e.contains(document.activeElement)"):
            break
    assert "p95" == page.evaluate("document.activeElement.textContent")
    assert "none" != page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
    by_p95 = sorted(document["commands"], key=lambda row: -row["latency"]["p95_ms"])
    for order, rows in (("descending", by_p95), ("ascending", by_p95[::-1])):
        page.keyboard.press("Enter")
        assert order == head.get_attribute("aria-sort")
        names = page.locator("#commands table").first.locator("tbody th").all_inner_texts()
        assert [row["cmd"] for row in rows] == names
    assert 1 == page.locator("#commands [aria-sort]").count()
    opened.check_quiet(day)


def test_sorting_goes_by_values_and_keeps_the_unknown_last(open_page: Open, day: Path) -> None:
    """1.09 s is more than 439 ms; what was never measured comes last in both orders."""
    page = open_page(day).page
    table = page.locator("#servers table").first
    head = table.locator("th").filter(has_text="Max").get_by_role("button")
    for expected in (["ty", "basedpyright", "(none)"], ["basedpyright", "ty", "(none)"]):
        head.click()
        assert expected == table.locator("tbody th").all_inner_texts()
    page.locator("#servers table").first.locator("th").filter(has_text="Server").get_by_role("button").click()
    assert ["basedpyright", "ty", "(none)"] == table.locator("tbody th").all_inner_texts()


def test_filter(open_page: Open, day: Path) -> None:
    """Long tables can be narrowed; how many rows are left is said."""
    page = open_page(day).page
    page.get_by_label("Filter Slowest commands").fill("INDEX")
    rows = page.locator("#slowest tbody tr")
    assert 9 == rows.locator("visible=true").count()
    assert "9 of 20 rows" == page.locator("#slowest [role=status]").inner_text()
    page.get_by_label("Filter Slowest commands").fill("")
    assert (20, "") == (
        rows.locator("visible=true").count(),
        page.locator("#slowest [role=status]").inner_text(),
    )


def test_plots_can_be_heard_and_walked(open_page: Open, day: Path) -> None:
    """Every picture of the accessibility tree has a name; arrow keys read the values of a plot out."""
    opened = open_page(day)
    page = opened.page
    _unfold(page)
    nodes = page.context.new_cdp_session(page).send("Accessibility.getFullAXTree")["nodes"]
    images = [node for node in nodes if node.get("role", {}).get("value") in {"image", "img"} and not node["ignored"]]
    assert page.locator("svg[role=img]").count() == len(images)
    assert [] == [node for node in images if not node.get("name", {}).get("value")]
    plots = [node for node in images if node.get("description", {}).get("value")]
    assert page.locator(".plot > svg").count() == len(plots)
    plot = page.get_by_role("img", name="ctx.search", exact=True)
    plot.focus()
    histogram = report_document()["commands"][0]["latency"]["hist"]
    filled = [samples for samples in histogram["counts"] if samples]
    readout = page.locator("#commands .plot").first.locator("output")
    for key, samples in (
        ("ArrowRight", filled[0]),
        ("ArrowRight", filled[1]),
        ("End", filled[-1]),
        ("Home", filled[0]),
    ):
        page.keyboard.press(key)
        assert readout.inner_text().endswith(f": {samples}")
    page.keyboard.press("Escape")
    assert "" == readout.inner_text()
    page.locator("#commands .plot").first.locator(".hit").nth(2).hover()
    assert readout.inner_text().endswith(f": {filled[2]}")
    opened.check_quiet(day)


def test_hostile_texts_do_nothing(open_page: Open, hostile: Path, tmp_path: Path) -> None:
    """No dialog, no request, no complaint, no element more than with harmless texts; what is shown is the text."""
    harmless = tmp_path / "harmless.html"
    harmless.write_bytes(page_of(report_document(tuple(f"text{at}" for at in range(len(HOSTILE_TEXTS))))))
    found = {}
    for path in (harmless, hostile):
        opened = open_page(path)
        _unfold(opened.page)
        opened.page.wait_for_load_state("networkidle")
        found[path] = opened.page.evaluate("[...document.querySelectorAll('*')].map(e => e.tagName)")
        opened.check_quiet(path)
    assert found[harmless] == found[hostile]
    shown = [text for place, text in opened.shown() if place.startswith("/zero_hit_queries/") and "query" in place]
    assert "</script><img src=x onerror=alert(1)>" in shown
    assert "\N{REPLACEMENT CHARACTER}gnp.exe\N{REPLACEMENT CHARACTER}" in shown
    assert report_document(HOSTILE_TEXTS) == json.loads(opened.page.text_content("#report") or "")


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
def test_no_window_scrolls_sideways(open_page: Open, hostile: Path, width: int) -> None:
    """Wide tables scroll in their own boxes, also with everything unfolded and words that cannot be broken."""
    page = open_page(hostile, width=width).page
    _unfold(page)
    assert width >= page.evaluate("document.documentElement.scrollWidth")


def test_tables_fit_a_desktop_and_stay_low_on_a_telephone(open_page: Open, day: Path) -> None:
    """No column is cut off at 1,280 px; at 360 px no row is higher than its name because a time is folded."""
    page = open_page(day, width=1280).page
    wide = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth).map(box => box.ariaLabel)"
    assert [] == page.locator("main > section > .scroll").evaluate_all(wide)
    page.set_viewport_size({"width": 360, "height": 900})
    heights = page.locator("td time").evaluate_all("times => times.map(time => time.getBoundingClientRect().height)")
    assert 20 <= len(heights)
    assert max(heights) < 1.5 * min(height for height in heights if height)


def test_motion_and_paper(open_page: Open, day: Path) -> None:
    """Who asked for less motion gets none; paper has neither sections to jump to nor a button."""
    page = open_page(day, reduced_motion="reduce").page
    assert "auto" == page.evaluate("getComputedStyle(document.documentElement).scrollBehavior")
    page.emulate_media(media="print", color_scheme="dark")
    assert not page.locator("nav").is_visible()
    assert not page.get_by_role("button", name="theme").first.is_visible()
    assert "rgb(26, 31, 38)" == page.evaluate("getComputedStyle(document.body).color")
