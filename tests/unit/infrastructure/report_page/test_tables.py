"""Tables of the page."""

from __future__ import annotations

from ctx.domain.telemetry import figures
from ctx.infrastructure.report_page.markup import Markup
from ctx.infrastructure.report_page.tables import Column, chips, table, values_of_plot
from ctx.infrastructure.report_page.values import Value

ROWS = Value([{"name": "one", "count": 1200, "share": None}, {"name": None, "count": 0, "share": 0.5}])


def test_a_table_says_what_its_cells_are() -> None:
    """Caption, scopes, numbers with their places, what is 0 or not known in a quieter colour."""
    columns = (Column("Name"), Column("Count", figures.count, "how many"), Column("Share", figures.percent))
    found = table("Things", columns, [(row["name"], row["count"], row["share"]) for row in ROWS])
    assert '<div class="scroll" tabindex="0" role="region" aria-label="Things"><table>' in found
    assert '<caption class="hidden">Things</caption>' in found
    assert '<th scope="col" class="number" title="how many" data-sort>Count</th>' in found
    assert '<th scope="row" data-p="/0/name">one</th><td class="number" data-p="/0/count">1,200</td>' in found
    assert '<td class="number zero" data-p="/0/share">\N{EN DASH}</td>' in found
    assert '<th scope="row" data-p="/1/name"></th><td class="number zero" data-p="/1/count">0</td>' in found


def test_cells_of_markup_and_columns_that_cannot_be_sorted() -> None:
    """A number that was written elsewhere stands where numbers stand."""
    columns = (Column("A", is_sortable=False), Column("B", figures.count))
    found = table("T", columns, [("x<", Markup("<b>1</b>"))], can_filter=True, shows_caption=True, class_="small")
    assert '<table class="small" data-filter><caption>T</caption>' in found
    assert '<th scope="col">A</th>' in found
    assert '<th scope="row">x&lt;</th><td class="number"><b>1</b></td>' in found


def test_values_of_a_plot_are_folded_away() -> None:
    """Their summary names the plot for who hears it out of its place."""
    found = values_of_plot("plot <1>", (Column("A"),), [("x",)])
    assert found.startswith('<details class="values"><summary>Values<span class="hidden"> of plot &lt;1&gt;</span>')


def test_chips() -> None:
    """Names with a figure each; none is a word."""
    parts = list(Value({"cli": 2}).members())
    assert (
        '<ul class="chips" aria-label="Faces"><li><bdi>cli</bdi> <b><span data-p="/cli">2</span></b></li></ul>'
        == chips("Faces", parts, figures.count)
    )
    assert '<span class="quiet">none</span>' == chips("Faces", [], figures.count)
