"""Notebooks: the view has the file's lines and the cells' source, whatever else the JSON holds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctx.domain.notebooks import (
    Cell,
    NotebookError,
    notebook_cells,
    notebook_outline,
    notebook_view,
    python_of,
)
from ctx.domain.symbols import Definition

FIGURE = {"output_type": "display_data", "data": {"image/png": "iVBORw0KGgo" * 5_000, "text/plain": ["<Figure>"]}}


def code(*lines: str) -> dict[str, Any]:
    return {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": [FIGURE], "source": list(lines)}


def markdown(*lines: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": list(lines)}


def notebook(*cells: dict[str, Any], language: str = "python") -> dict[str, Any]:
    return {"cells": list(cells), "metadata": {"language_info": {"name": language}}, "nbformat": 4}


def as_jupyter_writes(document: Any) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


SHOWN = notebook(markdown("# Churn\n", "\n", "Who *leaves*."), code("import pandas\n", "\n", "x = 'ä'"), code())


def test_each_line_of_a_cell_stands_on_its_line_of_the_file() -> None:
    """The view has the JSON's lines; outputs and metadata are blank in it."""
    text = as_jupyter_writes(SHOWN)
    view = notebook_view(text)
    rows, shown = text.split("\n"), view.split("\n")
    assert len(rows) == len(shown)
    for line in ("# Churn", "Who *leaves*.", "import pandas", "x = 'ä'"):
        assert line in rows[shown.index(line)]
    assert ["# %% [markdown]", "# Churn", "", "Who *leaves*."] == shown[5:9]
    assert "Figure" not in view
    assert "iVBOR" not in view
    assert len(view) < 300


@pytest.mark.parametrize("indent", [None, 0])
def test_a_notebook_without_lines_of_its_own_is_stacked(indent: int | None) -> None:
    """JSON in one line, or source in one string, shows the cells one below the other."""
    document = SHOWN | {"cells": [*SHOWN["cells"], code() | {"source": "a = 1\nb = 2\n"}]}
    expected = "# %% [markdown]\n# Churn\n\nWho *leaves*.\n\n# %% [python]\nimport pandas\n\nx = 'ä'\n"
    assert expected + "\n# %% [python]\na = 1\nb = 2\n" == notebook_view(json.dumps(document, indent=indent))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no JSON"),
        ("print('a script')", "no JSON"),
        (as_jupyter_writes(SHOWN)[:-10], "no JSON"),
        ("[" * 100_000, "JSON nested too deeply"),
        ("[]", "no list of cells"),
        ('{"worksheets": [{"cells": []}], "nbformat": 3}', "no list of cells"),
        ('{"cells": {"source": "x"}}', "no list of cells"),
    ],
)
def test_what_is_no_notebook_says_so(text: str, reason: str) -> None:
    """The caller keeps the text as it is and tells why."""
    with pytest.raises(NotebookError, match=reason):
        notebook_view(text)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["cells", "source", "cell_type", "metadata", "language_info", "x"]), inner)
    ),
    max_leaves=20,
)


@given(_JSON, st.sampled_from([None, 0, 1, 4]))
def test_any_json_has_a_view_or_a_reason(document: Any, indent: int | None) -> None:
    """Members of the wrong kind are passed over."""
    try:
        view = notebook_view(json.dumps(document, indent=indent))
    except NotebookError:
        return
    assert isinstance(document["cells"], list)
    assert python_of(view).count("\n") == view.count("\n")
    notebook_outline(view, "a.ipynb")


_LINES = st.lists(st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), max_size=20), max_size=6)


@given(st.lists(st.tuples(st.booleans(), _LINES), max_size=5))
def test_no_line_of_source_is_lost_or_moved(cells: list[tuple[bool, list[str]]]) -> None:
    """As Jupyter writes them, all lines of all cells are in the view, each where the file has it."""
    made = [(code if is_code else markdown)(*[f"{line}\n" for line in lines]) for is_code, lines in cells]
    text = as_jupyter_writes(notebook(*made))
    shown = notebook_view(text).split("\n")
    assert text.count("\n") + 1 == len(shown)
    rows = [row.strip().rstrip(",") for row in text.split("\n")]
    expected = {at for at, row in enumerate(rows) if row.endswith('\\n"')}
    for at in expected:
        assert json.loads(rows[at]) == shown[at] + "\n"
    assert all(not row or row.startswith("# %% [") for at, row in enumerate(shown) if at not in expected)


def test_cells_know_their_lines_and_kinds() -> None:
    """From the marker to the last line that says something."""
    view = notebook_view(as_jupyter_writes(SHOWN))
    assert (
        Cell("markdown", 6, 9, "# %% [markdown]\n# Churn\n\nWho *leaves*."),
        Cell("python", 27, 30, "# %% [python]\nimport pandas\n\nx = 'ä'"),
    ) == notebook_cells(view)
    assert "r" == notebook_cells(notebook_view(as_jupyter_writes(notebook(code("x <- 1"), language="R"))))[0].kind


def test_python_sees_its_cells_alone() -> None:
    """In place, without Markdown, commands of the shell and cells in another language."""
    cells = (markdown("# Title"), code("%matplotlib inline\n", "x = 1\n", "!ls"), code("%%bash\n", "x=2"))
    view = notebook_view(as_jupyter_writes(notebook(*cells)))
    python = python_of(view)
    assert [(at, "x = 1") for at, row in enumerate(view.split("\n")) if row == "x = 1"] == [
        (at, row) for at, row in enumerate(python.split("\n")) if row
    ]


def test_a_cell_goes_by_what_it_declares_or_its_heading() -> None:
    """Each cell is one definition that holds what is declared in it."""
    cells = (
        markdown("Some words\n", "## Load the data! ##\n"),
        code("y = 0\n", "def load():\n", "    pass\n"),
        code("?"),
    )
    view = notebook_view(as_jupyter_writes(notebook(*cells)))
    line = view.split("\n").index("def load():") + 1
    load = Definition("function", "load", "load", "def load()", (), "Read it.", line, line + 1, 0, 0, line, -1)
    inner = Definition("function", "inner", "load.inner", "def inner()", (), "", line + 1, line + 1, 0, 0, line + 1, 0)
    outline = notebook_outline(view, "a.ipynb", (load, inner))
    found = [(d.kind, d.qualname, d.signature, d.doc, d.parent) for d in outline.definitions]
    assert [
        ("section", "load-the-data", "Load the data!", "", -1),
        ("section", "load", "def load()", "Read it.", -1),
        ("function", "load", "def load()", "Read it.", 1),
        ("section", "cell", "", "", -1),
    ] == found
    assert view.encode()[outline.definitions[1].start_byte :].startswith(b"# %% [python]\ny = 0\n")
