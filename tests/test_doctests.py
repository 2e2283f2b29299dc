"""Every example in a docstring runs and prints what it says, with the defaults that a user has.

The dearest run in the whole run only: their functions have laws and cases of their own in the default run.
"""

import doctest
import importlib
import pkgutil

import pytest

import geojax

pytestmark = pytest.mark.x32

MODULES = ["geojax"] + [
    module.name
    for module in pkgutil.walk_packages(geojax.__path__, "geojax.")
    if not module.name.startswith(("geojax.demo", "geojax.cli"))
]

# Modules (or packages) whose examples take about a second of processor time or more, mostly to compile.
DEAR = (
    "geojax.io.streams.align",
    "geojax.manifolds.base.gradient",
    "geojax.manifolds.curves.bishop_frames",
    "geojax.manifolds.curves.ladders",
    "geojax.manifolds.frames.flagfolds",
    "geojax.manifolds.frames.householder",
    "geojax.manifolds.frames.stiefel",
    "geojax.manifolds.groups.haar",
    "geojax.manifolds.groups.linear_groups",
    "geojax.manifolds.groups.polar_coordinates",
    "geojax.manifolds.groups.rigid_motions",
    "geojax.manifolds.groups.special_unitary",
    "geojax.manifolds.heat.spheres_and_tori",
    "geojax.manifolds.heat.unitary",
    "geojax.manifolds.hyperbolic.margin",
    "geojax.manifolds.meshes.functional_maps",
    "geojax.manifolds.meshes.mesh_laplacians",
    "geojax.manifolds.meshes.triangle_distance",
    "geojax.manifolds.poses.gauss_newton",
    "geojax.manifolds.poses.moment_registration",
    "geojax.manifolds.poses.rotations",
    "geojax.manifolds.statistics.subspace_analysis",
    "geojax.merging.activations.repair",
    "geojax.merging.aligned",
    "geojax.merging.averages.aggregation",
    "geojax.merging.averages.diversity",
    "geojax.merging.averages.pareto",
    "geojax.merging.averages.spherical",
    "geojax.merging.paths.alignment_report",
    "geojax.merging.paths.feature_connectivity",
    "geojax.merging.tasks.concrete",
    "geojax.merging.tasks.task_vectors",
    "geojax.optim.geometry.adamp",
    "geojax.optim.preconditioned.kronecker_momentum",
    "geojax.symmetry.action.elements",
    "geojax.symmetry.inference.dimension",
    "geojax.symmetry.layers.quasilinear",
    "geojax.symmetry.layers.state_space",
    "geojax.symmetry.matching.across_widths",
    "geojax.symmetry.matching.by_activations",
    "geojax.symmetry.matching.sinkhorn",
    "geojax.symmetry.matching.straight_through",
    "geojax.symmetry.matching.universe",
    "geojax.symmetry.orbits.asymmetry",
    "geojax.symmetry.orbits.canonical",
    "geojax.symmetry.orbits.teleport",
    "geojax.symmetry.rankings.attacks",
    "geojax.symmetry.rankings.consensus",
    "geojax.symmetry.units.equivalent",
    "geojax.symmetry.units.pairs",
    "geojax.symmetry.units.spectral",
    "geojax.transport.discrete.polymeans",
    "geojax.transport.discrete.sample_spaces",
    "geojax.transport.discrete.species",
    "geojax.transport.entropic.barycenter",
    "geojax.transport.entropic.free_support",
    "geojax.transport.entropic.maps",
    "geojax.transport.entropic.point_cloud",
    "geojax.transport.features.random_features",
    "geojax.transport.gaussian.mixture",
    "geojax.transport.gromov.initialisation",
    "geojax.transport.laws",
    "geojax.transport.line.linear_circular",
    "geojax.transport.low_rank",
    "geojax.transport.sliced.max_sliced",
)


def is_dear(name: str) -> bool:
    return any(name == dear or name.startswith(f"{dear}.") for dear in DEAR)


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.full if is_dear(name) else ()) for name in MODULES]
)
def test_examples(name):
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    for test in doctest.DocTestFinder(exclude_empty=True).find(module, name):
        report: list[str] = []
        runner.run(test, out=report.append)
        assert not runner.failures, "".join(report)


def test_dear_modules_are_modules():
    assert [
        dear for dear in DEAR if not any(is_dear(name) and name.startswith(dear) for name in MODULES)
    ] == []
