"""The languages ctx parses: one row here and one query file beside this one per language.

A query names what it finds with captures, and only captures say what a language is like; the reader of the matches
(`ctx.infrastructure.ast_lsp.skeleton_map`) is the same for all:

- `@definition.<kind>` the whole definition; `@name` and `@body` inside it; `@scope` what else stands before the name
  (a Go receiver's type, the object a JavaScript function is assigned to). Of two definitions with one name node the
  outer one stands, of two with one span the pattern that comes first.
- `@namespace` a namespace, written without braces, that everything after it belongs to.
- `@decorator`, `@doc` (a docstring at a body's start), `@comment` stand alone and are joined by position.
- `@import` a whole import; `@bound` inside it the names it binds, also when a pattern of its own finds them. Without
  any, its words stand for them.

A grammar is imported when its language is first met.
"""

from __future__ import annotations

import importlib
import os
import re
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from ...domain.errors import CtxError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tree_sitter import Language, Query


@dataclass(frozen=True, slots=True)
class LanguageRow:
    """One language: its name, the grammar package, the file endings that are its own.

    `queries` are the query files' stems when they are not just the language's own name; `interpreters` are the
    programs a script's first line may name; `import_words` are the words of an import that name nothing;
    `unparsed` matches what the grammar cannot know and would stumble over: it is blanked before parsing.
    """

    name: str
    grammar_module: str
    extensions: tuple[str, ...]
    file_names: tuple[str, ...] = ()
    grammar_function: str = "language"
    queries: tuple[str, ...] = ()
    interpreters: tuple[str, ...] = ()
    import_words: tuple[str, ...] = ("import", "from", "as")
    unparsed: re.Pattern[bytes] | None = None

    @property
    def query_files(self) -> tuple[str, ...]:
        """The paths of the queries that find this language's definitions; read as one text."""
        folder = os.path.dirname(__file__)
        return tuple(os.path.join(folder, f"{stem}.scm") for stem in self.queries or (self.name,))


_CPP_EXPORT_MACRO = re.compile(
    rb"(?:(?<=\bclass)|(?<=\bstruct))[ \t]+[A-Z][A-Z0-9_]{2,}(?:\([^()\n]*\))?"
    rb"(?=\s+(?!final\b)\w+(?:\s*<[^<>;{}]*>)?(?:\s+final)?\s*[:{])"
)
"""`class LIB_EXPORT Name {`: without its definition a macro there turns the class into a function."""
_ECMASCRIPT_IMPORT_WORDS = ("import", "export", "from", "as", "type", "const", "require")

