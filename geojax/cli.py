"""The command line: `geojax demo` merges two networks; `geojax --version`."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import geojax

DESCRIPTION = (
    "geojax: spaces, the groups that act on them, and distances modulo those groups, as JAX transforms."
)

DEMO = """\
Train pairs of networks from different seeds, and make each pair one network.

Two networks that learnt the same task do not average well: their hidden units come in a different
order. geojax reads the symmetries off the network's own program, moves the second network onto the
first, averages them half-way and repairs the statistics of the average. Three alignments are
compared (weights; activations; weights started from activations), beside the plain average.

It trains multilayer perceptrons and convolutional nets with batch normalisation, on scikit-learn's
digits or on the images given with --data. Everything is written to the folder given with --out:
a picture of the loss between the networks for each architecture, and results.json."""

EXAMPLES = """\
examples:
  geojax demo                                      the digits, about a minute
  geojax demo --data fashion-mnist                 a folder with Fashion-MNIST, under three minutes
  geojax demo --width 128 256 512                  how the barrier falls as perceptrons widen
  geojax demo --quick --out /tmp/demo              half a minute, to see that it runs"""

NEEDED = ("flax", "optax", "rich", "matplotlib", "sklearn")


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command; the exit code is 0 for success, 2 for wrong input, 130 if interrupted."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except KeyboardInterrupt:
        print("geojax: interrupted; nothing was written.", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("geojax", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"geojax {geojax.__version__}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    demo = commands.add_parser(
        "demo",
        help="train two networks and merge them into one",
        description=DEMO,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    demo.add_argument(
        "--data",
        type=Path,
        metavar="PATH",
        help="folder with train and t10k images and labels as idx or idx.gz files (default: scikit-learn's digits)",
    )
    demo.add_argument(
        "--width",
        type=_positive,
        nargs="+",
        action="extend",
        metavar="N",
        help="units in each hidden layer of the perceptrons; several widths train several pairs (default: 512)",
    )
    demo.add_argument(
        "--channels",
        type=_positive,
        metavar="N",
        help="channels of each layer of the convolutional nets (default: 256)",
    )
    demo.add_argument(
        "--out", type=Path, default=Path("demo"), metavar="DIR", help="folder for the results (default: demo)"
    )
    demo.add_argument(
        "--seed",
        type=_seed,
        default=0,
        metavar="N",
        help="what every random choice follows from (default: 0)",
    )
    demo.add_argument(
        "--quick", action="store_true", help="few images and narrow networks: it runs, it does not impress"
    )
    demo.set_defaults(command=_demo)
    return parser


def _positive(text: str) -> int:
    return _whole(text, 1, 2**16)


def _seed(text: str) -> int:
    return _whole(text, 0, 2**32 - 1)


def _whole(text: str, least: int, most: int) -> int:
    number = int(text) if text.isdecimal() else -1
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
    return number


def _demo(options: argparse.Namespace) -> int:
    try:
        from geojax.demo import session
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing not in NEEDED:
            raise
        print(
            f"geojax: the demo needs {missing}, which is not installed. "
            "Install the extra: pip install 'geojax-transforms[demo]'.",
            file=sys.stderr,
        )
        return 2
    try:
        session.run(
            options.data,
            options.out,
            widths=options.width,
            channels=options.channels,
            seed=options.seed,
            quick=options.quick,
        )
    except session.DemoError as error:
        print(f"geojax: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
