"""The one table of events: name, when it is written, every field with its type, unit and meaning.

A part of the product that adds an event or a field adds it here; nothing else decides what an event may say about its
arguments. An argument that is not in its row is dropped before anything is written. Names that are not in the table are
still written, with the arguments every event may carry (`COMMON_ARGS`).

`event_schema` makes the JSON Schema, the checks of `ctx telemetry validate` and their wording from these rows;
docs/telemetry-reference.md is compared with them. Types are named as in `field_types`; a trailing `?` adds null.

Every start of the program loads this: nested constants only, which cost what reading their bytes costs.
"""

from __future__ import annotations

TYPE_CHECKING = False  # importing `typing` for it would double what this module costs at start
if TYPE_CHECKING:
    Field = tuple[str, str, str, str]
    """Name, type (see `field_types`), unit ("" for none), meaning."""
    Fields = tuple[Field, ...]

LEVELS = ("off", "lite", "full")
FACES = ("cli", "lsp", "mcp", "daemon")

TOKEN_FIELDS = ("input_tokens", "output_tokens", "total_tokens", "retrieved_tokens")

TOP_WARNINGS_MAX = 5

LINE_FIELDS: Fields = (
    ("ts", "timestamp", "", "when it was written: RFC 3339, UTC, microseconds: `2025-12-29T22:06:52.060304+00:00`"),
    ("run_id", "name", "", "which run: `run_<unix seconds>_<8 hex>`, or what a script gave"),
    ("segment", "string", "", "the segment directory's name (`home` when that is the user's name)"),
    ("segment_id", "hex8", "", "BLAKE2b of the segment's absolute path, links resolved: 8 hex digits"),
    ("cmd", "name", "", "what happened: the event's name"),
    ("args", "object", "", "what was asked; only the arguments listed for the event"),
    ("result", "object", "", "what came of it"),
    ("timing_ms", "count", "ms", "how long it took, whole milliseconds"),
    ("duration_ns", "count?", "ns", "the same on the monotonic clock; null when only `timing_ms` was measured"),
    ("tokens", "tokens", "tokens", "the four token figures as the result reports them; 0 where it does not"),
    ("warnings", "short_texts", "", "texts of at most 120 characters"),
    ("pid", "ordinal", "", "the process that wrote it"),
    ("seq", "ordinal", "", "number of the event in its process, from 1"),
    ("level", "level", "", "how much is written: `lite` or `full`"),
)
"""The keys that every event line has, at its top level."""

SOMETIMES_FIELDS: Fields = (
    (
        "telemetry_dropped_since_last",
        "ordinal",
        "events",
        "only when events were dropped before this one: how many",
    ),
)
"""Keys of the line itself that are not always there."""

# Top-level keys of an event line that an extra field must not replace. `duration_ns` is not among them: it is the one
# of them a caller measures, and it arrives as an extra field.
RESERVED_FIELDS = frozenset(field[0] for field in LINE_FIELDS + SOMETIMES_FIELDS if field[0] != "duration_ns")

_FILE: Field = ("file", "string", "", "the file, by its path from the segment")
_SERVER: Field = ("server", "string", "", "the language server's name, no path; empty when there is none")
_METHOD: Field = ("method", "string", "", "what was asked: `definition`, `references` or `hover`")
_SYMBOL: Field = ("symbol", "string?", "", "the name that was asked about")
_SYMBOL_QUERY: Field = ("symbol_query", "string?", "", "the symbol or place, as it was typed")
_SEGMENT: Field = ("segment", "string?", "", "the segment, when it was given")
_LANGUAGE: Field = ("language", "string?", "", "the language; null when it has no grammar")
_LINE: Field = ("line", "int?", "", "the line of the place, from 1")
_QUERY: Field = ("query", "string?", "", "the question or pattern, as it was typed")
_LIMIT: Field = ("limit", "int?", "", "how many hits at most, as it was typed; null for the default")
_COMMAND: Field = ("command", "string", "", "the command's name, without `ctx`")
_FACE: Field = ("face", "face", "", "by which way it came")
_STATUS: Field = ("status", "string?", "", "what came of it; the name of the error's class when it failed")

