"""The program: its commands, and how an error becomes a line on stderr and an exit code."""

import errno
import os
import sys
import traceback

import click

import geojax
from geojax._core.optional import missing_module
from geojax.cli.commands.align import align
from geojax.cli.commands.barrier import barrier
from geojax.cli.commands.demo import demo
from geojax.cli.commands.inspect import inspect
from geojax.cli.commands.merge import merge
from geojax.cli.commands.symmetries import symmetries
from geojax.cli.screen.errors import EXTRAS, CheckError, InputError
from geojax.cli.screen.signals import ended_by_signals

DEFECT = 70
BROKEN_PIPE = 128 + 13


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    subcommand_metavar="COMMAND ...",
    no_args_is_help=False,
    epilog="""\b
Exit codes: 0 success, 1 a check failed, 2 wrong input, 130 interrupted.
Completion: put this in ~/.bashrc (for others zsh_source or fish_source):
  eval "$(_GEOJAX_COMPLETE=bash_source geojax)"
""",
)
@click.version_option(geojax.__version__, message="geojax %(version)s")
def application() -> None:
    """geojax: spaces, the groups that act on them, and distances modulo those groups, as JAX transforms.

    The commands inspect model files, find the symmetries of the functions that the models compute, align models, and
    merge them.
    """


for command in (inspect, symmetries, align, merge, barrier, demo):
    application.add_command(command)


def run(arguments: list[str]) -> int:
    """Runs the command that the arguments name, and returns the exit code."""
    debug = "--debug" in arguments or bool(os.environ.get("GEOJAX_DEBUG"))
    if "_GEOJAX_COMPLETE" in os.environ:
        application.main(arguments, prog_name="geojax")
    try:
        with ended_by_signals(), application.make_context("geojax", arguments) as context:
            return application.invoke(context) or 0
    except click.exceptions.Exit as stop:
        raise SystemExit(stop.exit_code) from None
    except click.UsageError as error:
        where = error.ctx.command_path if error.ctx else "geojax"
        print(f"{where}: error: {error.format_message()} Try '{where} --help'.", file=sys.stderr)
        raise SystemExit(2) from None
    except KeyboardInterrupt:
        print("geojax: interrupted; nothing was written.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # The reader of the output has gone. Without this the interpreter would fail again when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except Exception as error:
        if debug:
            traceback.print_exc()
        message, code = _explain(error)
        print(f"geojax: {message}", file=sys.stderr)
        return code


def _explain(error: Exception) -> tuple[str, int]:
    """The message for an error, and the exit code."""
    if isinstance(error, CheckError):
        return str(error), 1
    if isinstance(error, InputError):
        return str(error), 2
    if isinstance(error, OSError):
        return _system(error), 2
    if isinstance(error, ModuleNotFoundError):
        missing = (error.name or "").partition(".")[0]
        if missing in EXTRAS:
            return missing_module("this command", missing, EXTRAS[missing]), 2
    return (
        f"{type(error).__name__}: {error}\n"
        "geojax: this should not happen. Please report it with what --debug prints."
    ), DEFECT


def _system(error: OSError) -> str:
    """The message for an error of the operating system, with a remedy if there is an obvious one."""
    place = f"{error.filename}: " if error.filename else ""
    remedy = {
        errno.ENOENT: " Check the spelling; relative paths start at the current folder.",
        errno.EACCES: " Check the permissions, or name another place.",
        errno.ENOSPC: " Free space, or write to another disk.",
        errno.EROFS: " Write to another disk.",
    }.get(error.errno or 0, "")
    return f"{place}{(error.strerror or str(error)).lower()}.{remedy}"
