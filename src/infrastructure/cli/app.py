"""The full command line (typer): help, completion, every command, and mistakes explained in one line."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from ... import __version__
from ..services import say
from . import commands
from .runner import EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, say_unwritable

app = typer.Typer(
    name="ctx",
    help="The least context that answers a question about a repository, and what it cost.",
    no_args_is_help=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Segment = Annotated[
    str,
    typer.Option(
        "--segment",
        "-s",
        metavar="DIR",
        help="The directory to work on; default: the nearest parent with _ctx/ or .git, else this one.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")]
Budget = Annotated[
    int | None,
    typer.Option("--budget", "-b", "--budget-token-est", metavar="TOKENS", help="Never hand on more tokens than this."),
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
    query: Annotated[str, typer.Argument(help="A name, a qualified name, an error message or a question.")],
    limit: Annotated[int | None, typer.Option("--limit", "-n", help="At most this many hits (10).")] = None,
    kind: Annotated[
        str, typer.Option(help="Only this kind: function, method, class, struct, module, section, text, …")
    ] = "",
    lang: Annotated[str, typer.Option(help="Only this language: python, typescript, go, markdown, text, …")] = "",
    path: Annotated[str, typer.Option(metavar="GLOB", help="Only paths that match, or under this folder.")] = "",
    budget: Budget = None,
    segment: Segment = "",
    as_json: AsJson = False,
) -> None:
    """Find the places that answer a question, best first.

    Each hit is an id for `ctx get`, its lines, what its text costs in tokens, its signature and first line of
    documentation. Exit code 1 means nothing was found.
    """
    raise typer.Exit(
        commands.run_search(
            query, segment=segment, as_json=as_json, limit=limit, kind=kind, lang=lang, path=path, budget=budget
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
    segment: Segment = "",
    as_json: AsJson = False,
) -> None:
    """Print the text behind ids, paths, lines or symbols.

    skeleton: what is declared, without bodies. excerpt: the symbol with the imports it uses and the head of its
    class. raw: the lines as they are.
    """
    raise typer.Exit(
        commands.run_get(
            targets or [], segment=segment, as_json=as_json, ids=ids, mode=mode, budget=budget, latest=latest
        )
    )


@app.command()
def index(
    rebuild: Annotated[bool, typer.Option("--rebuild", help="Throw the index away and build it anew.")] = False,
    segment: Segment = "",
    as_json: AsJson = False,
) -> None:
    """Look at every file; bring the index up to date.

    A search does it, too, for what its look at sizes and times finds changed.
    """
    raise typer.Exit(commands.run_index(segment=segment, as_json=as_json, rebuild=rebuild))


@app.command()
def build(segment: Segment = "", as_json: AsJson = False) -> None:
    """Write the context pack, _ctx/context_pack.json, over everything that is indexed."""
    raise typer.Exit(commands.run_build(segment=segment, as_json=as_json))


@app.command()
def validate(segment: Segment = "", as_json: AsJson = False) -> None:
    """Check that index and pack are whole and up to date; exit code 1 when they are not."""
    raise typer.Exit(commands.run_validate(segment=segment, as_json=as_json))


@app.command()
def sync(segment: Segment = "", as_json: AsJson = False) -> None:
    """Index, build and validate."""
    raise typer.Exit(commands.run_sync(segment=segment, as_json=as_json))


@app.command()
def stats(segment: Segment = "", as_json: AsJson = False) -> None:
    """Print what the index holds, what was skipped and why, and what the commands cost."""
    raise typer.Exit(commands.run_stats(segment=segment, as_json=as_json))


@app.command()
def doctor(segment: Segment = "", as_json: AsJson = False) -> None:
    """Check versions, grammars, disk, index and telemetry, and say what to do; exit code 1 when something is wrong."""
    raise typer.Exit(commands.run_doctor(segment=segment, as_json=as_json))


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
        say(f"{' '.join(message.split()).rstrip('.')}. See `{command} --help`.")
        return EXIT_USAGE
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return EXIT_OK
    except OSError as error:  # of help and completion; a command's own are handled where it runs
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return say_unwritable(error)
    return result if isinstance(result, int) else EXIT_OK