_COMMON_ARGS: Fields = (
    _QUERY,
    ("task", "string?", "", "what the question is for, when a client says so"),
    ("id", "string?", "", "the id that was asked for"),
    ("ids", "strings?", "", "ids, paths and symbols that were asked for"),
    _SYMBOL,
    _SYMBOL_QUERY,
    ("file", "string?", "", "the file, by its path from the segment"),
    ("files", "strings?", "", "folders and files that were asked about, as they were given"),
    ("focus", "strings?", "", "files and folders in focus, as they were given; absent when there are none"),
    ("kind", "string?", "", "the kinds a search was narrowed to, as they were typed; absent when it was not"),
    ("lang", "string?", "", "the languages a search was narrowed to, likewise"),
    ("path", "string?", "", "the paths a search was narrowed to, likewise"),
    _SEGMENT,
    _LIMIT,
    ("mode", "string?", "", "level of disclosure or kind of search, as it was typed; empty for the default"),
    ("depth", "int?", "", "how deep, as it was typed"),
    ("format", "string?", "", "the form of the answer, as it was typed"),
    ("language", "string?", "", "the language of a text that is in no file"),
    ("budget_token_est", "int?", "tokens", "the budget of the answer"),
    ("line", "int?", "", "the line of the place, from 1"),
    ("method", "string?", "", "what was asked of a language server"),
    ("server", "string?", "", "the language server's name, no path"),
    ("command", "string?", "", "a command's name"),
    ("face", "face?", "", "by which way it came"),
)
COMMON_ARGS = frozenset(field[0] for field in _COMMON_ARGS)

COMMON_RESULT: Fields = (
    ("status", "string?", "", "what came of it"),
    ("error", "string", "", "the class of the exception that ended it, never its message"),
    ("truncated", "bool", "", "true in place of fields that would have made the line too long"),
    ("input_tokens", "count", "tokens", "tokens of what was handed in"),
    ("output_tokens", "count", "tokens", "tokens of what was handed on"),
    ("total_tokens", "count", "tokens", "input and output"),
    ("retrieved_tokens", "count", "tokens", "tokens of the texts that were found and handed on"),
)
"""What the result of any event may say besides its own fields."""

COMMON_EXTRA: Fields = (("truncated", "bool", "", "true in place of fields that would have made the line too long"),)

_COMMAND_RESULT: Fields = (
    ("hits", "count", "", "how many places, uses or parts are in the answer"),
    ("returned_ids", "strings", "", "ids of the first 10 of them"),
    ("status", "string?", "", "`ok`, `nothing`, `truncated`, `invalid`, `unhealthy`, … or the error's class"),
    ("files", "count", "files", "files in the map, or in the index"),
    ("definitions", "count", "", "definitions in the map"),
    ("chunks", "count", "", "chunks in the context pack"),
    ("problems", "count", "", "what `ctx validate` found"),
    ("commits", "count", "", "commits that `ctx eval` asked about"),
    ("recall_10", "share?", "", "share of the files of a commit among the first 10 hits, mean"),
)

_COMMAND_EXTRA: Fields = (
    ("face", "face", "", "by which way it came"),
    ("bytes_read", "count", "bytes", "texts handed on so far by the run (cli), or by this request"),
    ("disclosure_mode", "string", "", "`skeleton`, `excerpt`, `raw`, `mixed`, `search` or `map`"),
    ("cache_hit_rate", "share?", "", "share of the run's parses that a kept one saved; null when it had none"),
    ("repo_sha", "string?", "", "the commit that is checked out; null when unknown"),
    ("dirty", "bool?", "", "whether files differ from the commit; null: not looked at"),
    ("index_files", "count", "files", "files in the index that answered"),
    ("whole_file_tokens", "count", "tokens", "what reading the answer's files whole would have cost"),
    ("file_tokens", "counts", "tokens", "the same by file, of at most 100 files"),
    ("resolved_by", "string?", "", "who answered: `tree_sitter`, `index`, or `lsp:<server>`"),
    ("files_searched", "count", "files", "files that were looked through for uses"),
    ("engine", "string", "", "what looked for the pattern: `re2`, or `ripgrep` before it"),
    ("state", "string", "", "the editor server's state: `indexing`, `warming`, `ready` or `fallback`"),
    ("unsaved_files", "count", "files", "only when the answer rests on unsaved texts: how many"),
)

_LSP_REQUEST_ARGS: Fields = (_SERVER, _METHOD, _SYMBOL, _FILE, _LINE, _QUERY)


class EventKind:
    """One row of the table.

    `args` are the names of the arguments it may show, the other three sets its fields. A plain class with slots: a
    dataclass would cost every start of the program more than the telemetry itself.
    """

    __slots__ = ("arg_fields", "args", "critical", "extra_fields", "name", "result_fields", "when")

    def __init__(
        self,
        name: str,
        when: str,
        args: Fields = _COMMON_ARGS,
        result: Fields = (),
        extra: Fields = (),
        *,
        critical: bool = False,
    ) -> None:
        self.name = name
        self.when = when
        self.arg_fields = args
        self.args = frozenset(field[0] for field in args)
        self.result_fields = result
        self.extra_fields = extra
        self.critical = critical

    def __repr__(self) -> str:
        return f"EventKind({self.name!r}, critical={self.critical})"


