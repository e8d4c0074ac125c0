"""The full command line (typer): help, completion, every command, and mistakes explained in one line."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ... import __version__
from ..services import say
from . import commands
from .arguments import THIN
from .runner import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, one_line, say_unwritable
from .telemetry_app import telemetry

app = typer.Typer(
    name="ctx",
    help="The least context that answers a question about a repository, and what it cost.",
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Segment = Annotated[
    str | None,
    typer.Option(
        "--segment",
        "-s",
        metavar="DIR",
        help="The directory to work on; default: the nearest parent with _ctx/ or .git, else this one.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
NoRedact = Annotated[
    bool, typer.Option("--no-redact", help="Show secrets that sources hold as they are; on a terminal only.")
]
Focus = Annotated[
    list[str] | None,
    typer.Option("--focus", metavar="PATH", help="Lift this file, what it imports and what imports it; repeatable."),
]
Budget = Annotated[
    int | None,
    typer.Option("--budget", "-b", "--budget-token-est", metavar="TOKENS", help="Never hand on more tokens than this."),
]
NoLsp = Annotated[
    bool, typer.Option("--no-lsp", help="Ask no language server: the index and Tree-sitter answer alone.")
]


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ctx {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _root(
    context: typer.Context,
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def search(
    query: Annotated[
        str, typer.Argument(help="A name, a qualified name, an error message or a question; with -e or -F a pattern.")
    ],
    limit: Annotated[int | None, typer.Option("--limit", "-n", help="At most this many hits (10).")] = None,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Only these kinds: function, method, class, struct, module, section, text, … (a,b)"),
    ] = None,
    lang: Annotated[
        list[str] | None, typer.Option(help="Only these languages: python, typescript, go, markdown, text, … (a,b)")
    ] = None,
    path: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="Only paths that match, or under this folder; with ! in front: not those."),
    ] = None,
    regex: Annotated[
        bool, typer.Option("--regex", "-e", help="Every line that the regular expression QUERY matches.")
    ] = False,
    literal: Annotated[bool, typer.Option("--literal", "-F", help="Every line that holds the text QUERY.")] = False,
    ignore_case: Annotated[
        bool, typer.Option("--ignore-case", "-i", help="With -e or -F: upper and lower case are alike.")
    ] = False,
    focus: Focus = None,
    budget: Budget = None,
    segment: Segment = None,
    as_json: AsJson = False,
    no_redact: NoRedact = False,
) -> None:
    """Find the places that answer a question, best first.

    Each hit is an id for `ctx get`, its lines, what its text costs in tokens, its signature and first line of
    documentation. --regex and --literal find the lines that match a pattern, by the function or section they are in,
    definitions first. --kind, --lang and --path take lists and may be repeated. Exit code 1 means nothing was found.
    """
    raise typer.Exit(
        commands.run_search(
            query,
            segment=segment,
            as_json=as_json,
            no_redact=no_redact,
            limit=limit,
            kind=",".join(kind) if kind else None,
            lang=",".join(lang) if lang else None,
            path=",".join(path) if path else None,
            budget=budget,
            regex=regex,
            literal=literal,
            ignore_case=ignore_case,
            focus=tuple(focus or ()),
        )
    )


@app.command()
def get(
    targets: Annotated[
        list[str] | None, typer.Argument(metavar="[ID | PATH | PATH:LINE | PATH#SYMBOL]...", show_default=False)
    ] = None,
    ids: Annotated[str, typer.Option(metavar="A,B", help="More targets, separated by commas.")] = "",
    mode: Annotated[
        str,
        typer.Option(
            "--mode",
            "-m",
            metavar="skeleton|excerpt|raw",
            help="How much to disclose; skeleton for files, else excerpt.",
        ),
    ] = "",
    budget: Budget = None,
    latest: Annotated[
        bool, typer.Option("--latest", help="Accept an id whose text changed and get it as it is.")
    ] = False,
    segment: Segment = None,
    as_json: AsJson = False,
    no_redact: NoRedact = False,
) -> None:
    """Print the text behind ids, paths, lines or symbols.

    skeleton: what is declared, without bodies. excerpt: the symbol with the imports it uses and the head of its
    class. raw: the lines as they are.
    """
    raise typer.Exit(
        commands.run_get(
            targets or [],
            segment=segment,
            as_json=as_json,
            no_redact=no_redact,
            ids=ids,
            mode=mode,
            budget=budget,
            latest=latest,
        )
    )


@app.command()
def resolve(
    selector: Annotated[
        str,
        typer.Argument(
            metavar="SYMBOL|PATH:LINE:COL",
            help="A name, a qualified name, PATH#name, a position, or sym://<language>/<module>/<name>.",
        ),
    ],
    limit: Annotated[int | None, typer.Option("--limit", "-n", help="At most this many candidates (20).")] = None,
    no_lsp: NoLsp = False,
    segment: Segment = None,
    as_json: AsJson = False,
    no_redact: NoRedact = False,
) -> None:
    """Find where a symbol is defined; of an ambiguous one all candidates, ranked.

    A position is read off its file: a local variable, an imported name, a member of what its receiver is; a language
    server, where one is installed, is asked too, for half a second. Exit code 1 means nothing was found.
    """
    from . import navigation

    raise typer.Exit(
        navigation.run_resolve(
            selector, segment=segment, as_json=as_json, no_redact=no_redact, limit=limit, no_lsp=no_lsp
        )
    )


@app.command()
def hover(
    selector: Annotated[
        str, typer.Argument(metavar="SYMBOL|PATH:LINE:COL", help="The symbol, spelled as for `ctx resolve`.")
    ],
    no_lsp: NoLsp = False,
    segment: Segment = None,
    as_json: AsJson = False,
    no_redact: NoRedact = False,
) -> None:
    """Say what a symbol is at a glance: signature, documentation, callers, type, and what seeing more costs.

    Exit code 1 means nothing was found.
    """
    from .hover_command import run_hover

    raise typer.Exit(run_hover(selector, segment=segment, as_json=as_json, no_redact=no_redact, no_lsp=no_lsp))


@app.command()
def refs(
    selector: Annotated[
        str, typer.Argument(metavar="SYMBOL|PATH:LINE:COL", help="The symbol, spelled as for `ctx resolve`.")
    ],
    callers: Annotated[bool, typer.Option("--callers", help="The functions that call it, not every use.")] = False,
    callees: Annotated[bool, typer.Option("--callees", help="What it calls, each resolved.")] = False,
    limit: Annotated[int | None, typer.Option("--limit", "-n", help="At most this many (100).")] = None,
    budget: Budget = None,
    deadline_s: Annotated[
        float | None, typer.Option("--deadline", metavar="SECONDS", help="Answer with what was found by then (5).")
    ] = None,
    no_lsp: NoLsp = False,
    segment: Segment = None,
    as_json: AsJson = False,
    no_redact: NoRedact = False,
) -> None:
    """Find who uses a symbol; those that certainly do first.

    A question mark stands where the name fits and what it is asked of is not known. Exit code 1 means nothing was
    found.
    """
    from . import navigation

    raise typer.Exit(
        navigation.run_refs(
            selector,
            segment=segment,
            as_json=as_json,
            no_redact=no_redact,
            callers=callers,
            callees=callees,
            limit=limit,
            budget=budget,
            deadline_s=deadline_s,
            no_lsp=no_lsp,
        )
    )


@app.command("map")
def map_(
    paths: Annotated[list[str] | None, typer.Argument(metavar="[PATH]...", show_default=False)] = None,
    budget: Budget = None,
    focus: Focus = None,
    segment: Segment = None,
    as_json: AsJson = False,
    no_redact: NoRedact = False,
) -> None:
    """Show what the rest of the repository leans on: its most important files and signatures, within a budget.

    A line is where the definition starts, its signature, and how many more there are in it (+N). Exit code 1 means
    that there was nothing to show.
    """
    from .map_command import run_map

    raise typer.Exit(
        run_map(
            paths or [], segment=segment, as_json=as_json, no_redact=no_redact, budget=budget, focus=tuple(focus or ())
        )
    )


@app.command()
def index(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Throw the index away and build it anew.")] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Stay, and take changes in as they happen, until Ctrl-C.")
    ] = False,
    segment: Segment = None,
    as_json: AsJson = False,
) -> None:
    """Look at every file; bring the index up to date.

    A search does it, too, for what its look at sizes and times finds changed. With --watch each update is a line (with
    --json an object a line).
    """
    raise typer.Exit(commands.run_index(segment=segment, as_json=as_json, rebuild=rebuild, watch=watch))


@app.command()
def build(segment: Segment = None, as_json: AsJson = False) -> None:
    """Write the context pack, _ctx/context_pack.json, over everything that is indexed."""
    raise typer.Exit(commands.run_build(segment=segment, as_json=as_json))


@app.command()
def validate(segment: Segment = None, as_json: AsJson = False) -> None:
    """Check that index and pack are whole and up to date; exit code 1 when they are not."""
    raise typer.Exit(commands.run_validate(segment=segment, as_json=as_json))


@app.command()
def sync(segment: Segment = None, as_json: AsJson = False) -> None:
    """Index, build and validate."""
    raise typer.Exit(commands.run_sync(segment=segment, as_json=as_json))


@app.command()
def stats(segment: Segment = None, as_json: AsJson = False) -> None:
    """Print what the index holds, what was skipped and why, and what the commands cost."""
    raise typer.Exit(commands.run_stats(segment=segment, as_json=as_json))


@app.command()
def doctor(
    editor: Annotated[
        bool, typer.Option("--editor", help="Also: does `ctx lsp` answer, and which editors here know of it?")
    ] = False,
    segment: Segment = None,
    as_json: AsJson = False,
) -> None:
    """Check versions, grammars, disk, index and telemetry, and say what to do; exit code 1 when something is wrong."""
    raise typer.Exit(commands.run_doctor(segment=segment, as_json=as_json, editor=editor))


@app.command("eval")
def evaluate(
    commits: Annotated[
        int | None, typer.Option("--commits", "-n", help="How many commits to ask (50).", show_default=False)
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Which sample is drawn (0).", show_default=False)] = None,
    since: Annotated[str, typer.Option(metavar="REV", help="Only commits after this one.", show_default=False)] = "",
    until: Annotated[str, typer.Option(metavar="REV", help="Only commits up to this one (HEAD).")] = "",
    compare: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="Compare with this setting; may be given again.")
    ] = None,
    without: Annotated[
        list[str] | None, typer.Option(metavar="STAGE", help="Compare with this stage of the ranking left out.")
    ] = None,
    baseline: Annotated[
        str, typer.Option(metavar="FILE", help="Ask the commits of an earlier answer again and compare.")
    ] = "",
    save: Annotated[str, typer.Option(metavar="FILE", help="Also write the JSON object to a file.")] = "",
    segment: Segment = None,
    as_json: AsJson = False,
) -> None:
    """Measure search on the repository's own history: commit subjects are asked, what they changed is the answer.

    Works in a temporary folder; the working tree, git's index and HEAD stay as they are. Exit code 1 means that no
    commit can be asked.
    """
    from .eval_command import EvalOptions, run_eval

    options = EvalOptions(commits, seed, since, until, tuple(compare or ()), tuple(without or ()), baseline, save)
    raise typer.Exit(run_eval(options, segment=segment, as_json=as_json))


@app.command("lsp")
def lsp(
    _stdio: Annotated[
        bool, typer.Option("--stdio", help="Speak on standard input and output; that is what it does anyway.")
    ] = True,
    log_level: Annotated[
        str, typer.Option("--log-level", metavar="off|error|warning|info|debug", help="What goes to standard error.")
    ] = "warning",
) -> None:
    """Serve an editor: outline, definition, uses, hover, symbols and ctx's commands, over unsaved text.

    The language server protocol on standard input and output; the editor names the folders. Exit code 0 after
    `shutdown` and `exit`, else 1.
    """
    from .lsp_command import run_lsp

    raise typer.Exit(run_lsp(log_level))


daemon = typer.Typer(
    help="The warm host: a process that has everything loaded and answers for `ctx` in a fraction of the time.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
app.add_typer(daemon, name="daemon")


@daemon.command("start")
def daemon_start(
    foreground: Annotated[bool, typer.Option("--foreground", help="Be the host, until it is ended.")] = False,
    until_unused: Annotated[
        bool, typer.Option("--until-unused", hidden=True, help="End when no editor or agent uses it any more.")
    ] = False,
    segment: Segment = None,
    as_json: AsJson = False,
) -> None:
    """Start the segment's warm host and wait until it answers; fine when it runs already.

    From then on search, get, resolve, refs, hover and map are handed to it. It ends by itself when it is not used for
    daemon.idle_minutes, takes more than daemon.memory_mib, or its directory is gone.
    """
    from . import daemon_command

    raise typer.Exit(
        daemon_command.run_start(segment=segment, as_json=as_json, foreground=foreground, until_unused=until_unused)
    )


@daemon.command("stop")
def daemon_stop(segment: Segment = None, as_json: AsJson = False) -> None:
    """End the segment's warm host; running commands finish first."""
    from . import daemon_command

    raise typer.Exit(daemon_command.run_stop(segment=segment, as_json=as_json))