LANGUAGES: tuple[LanguageRow, ...] = (
    LanguageRow(
        "python",
        "tree_sitter_python",
        (".py", ".pyi", ".pyw"),
        ("SConstruct", "SConscript", "wscript"),
        interpreters=("python", "pypy"),
    ),
    LanguageRow(
        "javascript",
        "tree_sitter_javascript",
        (".js", ".jsx", ".mjs", ".cjs"),
        ("Jakefile",),
        queries=("ecmascript", "javascript"),
        interpreters=("node", "nodejs", "bun"),
        import_words=_ECMASCRIPT_IMPORT_WORDS,
    ),
    LanguageRow(
        "typescript",
        "tree_sitter_typescript",
        (".ts", ".mts", ".cts"),
        grammar_function="language_typescript",
        queries=("ecmascript", "typescript"),
        interpreters=("deno", "ts-node", "tsx"),
        import_words=_ECMASCRIPT_IMPORT_WORDS,
    ),
    LanguageRow(
        "tsx",
        "tree_sitter_typescript",
        (".tsx",),
        grammar_function="language_tsx",
        queries=("ecmascript", "typescript"),
        import_words=_ECMASCRIPT_IMPORT_WORDS,
    ),
    LanguageRow("go", "tree_sitter_go", (".go",)),
    LanguageRow(
        "rust", "tree_sitter_rust", (".rs",), import_words=("use", "mod", "pub", "crate", "self", "super", "as")
    ),
    LanguageRow("java", "tree_sitter_java", (".java",), import_words=("import", "static")),
    LanguageRow("c", "tree_sitter_c", (".c", ".h"), import_words=("include", "h"), unparsed=_CPP_EXPORT_MACRO),
    LanguageRow(
        "cpp",
        "tree_sitter_cpp",
        (".cpp", ".cc", ".cxx", ".c++", ".hpp", ".hh", ".hxx", ".h++", ".ipp", ".tpp", ".inl", ".cu", ".cuh", ".ino"),
        queries=("cpp", "c"),
        import_words=("include", "h", "hpp"),
        unparsed=_CPP_EXPORT_MACRO,
    ),
    LanguageRow(
        "ruby",
        "tree_sitter_ruby",
        (".rb", ".rake", ".gemspec", ".ru", ".rbi"),
        ("Rakefile", "Gemfile", "Guardfile", "Vagrantfile", "Podfile", "Fastfile", "Capfile", "Brewfile"),
        interpreters=("ruby", "jruby"),
        import_words=("require", "require_relative", "load", "autoload", "rb"),
    ),
    LanguageRow(
        "php",
        "tree_sitter_php",
        (".php", ".phtml", ".php5", ".php7", ".php8"),
        grammar_function="language_php",
        interpreters=("php",),
        import_words=("use", "function", "const", "include", "include_once", "require", "require_once", "php"),
    ),
    LanguageRow("csharp", "tree_sitter_c_sharp", (".cs", ".csx"), import_words=("using", "static", "global")),
    LanguageRow(
        "bash",
        "tree_sitter_bash",
        (".sh", ".bash", ".zsh", ".ksh", ".bats", ".ebuild"),
        (".bashrc", ".bash_profile", ".bash_aliases", ".bash_logout", ".profile", ".zshrc", ".zshenv", "PKGBUILD"),
        interpreters=("bash", "sh", "dash", "ash", "ksh", "zsh", "bats"),
        import_words=("source", "load", "sh", "bash"),
    ),
)

MARKDOWN = "markdown"
TEXT = "text"

_MARKDOWN_EXTENSIONS = (".md", ".markdown", ".mdx")

_BY_EXTENSION = {extension: row.name for row in LANGUAGES for extension in row.extensions} | dict.fromkeys(
    _MARKDOWN_EXTENSIONS, MARKDOWN
)
_BY_FILE_NAME = {name: row.name for row in LANGUAGES for name in row.file_names}
_BY_NAME = {row.name: row for row in LANGUAGES}
_BY_INTERPRETER = {program: row.name for row in LANGUAGES for program in row.interpreters}

_SHEBANG = re.compile(rb"#!\s*(?:\S*/)?(?:env\s+(?:-\S+\s+|\w+=\S*\s+)*(?:\S*/)?)?([A-Za-z][\w-]*?)[\d.]*(?:\s|$)")
_MARKUP = re.compile(rb"\s*<(?:\?xml|!doctype|html|!--)", re.IGNORECASE)
_JSON = re.compile(rb"""\s*(?:\{\s*(?:"(?:[^"\\\n]|\\.)*"\s*:|\}\s*$)|\[\s*(?:[\[{"\d]|\]\s*$))""")
_CPP_LINE = re.compile(
    rb"^[ \t]*(?:template\s*<|namespace\b[^;\n=]*$|namespace\b[^;\n=]*\{|using\s+(?:namespace\s|\w+\s*=)"
    rb"|(?:public|private|protected)\s*:|class\s+(?:\w+\s+)*\w+(?:\s+final)?\s*(?:[:{].*)?$|#\s*include\s+<[a-z_]+>\s*$)",
    re.MULTILINE,
)
_OBJECTIVE_C_LINE = re.compile(
    rb"^[ \t]*(?:@(?:interface|protocol|class|implementation|import)\b|#\s*import\b)", re.MULTILINE
)
_FLOW = re.compile(rb"\A(?:#![^\n]*\n)?\s*(?:/\*.{0,2000}?@flow\b|//\s*@flow\b)", re.DOTALL)