EVENTS: dict[str, EventKind] = {
    kind.name: kind
    for kind in (
        EventKind("command.start", "a process or request begins", (_COMMAND, _FACE), critical=True),
        EventKind(
            "command.end",
            "it ends",
            (_COMMAND, _FACE),
            (("exit_code", "int", "", "what the process ends with"),),
            (
                ("bytes_read", "count", "bytes", "texts handed on by the run, over all levels of disclosure"),
                ("skeleton_bytes", "count", "bytes", "of these as skeletons"),
                ("excerpt_bytes", "count", "bytes", "of these as excerpts"),
                ("raw_bytes", "count", "bytes", "of these raw"),
            ),
            critical=True,
        ),
        EventKind(
            "ast.parse",
            "a file was parsed; bulk indexing writes it at level `full` alone",
            (_FILE, _LANGUAGE),
            (
                ("functions", "count", "", "functions and methods found"),
                ("classes", "count", "", "classes and their like found"),
                ("status", "string?", "", "`ok`, `partial` (with syntax errors) or `failed`"),
            ),
            (
                _LANGUAGE,
                ("skeleton_bytes", "count", "bytes", "the skeleton as it is printed"),
                ("reduction_ratio", "ratio?", "", "skeleton / source bytes; null for an empty file"),
            ),
        ),
        EventKind(
            "ast.cache",
            "a kept parse was looked up; bulk indexing writes it at level `full` alone",
            (_FILE,),
            (("cache_hit", "bool", "", "whether there was one"),),
            (
                ("cache_hit", "bool", "", "whether there was one"),
                ("prev_sha", "string?", "", "first 12 hex digits of the content's hash at the look before"),
            ),
        ),
        EventKind(
            "selector.resolve",
            "a symbol was resolved",
            (_SYMBOL_QUERY, _FILE, _SEGMENT),
            (
                ("resolved", "bool", "", "whether one place is the answer"),
                ("matches", "count", "", "places it may be"),
                ("ambiguous", "bool", "", "whether several are as likely"),
                _STATUS,
            ),
            (("resolved_by", "string?", "", "who answered: `tree_sitter`, `index`, or `lsp:<server>`"),),
        ),
        EventKind(
            "lsp.spawn",
            "a language server was started, or could not be",
            (_SERVER,),
            (("status", "spawn_status", "", "whether it runs"),),
            (
                ("subprocess_pid", "ordinal?", "", "its process; null when it could not be started"),
                ("cold_start", "bool", "", "whether no process of it ran before"),
            ),
        ),
        EventKind(
            "lsp.initialize",
            "it answered `initialize`, or did not; timed from its start",
            (_SERVER,),
            (("status", "initialize_status", "", "what came of it"),),
            (
                ("workspace_initialized", "bool", "", "whether it took the workspace"),
                ("capabilities_received", "bool", "", "whether it said what it can do"),
            ),
        ),
        EventKind(
            "lsp.ready",
            "it showed that it knows the sources; timed from its start",
            (_SERVER, _FILE),
            (("ready_via", "ready_via", "", "how it showed it"),),
            critical=True,
        ),
        EventKind(
            "lsp.timeout",
            "a question that was sent passed its deadline",
            (_SERVER, _METHOD, _FILE),
            (("timeout_ms", "count", "ms", "the deadline"),),
            (("fallback_to", "string", "", "who answered instead"),),
        ),
        EventKind(
            "lsp.fallback",
            "Tree-sitter answered in a server's place",
            (_SERVER, _METHOD, _FILE, _SYMBOL),
            (("reason", "fallback_reason", "", "why"),),
            (("fallback_to", "string", "", "who answered instead"),),
        ),
        EventKind(
            "lsp.diagnostics",
            "a server published diagnostics, or was asked for them, and they are others than the file had "
            "(2,000 in a life of it)",
            (_SERVER, _FILE),
            (("diag_count", "count", "", "how many"),),
            (("snippet_hash", "sha256_12", "", "hash of what they say, never the text"),),
        ),
        EventKind(
            "lsp.exit",
            "a server ended; timed from its start",
            (_SERVER,),
            (
                ("exit_code", "int?", "", "what it ended with; null when a signal ended it"),
                ("signal", "int?", "", "the signal that ended it"),
                ("requested", "bool", "", "whether ctx ended it"),
                ("crashed", "bool", "", "whether it ended by itself"),
                ("leftovers_killed", "count", "processes", "processes it left behind"),
            ),
            (("crashed", "bool", "", "whether it ended by itself"),),
        ),
        EventKind(
            "file.read",
            "a file was read for an answer, or its text for a context pack",
            (_FILE, ("mode", "read_mode", "", "the level of disclosure")),
            (
                ("bytes", "count", "bytes", "UTF-8 bytes handed on"),
                ("file_bytes", "count", "bytes", "the file's size on disk"),
                ("status", "string?", "", "`ok`, `not_found`, `outside`, `refused` or `error`"),
            ),
        ),
        EventKind(
            "index.update",
            "the index was brought up to date",
            (_SEGMENT, ("files", "strings?", "", "the files it was told of")),
            (
                ("files_added", "count", "files", "new in the index"),
                ("files_changed", "count", "files", "put anew"),
                ("files_removed", "count", "files", "gone"),
                ("files_skipped", "count", "files", "looked into and not indexed"),
                ("chunks", "count", "", "chunks that were put"),
                _STATUS,
            ),
            (
                ("index_read_bytes", "count", "bytes", "what was read for it"),
                ("walked", "bool", "", "whether the folders were walked through"),
            ),
        ),
        EventKind(
            "map.rank",
            "files and definitions were ranked for a map; one drawn from what was kept writes none",
            (("files", "count", "files", "how many were ranked"),),
            (
                ("edges", "count", "", "edges between files"),
                ("definitions", "count", "", "definitions that were ranked"),
            ),
        ),
        EventKind(
            "index.search",
            "the index was searched",
            (
                _QUERY,
                _LIMIT,
                _SEGMENT,
                ("mode", "string?", "", "`literal` or `regex`; absent for a search by words"),
            ),
            (
                ("hits", "count", "", "places that were found and fit"),
                ("candidates", "count", "", "chunks that were ranked, or places that matched"),
                ("shape", "string", "", "how the question was read: `identifier`, `qualified`, `sentence`, `text`"),
                _STATUS,
            ),
            (("stages_ms", "numbers", "ms", "how long each stage of ranking took, by its name"),),
        ),
    )
}

