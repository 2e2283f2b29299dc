"""`geojax demo`: two networks trained apart become one."""

from pathlib import Path

import click

from geojax.cli.screen.errors import InputError, needing
from geojax.cli.screen.options import PATH, SEED, Command, Whole

NEEDED = ("flax", "optax", "rich", "matplotlib", "sklearn")
UNITS = Whole(1, 2**16)


@click.command(
    cls=Command,
    short_help="Train pairs of networks and merge each into one.",
    epilog="""\b
examples:
  geojax demo                          the digits, about a minute
  geojax demo --data fashion-mnist     Fashion-MNIST, under three minutes
  geojax demo --width 128 256 512      how the barrier falls as nets widen
  geojax demo --quick --out /tmp/demo  half a minute, to see that it runs""",
)
@click.option(
    "--data",
    type=PATH,
    metavar="PATH",
    help="Folder with train and t10k images and labels as idx or idx.gz files.  [default: scikit-learn's digits]",
)
@click.option(
    "--width",
    type=UNITS,
    multiple=True,
    metavar="N",
    help="Units in each hidden layer of the perceptrons; several widths train several pairs.  [default: 512]",
)
@click.option(
    "--channels",
    type=UNITS,
    metavar="N",
    help="Channels of each layer of the convolutional nets.  [default: 256]",
)
@click.option(
    "--out", type=PATH, default=Path("demo"), show_default=True, metavar="DIR", help="Folder for the results."
)
@click.option(
    "--seed",
    type=SEED,
    default=0,
    show_default=True,
    metavar="N",
    help="Seed of all random choices.",
)
@click.option("--quick", is_flag=True, help="Few images and narrow networks: a quick test that it runs.")
@click.option("--debug", is_flag=True, expose_value=False, help="Show the traceback of an error as well.")
def demo(
    data: Path | None, width: tuple[int, ...], channels: int | None, out: Path, seed: int, quick: bool
) -> int:
    """Train pairs of networks from different seeds, and make each pair one network.

    Two networks that learnt the same task do not average well, because their hidden units are in different orders.
    geojax reads the symmetries from the network's own program, moves the second network onto the first, averages them
    and repairs the statistics of the average. Three alignments are compared (by weights; by activations; by weights,
    started from activations), beside the plain average.

    It trains multilayer perceptrons and convolutional nets with batch normalisation, on scikit-learn's digits or on the
    images given with --data. Everything is written to the folder given with --out: a picture of the loss between the
    networks for each architecture, and results.json.
    """
    with needing("demo", "the demo", *NEEDED):
        from geojax.demo import session
    try:
        session.run(data, out, widths=width or None, channels=channels, seed=seed, quick=quick)
    except session.DemoError as error:
        raise InputError(str(error)) from error
    return 0