@daemon.command("status")
def daemon_status(segment: Segment = None, as_json: AsJson = False) -> None:
    """Show what the segment's warm host does and takes; exit code 1 when none runs."""
    from . import daemon_command

    raise typer.Exit(daemon_command.run_status(segment=segment, as_json=as_json))


@daemon.command("logs")
def daemon_logs(
    lines: Annotated[int, typer.Option("--lines", "-n", min=1, help="At most this many, the latest ones.")] = 50,
    segment: Segment = None,
    as_json: AsJson = False,
) -> None:
    """Print the end of the warm host's log; exit code 1 when there is none."""
    from . import daemon_command

    raise typer.Exit(daemon_command.run_logs(segment=segment, as_json=as_json, lines=lines))


app.add_typer(telemetry, name="telemetry")

agent = typer.Typer(invoke_without_command=True, rich_markup_mode=None)
app.add_typer(agent, name="mcp")


@agent.callback()
def mcp(context: typer.Context, segment: Segment = None) -> None:
    """Serve an agent over standard input and output (Model Context Protocol) until its input ends.

    Clients start this by themselves: `ctx mcp install` tells them to. Without --segment the client's roots, else the
    current directory, say what to work on.
    """
    if context.invoked_subcommand is None:
        from .mcp_command import run_mcp

        raise typer.Exit(run_mcp(segment=segment))


