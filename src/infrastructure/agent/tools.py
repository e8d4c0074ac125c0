"""The tools an agent sees: names, descriptions, schemas, and what counts as a right argument.

Every agent pays for the schemas in every conversation, so each word here is weighed (`benchmarks/agent.py` counts
them). Standard library only: the list of tools is there before anything heavy is imported.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any

from ...domain.errors import UsageError
from ..secrets import redact_secrets

MAX_TOKENS = 8000
MAX_TOKENS_MIN = 500
MAX_TOKENS_MAX = 100_000
TEXT_CHARS_MAX = 4000
"""Of one argument; a path or an id is shorter, and a longer question is none."""
LIST_ITEMS_MAX = 50
LIMIT_MAX = 100
_SHOWN_CHARS_MAX = 60


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a tool: `kind` is text, texts (a list), number, flag; `choices` are the only texts allowed."""

    name: str
    kind: str = "text"
    about: str = ""
    choices: tuple[str, ...] = ()
    default: Any = None
    lowest: int = 1
    highest: int = LIMIT_MAX

    def schema(self) -> dict[str, Any]:
        """Return the argument's JSON Schema, without what goes without saying."""
        found: dict[str, Any]
        match self.kind:
            case "texts":
                found = {"type": "array", "items": {"type": "string"}}
            case "number":
                found = {"type": "integer"}
            case "flag":
                found = {"type": "boolean"}
            case _:
                found = {"type": "string"}
        if self.choices:
            found["enum"] = list(self.choices)
        if self.default is not None:
            found["default"] = self.default
        if self.about:
            found["description"] = self.about
        return found

    def read(self, given: Any) -> Any:
        """Return the given value when it is one.

        Raises: UsageError that says what is expected and what was found.
        """
        match self.kind:
            case "text":
                return self._text(given)
            case "texts":
                return self._texts(given)
            case "flag":
                if not isinstance(given, bool):
                    raise UsageError(f"{self.name} must be true or false, found {_shown(given)}")
                return given
            case _:
                return self._number(given)

    def _text(self, given: Any) -> str:
        if not isinstance(given, str):
            raise UsageError(f"{self.name} must be a string, found {_shown(given)}")
        if len(given) > TEXT_CHARS_MAX:
            raise UsageError(f"{self.name} is {len(given)} characters long, at most {TEXT_CHARS_MAX} are taken")
        if self.choices and given not in self.choices:
            near = nearest(given, self.choices)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise UsageError(f"{self.name} must be one of {', '.join(self.choices)}, found {_shown(given)}{hint}")
        return given

    def _texts(self, given: Any) -> list[str]:
        if not isinstance(given, list) or not all(isinstance(one, str) for one in given):
            raise UsageError(f"{self.name} must be a list of strings, found {_shown(given)}")
        if len(given) > LIST_ITEMS_MAX:
            raise UsageError(f"{self.name} holds {len(given)} strings, at most {LIST_ITEMS_MAX} are taken")
        for one in given:
            self._text(one)
        return given

    def _number(self, given: Any) -> int:
        is_whole = isinstance(given, int) or (isinstance(given, float) and given.is_integer())
        if isinstance(given, bool) or not is_whole or not self.lowest <= given <= self.highest:
            raise UsageError(
                f"{self.name} must be a whole number from {self.lowest} to {self.highest}, found {_shown(given)}"
            )
        return int(given)


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool; `required` are argument names, `rows` the key of the list that its answer is about."""

    name: str
    about: str
    arguments: tuple[Argument, ...]
    required: tuple[str, ...] = ()
    output: dict[str, str] = field(default_factory=dict)

    def input_schema(self, roots: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return the JSON Schema of the arguments; with several roots there is one more, to say which."""
        arguments = (*self.arguments, *_root_argument(roots))
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {argument.name: argument.schema() for argument in arguments},
            "additionalProperties": False,
        }
        if self.required:
            schema["required"] = list(self.required)
        return schema

    def output_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of the answer: what an agent branches on; docs/reference.md has every key."""
        properties = {"schema": "string", "complete": "boolean"} | self.output
        return {
            "type": "object",
            "properties": {name: {"type": kind} for name, kind in properties.items()},
            "required": ["schema", "complete"],
        }

    def read(self, given: dict[str, Any], roots: tuple[str, ...] = ()) -> dict[str, Any]:
        """Return all arguments by name, with defaults for those that are not given or null.

        Raises: UsageError for an argument there is none of, one of the wrong type or size, or a missing one.
        """
        known = {argument.name: argument for argument in (*self.arguments, *_root_argument(roots))}
        read = {name: argument.default for name, argument in known.items()}
        for name, value in given.items():
            if name not in known:
                near = nearest(name, known)
                hint = f"did you mean {near[0]}? " if near else ""
                takes = f"It takes {', '.join(known)}" if known else "It takes none"
                raise UsageError(f"{self.name} has no argument {_shown(name)}; {hint}{takes}")
            if value is not None:
                read[name] = known[name].read(value)
        for name in self.required:
            if read[name] is None:
                raise UsageError(f"{self.name} needs {name}: {known[name].about or 'a string'}")
        return read


def _root_argument(roots: tuple[str, ...]) -> tuple[Argument, ...]:
    return (Argument("root", choices=roots, default=roots[0]),) if len(roots) > 1 else ()


_LIMIT = Argument("limit", "number")
_BUDGET = Argument("max_tokens", "number", default=MAX_TOKENS, lowest=MAX_TOKENS_MIN, highest=MAX_TOKENS_MAX)
_CURSOR = Argument("cursor", about="next_cursor, with the same arguments")
_SYMBOL = Argument("symbol", about="name, dotted.name, path#name, path:line:col or id")
_PAGED = {"truncated": "boolean", "next_cursor": "string"}

TOOLS = (
    Tool(
        "ctx_search",
        "Find code and docs by name, question or error message, best first; hits have ids for ctx_get.",
        (
            Argument("query"),
            Argument("mode", choices=("words", "regex", "literal"), default="words"),
            Argument("path", about="glob or folder, ! excludes"),
            Argument("lang"),
            Argument("kind", about="function, class, section…"),
            Argument("focus", "texts", "files you work on"),
            _LIMIT,
            _BUDGET,
            _CURSOR,
        ),
        ("query",),
        {"hits": "array", "nearest": "array", **_PAGED},
    ),
    Tool(
        "ctx_get",
        "Read code: by id, path, path:line, path:from-to or path#symbol.",
        (
            Argument("id"),
            Argument("ids", "texts"),
            Argument("mode", about="default: skeleton of files, else excerpt", choices=("skeleton", "excerpt", "raw")),
            Argument("latest", "flag", "accept a changed id"),
            _BUDGET,
            _CURSOR,
        ),
        (),
        {"items": "array", **_PAGED},
    ),
    Tool(
        "ctx_map",
        "Overview of the repository or of paths: most used files and signatures.",
        (Argument("paths", "texts"), Argument("focus", "texts"), _BUDGET),
        (),
        {"text": "string", "truncated": "boolean"},
    ),
    Tool(
        "ctx_resolve",
        "Where a symbol is defined; all candidates, ranked.",
        (_SYMBOL, _LIMIT, _BUDGET, _CURSOR),
        ("symbol",),
        {"found": "array", "nearest": "array", **_PAGED},
    ),
    Tool(
        "ctx_refs",
        "Who uses or calls a symbol, or what it calls.",
        (_SYMBOL, Argument("view", choices=("uses", "callers", "callees"), default="uses"), _LIMIT, _BUDGET, _CURSOR),
        ("symbol",),
        {"total": "integer", "nearest": "array", **_PAGED},
    ),
    Tool("ctx_status", "State of the index.", (), (), {"state": "string"}),
)
BY_NAME = {tool.name: tool for tool in TOOLS}

INSTRUCTIONS = (
    "Search with ctx_search before reading files; ctx_get reads only the part you need. "
    "complete: false in an answer means that there may be more; its reason says why."
)


def tool_named(name: str) -> Tool:
    """Return the tool of that name.

    Raises: UsageError that names those there are, the nearest first.
    """
    tool = BY_NAME.get(name)
    if tool is None:
        there_is = dict.fromkeys([*nearest(name, BY_NAME), *BY_NAME])
        raise UsageError(f"there is no tool {_shown(name)}; there is {', '.join(there_is)}")
    return tool


def nearest(word: str, known: Any) -> list[str]:
    """Return up to three of the known words that resemble a word, the most alike first."""
    return difflib.get_close_matches(word[:_SHOWN_CHARS_MAX], list(known), n=3, cutoff=0.5)


def _shown(value: Any) -> str:
    """Return a given value for a message: short, and nothing of what is long or nested."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            value = redact_secrets(value)  # before it is cut: half a secret does not look like one
            return ascii(value if len(value) <= _SHOWN_CHARS_MAX else value[:_SHOWN_CHARS_MAX] + "...")
        case int() | float():
            return str(value) if abs(value) < 1e15 else "a number out of range"
        case list():
            return f"a list of {len(value)}"
        case _:
            return "an object"
