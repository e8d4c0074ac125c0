"""The languages ctx parses: one row here and one query file beside this one per language.

A query names what it finds with captures: `@definition.<kind>` for the whole definition, `@name` and `@body`
inside it; `@decorator`, `@doc` and `@import` stand alone and are joined to definitions by position.
A grammar is imported when its language is first met.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tree_sitter import Language


@dataclass(frozen=True, slots=True)
class LanguageRow:
    """One language: its name, the grammar package, the file endings that are its own."""

    name: str
    grammar_module: str
    extensions: tuple[str, ...]
    file_names: tuple[str, ...] = ()

    @property
    def query_file(self) -> str:
        """The path of the query that finds this language's definitions."""
        return os.path.join(os.path.dirname(__file__), f"{self.name}.scm")


LANGUAGES: tuple[LanguageRow, ...] = (
    LanguageRow("python", "tree_sitter_python", (".py", ".pyi", ".pyw"), ("SConstruct", "SConscript", "wscript")),
)

MARKDOWN = "markdown"
TEXT = "text"

_MARKDOWN_EXTENSIONS = (".md", ".markdown", ".mdx")

_BY_EXTENSION = {extension: row.name for row in LANGUAGES for extension in row.extensions} | dict.fromkeys(
    _MARKDOWN_EXTENSIONS, MARKDOWN
)
_BY_FILE_NAME = {name: row.name for row in LANGUAGES for name in row.file_names}
_BY_NAME = {row.name: row for row in LANGUAGES}


def language_of(path: str) -> str:
    """Return the language of a path by its name alone; `text` for everything without a row."""
    name = path.rpartition("/")[2]
    known = _BY_FILE_NAME.get(name)
    if known is not None:
        return known
    stem, dot, extension = name.rpartition(".")
    return _BY_EXTENSION.get(f".{extension.lower()}", TEXT) if dot and stem else TEXT


def row_of(language: str) -> LanguageRow | None:
    """Return the language's row, or None for one without a grammar."""
    return _BY_NAME.get(language)


@cache
def grammar_of(language: str) -> Language:
    """Import the grammar of a language that has a row and return it.

    Raises: KeyError for a language without a row.
    """
    from tree_sitter import Language

    row = _BY_NAME[language]
    return Language(importlib.import_module(row.grammar_module).language())


@cache
def query_source(language: str) -> str:
    """Return the text of the language's query file."""
    with open(_BY_NAME[language].query_file, encoding="utf-8") as file:
        return file.read()


@cache
def extraction_version(language: str) -> str:
    """Return a tag that changes whenever grammar or query may extract something else: `<abi>-<8 hex>`."""
    import hashlib
    from importlib.metadata import version

    row = _BY_NAME[language]
    grammar = version(row.grammar_module.replace("_", "-"))
    return f"{grammar}-{hashlib.sha256(query_source(language).encode()).hexdigest()[:8]}"
