"""The `ctx` command: `python -m ctx` and the console script."""

from __future__ import annotations

import _thread
import sys


def main() -> int:
    """Run the command line of this process and return its exit code."""
    try:
        before, sys.unraisablehook = sys.unraisablehook, _interrupt_again
        try:
            exit_code = _run()
        finally:
            sys.unraisablehook = before
    except KeyboardInterrupt:  # before a command began or after it ended; in between it says what is kept
        exit_code = 130
    except RuntimeError as error:  # so CPython tells of one that met it while it named a class's attributes
        if not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        exit_code = 130
    if exit_code == 130:
        # An interrupt that met CPython inside an `exec` (dataclasses are made by one) leaves a mark that turns the exit
        # into a death by SIGINT, although it was handled. The next `exec` takes the mark away.
        exec("")  # noqa: S102
    return exit_code


def _interrupt_again(unraisable: sys.UnraisableHookArgs) -> None:
    """Raise an interrupt once more that met a callback of the interpreter's own, where nothing can be raised.

    The import system has such callbacks; the interrupt would be printed as a traceback, and lost.
    """
    if unraisable.exc_type is KeyboardInterrupt:
        # By another thread: from here it would be raised in this very function, which nothing can leave either.
        _thread.start_new_thread(_thread.interrupt_main, ())
    else:
        sys.__unraisablehook__(unraisable)


def _run() -> int:
    from .infrastructure.cli.thin_client import run_in_host

    answered = run_in_host(sys.argv)
    if answered is not None:
        return answered
    from .infrastructure.cli.entry import main as run

    return run()


if __name__ == "__main__":
    sys.exit(main())