def language_of(path: str, source: bytes = b"") -> str:
    """Return the language of a file by its name, corrected by its text; `text` for everything without a row.

    `source` is the whole text or its beginning; without it the name alone decides.
    """
    by_name = _language_of_name(path)
    if not source:
        return by_name
    return _corrected(by_name, source)


def _language_of_name(path: str) -> str:
    name = path.rpartition("/")[2]
    known = _BY_FILE_NAME.get(name)
    if known is not None:
        return known
    stem, dot, extension = name.rpartition(".")
    return _BY_EXTENSION.get(f".{extension.lower()}", TEXT) if dot and stem else TEXT


def _corrected(language: str, source: bytes) -> str:
    """Return what the text says it is where the name says nothing or is known to lie."""
    if language in (TEXT, "bash"):
        # A known ending other than the shell's wins: `#!/bin/sh` at the top of a .py is a launcher's trick.
        shebang = _SHEBANG.match(source, 0, 256) if source.startswith(b"#!") else None
        return _BY_INTERPRETER.get(shebang[1].decode(), language) if shebang is not None else language
    decide = _BY_TEXT.get(language)
    if decide is None:
        return language
    return TEXT if _MARKUP.match(source) else decide(source)


def _ecmascript_dialect(source: bytes) -> str:
    if _JSON.match(source):
        return TEXT
    return "tsx" if _FLOW.match(source) else "javascript"  # Flow's annotations are nearest to TypeScript's


def _c_dialect(source: bytes) -> str:
    if _OBJECTIVE_C_LINE.search(source):
        return TEXT
    return "cpp" if _CPP_LINE.search(source) else "c"


_BY_TEXT: dict[str, Callable[[bytes], str]] = {
    "c": _c_dialect,
    "javascript": _ecmascript_dialect,
    "typescript": lambda _source: "typescript",
}
"""Languages whose file endings also stand on other things; markup is looked for in all of these (an error page saved
as .js, Qt's translations in .ts)."""


def row_of(language: str) -> LanguageRow | None:
    """Return the language's row, or None for one without a grammar."""
    return _BY_NAME.get(language)


def parsable(language: str, source: bytes) -> bytes:
    """Return the text as the grammar is to see it: of the same length, every line end in its place."""
    unparsed = _BY_NAME[language].unparsed
    return source if unparsed is None else unparsed.sub(_blank, source)


def _blank(match: re.Match[bytes]) -> bytes:
    return b" " * len(match[0])


@cache
def grammar_of(language: str) -> Language:
    """Import the grammar of a language that has a row and return it.

    Raises: KeyError for a language without a row; CtxError when its package is missing or of another ABI.
    """
    from tree_sitter import Language

    row = _BY_NAME[language]
    try:
        return Language(getattr(importlib.import_module(row.grammar_module), row.grammar_function)())
    except (ImportError, ValueError) as error:
        package = row.grammar_module.replace("_", "-")
        raise CtxError(f"the grammar of {language} cannot be loaded ({error}); pip install {package}") from error


@cache
def query_source(language: str) -> str:
    """Return the text of the language's query files."""
    texts = []
    for path in _BY_NAME[language].query_files:
        with open(path, encoding="utf-8") as file:
            texts.append(file.read())
    return "\n".join(texts)


@cache
def query_of(language: str) -> Query:
    """Return the language's query, compiled; some take a third of a second.

    Raises: KeyError for a language without a row; CtxError when its grammar cannot be loaded.
    """
    from tree_sitter import Query

    return Query(grammar_of(language), query_source(language))


@cache
def extraction_version(language: str) -> str:
    """Return a tag that changes whenever grammar or query may extract something else: `<abi>-<8 hex>`."""
    import hashlib
    from importlib.metadata import version

    row = _BY_NAME[language]
    grammar = version(row.grammar_module.replace("_", "-"))
    return f"{grammar}-{hashlib.sha256(query_source(language).encode()).hexdigest()[:8]}"
