"""One of two processes that align and merge parameters neither holds whole. Arguments: coordinator, number, folder."""

import sys
from pathlib import Path

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, NamedSharding, PartitionSpec


def main(coordinator: str, number: int, folder: Path) -> None:
    jax.distributed.initialize(coordinator, num_processes=2, process_id=number, initialization_timeout=60)
    from geojax.merging import interpolate
    from geojax.symmetry import act, weight_matching
    from tests.distribution.models import problem

    spec, a, b = problem()
    mesh = jax.make_mesh((jax.device_count(),), ("x",), axis_types=(AxisType.Auto,))
    assert jax.device_count() == 2
    assert jax.local_device_count() == 1

    def divide(leaf):
        leaf = np.asarray(leaf)
        sharding = NamedSharding(mesh, PartitionSpec("x"))
        return jax.make_array_from_callback(leaf.shape, sharding, lambda index: leaf[index])

    a, b = jax.tree.map(divide, (a, b))
    assert not b["head"].is_fully_addressable
    found = weight_matching(spec, a, b, key=jax.random.key(3))
    moved = act(spec, found.element, b)
    assert all(moved[name].sharding == b[name].sharding for name in b)
    merged = interpolate(a, moved, 0.5)
    assert all(merged[name].sharding == b[name].sharding for name in b)
    whole = multihost_utils.process_allgather(merged, tiled=True)
    np.savez(folder / f"{number}.npz", objective=np.asarray(found.objective), **whole)
    jax.distributed.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
