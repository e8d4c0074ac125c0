"""Inputs for properties: source text that looks like what people write, and text that does not."""

from __future__ import annotations

from hypothesis import strategies as st

names = st.sampled_from(["run", "load_config", "getHTTPUser", "Session", "_inner", "x", "value2", "größe"])
"""Names that repeat, so that files get twins and several definitions of one name."""

any_line = st.text(
    alphabet=st.characters(exclude_characters="\n", exclude_categories=("Cs",)) | st.sampled_from(" \t\r#`=-@():."),
    max_size=30,
)
any_text = st.lists(any_line, max_size=30).map("\n".join)
"""Text of any characters but lone surrogates, with the marks of Python and Markdown well represented."""


@st.composite
def _statements(draw: st.DrawFn, depth: int) -> list[str]:
    lines: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        name = draw(names)
        kind = draw(
            st.sampled_from(["def", "async", "class", "constant", "comment", "blank", "decorator", "if", "odd"])
        )
        if kind == "constant":
            lines.append(f"{name} = {draw(st.integers(0, 9))}")
        elif kind == "comment":
            lines.append(f"# {name} is what it is")
        elif kind == "blank":
            lines += [""] * draw(st.integers(1, 40))
        elif kind == "odd":
            lines.append(draw(any_line))
        elif depth < 3:
            heads = {
                "def": f"def {name}(a, b=1):",
                "async": f"async def {name}():",
                "class": f"class {name}(Base):",
                "decorator": f"@wrap({name})\ndef {name}():",
                "if": "if True:",
            }
            body = ["    " + line if line else "" for line in draw(_statements(depth + 1))]
            body += ["    pass"] * draw(st.sampled_from([1, 1, 40, 150]))
            lines += [*heads[kind].split("\n"), *body]
    return lines


@st.composite
def python_sources(draw: st.DrawFn) -> str:
    """Return Python of every nesting, sometimes broken, with either line end and with or without a last one."""
    lines = draw(_statements(0))
    newline = draw(st.sampled_from(["\n", "\r\n"]))
    return newline.join(lines) + draw(st.sampled_from(["", newline]))


@st.composite
def markdown_sources(draw: st.DrawFn) -> str:
    """Return Markdown with headings of both forms, fences that may stay open, and long sections."""
    blocks = draw(
        st.lists(
            st.one_of(
                st.builds("{} {}".format, st.sampled_from(["#", "##", "###### "]), any_line),
                st.builds("{}\n{}".format, any_line, st.sampled_from(["===", "---", "- --", "----   "])),
                st.builds("```py\n{}\n```".format, any_line),
                st.just("~~~"),
                any_line,
                st.integers(1, 150).map(lambda n: "a line of prose\n" * n),
            ),
            max_size=12,
        )
    )
    return draw(st.sampled_from(["\n", "\n\n"])).join(blocks)