@agent.command("install")
def mcp_install(
    client: Annotated[str, typer.Option(metavar="NAME", help="claude-code, cursor, codex or vscode.")] = "",
    write: Annotated[
        bool, typer.Option("--write", help="Merge it into the client's file instead of printing.")
    ] = False,
    scope: Annotated[
        str, typer.Option(metavar="user|project", help="For all projects of yours, or for all who work on this one.")
    ] = "project",
    name: Annotated[str, typer.Option(help="What the client calls the server.")] = "ctx",
    segment: Segment = None,
) -> None:
    """Print what a client's configuration needs to start `ctx mcp`; with --write put it there."""
    from .mcp_command import run_install

    raise typer.Exit(
        run_install(client, scope=scope, name=name, is_written=write, segment=segment)  # type: ignore[arg-type]  # checked there
    )


def _advice(arguments: list[str], message: str) -> str:
    """Return a sentence on the commonest slips of a shell: words that were not quoted, a text that begins with -."""
    command = arguments[0] if arguments else ""
    if command == "search" and "unexpected extra argument" in message:
        return "A question of several words goes in quotes: `ctx search 'how are sessions stored'`. "
    if command in THIN and message.startswith("No such option"):
        return f"A text that begins with - goes after --: `ctx {command} -- TEXT`. "
    return ""


def run(arguments: list[str]) -> int:
    """Run the full command line and return its exit code; a mistake in it is one line and code 2."""
    try:
        result = app(args=arguments, prog_name="ctx", standalone_mode=False)
    except typer.Exit as stop:
        return stop.exit_code
    except (typer.Abort, KeyboardInterrupt):
        return EXIT_INTERRUPTED
    except typer.TyperException as error:
        known = {command.name or getattr(command.callback, "__name__", "") for command in app.registered_commands}
        command = f"ctx {arguments[0]}" if arguments and arguments[0] in known else "ctx"
        message = error.format_message() if hasattr(error, "format_message") else str(error)
        say(one_line(f"{' '.join(message.split()).rstrip('.')}. {_advice(arguments, message)}See `{command} --help`."))
        return EXIT_USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_OK
    except OSError as error:  # of help and completion; a command's own are handled where it runs
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return say_unwritable(error)
    return result if isinstance(result, int) else EXIT_OK
