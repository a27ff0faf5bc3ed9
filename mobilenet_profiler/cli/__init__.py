"""The command line. Importing it, `--help` and completion import no torch."""

from __future__ import annotations

import os
import sys

import typer

from mobilenet_profiler import __version__
from mobilenet_profiler.cli.ceiling import ceiling
from mobilenet_profiler.cli.check import check
from mobilenet_profiler.cli.compare import compare
from mobilenet_profiler.cli.conventions import conventions
from mobilenet_profiler.cli.explain import explain
from mobilenet_profiler.cli.fit import fit
from mobilenet_profiler.cli.models import models
from mobilenet_profiler.cli.operations import operations
from mobilenet_profiler.cli.output import write_note, write_text
from mobilenet_profiler.cli.plot import plot
from mobilenet_profiler.cli.profile import profile
from mobilenet_profiler.cli.published import published
from mobilenet_profiler.cli.report import report
from mobilenet_profiler.cli.sweep import sweep
from mobilenet_profiler.cli.table import table
from mobilenet_profiler.cli.verify import verify
from mobilenet_profiler.errors import UsageError

USAGE = 2
INTERRUPTED = 130

app = typer.Typer(
    name="mobilenet-profiler",
    help="What a neural network costs, layer by layer, counted exactly.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(table)
app.command()(profile)
app.command()(explain)
app.command()(models)
app.command()(operations)
app.command()(conventions)
app.command()(published)
app.command()(verify)
app.command()(compare)
app.command()(sweep)
app.command()(fit)
app.command()(check)
app.command()(plot)
app.command()(report)
app.command()(ceiling)


def _print_version(asked: bool) -> None:
    if asked:
        write_text(f"mobilenet-profiler {__version__}\n")
        raise typer.Exit


@app.callback()
def _main(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def run(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code: 0, 1 a check found a difference, 2 wrong use."""
    try:
        return _note_interruption(int(app(args=arguments, standalone_mode=False) or 0))
    except UsageError as error:
        return _fail(str(error))
    except BrokenPipeError:
        # The reader has gone; what it wanted it has. Python's own flush at exit must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return _note_interruption(INTERRUPTED)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return _fail(error.format_message()) if error.format_message() else USAGE


def _note_interruption(code: int) -> int:
    """Say so where typer has made this exit code of Ctrl-C; the code."""
    if code == INTERRUPTED:
        write_note("interrupted")
    return code


def _fail(message: str) -> int:
    write_note(f"mobilenet-profiler: {' '.join(message.split())}")
    return USAGE


def main() -> None:
    """The console script."""
    sys.exit(run())
