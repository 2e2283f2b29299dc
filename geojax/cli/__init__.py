"""The command line: `geojax COMMAND ...`. Everything but click is imported when a command needs it."""

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is 0 for success, 1 for a failed check, 2 for wrong input, 130 if interrupted.

    Args:
        arguments: The command and its arguments; if None, those of the process.

    Raises:
        SystemExit: With the same codes, if the arguments are wrong, or ask for help or the version.
    """
    try:
        from geojax.cli.application import run
    except ModuleNotFoundError as error:
        if error.name != "click":
            raise
        print(
            "geojax: the command line needs click, which is not installed. "
            "Install the extra: pip install 'geojax-transforms[cli]'.",
            file=sys.stderr,
        )
        return 2
    return run(sys.argv[1:] if arguments is None else list(arguments))