_COMMAND_WHEN = "a command of any face ends"
_EDITOR_WHEN = "an editor request without such a command ends"
_LSP_REQUEST_WHEN = (
    "a question meant for a language server was answered, by it or not: exactly one each, by the run that asked"
)
_LSP_REQUEST_RESULT: Fields = (
    ("resolved", "bool", "", "whether it named a place or a text"),
    ("target_file", "string?", "", "the first place, by its path"),
    ("target_line", "int?", "", "its line, from 1"),
    ("status", "reply_status", "", "`answered`, or a reason as of `lsp.fallback`"),
)
_LSP_REQUEST_EXTRA: Fields = (
    ("cache_hit", "bool", "", "whether an earlier reply to it was taken"),
    ("was_sent", "bool", "", "whether it went to the server"),
    ("waited_ns", "count", "ns", "how long the asker had nothing else to do"),
)

# What a language server's life consists of; any other `lsp.<method tail>` is a question meant for a server.
LSP_LIFECYCLE = frozenset(name for name in EVENTS if name.startswith("lsp."))


def is_lsp_request(cmd: str) -> bool:
    """Tell whether `cmd` names a question meant for a language server, whether or not it was sent."""
    return cmd.startswith("lsp.") and cmd not in LSP_LIFECYCLE


def kind_of(cmd: str) -> EventKind:
    """Return the row of `cmd`; a `ctx.<command>`, `lsp.<method tail>` or unknown name gets its own."""
    kind = EVENTS.get(cmd)
    if kind is not None:
        return kind
    if is_lsp_request(cmd):
        return EventKind(cmd, _LSP_REQUEST_WHEN, _LSP_REQUEST_ARGS, _LSP_REQUEST_RESULT, _LSP_REQUEST_EXTRA)
    if cmd.startswith("ctx."):
        when = _EDITOR_WHEN if cmd.startswith("ctx.lsp.") else _COMMAND_WHEN
        return EventKind(cmd, when, _COMMON_ARGS, _COMMAND_RESULT, _COMMAND_EXTRA)
    return EventKind(cmd, "not in the table: another version, or a script, wrote it")


COMMANDS, EDITOR_REQUESTS, LSP_REQUESTS = PATTERNS = ("ctx.<command>", "ctx.lsp.<method tail>", "lsp.<method tail>")
"""Names that stand for many; `kind_of` gives their rows, too."""
