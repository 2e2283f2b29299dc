"""The command line: `geojax COMMAND ...`. Only click is imported before a command needs more."""

import sys
from collections.abc import Sequence

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is 0 for success, 1 for a failed check, 2 for wrong input, 130 if interrupted.

    Args:
        arguments: What follows the program's name; what the shell gave, if None.

    Raises:
        SystemExit: With the same codes, where the arguments themselves are wrong or ask for help or the version.
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
