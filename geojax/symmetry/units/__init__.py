"""Which units of two networks, or of one, do the same job?

`unit_correlation` compares the activations of two networks; `bipartite_match` (one to one), `semi_match` and
`sparse_unit_map` (one to many) and `spectral_unit_match` (many to many) read partners off it. `singular_alignment`
compares two weight matrices. `merge_equivalent_units` merges the units of one network that compute the same feature,
and `feature_complexity` counts the features that are left. To move whole models onto each other, use a matcher of
`geojax.symmetry`.
"""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.symmetry.units.equivalent import (
        FeatureMergingResult,
        feature_complexity,
        merge_equivalent_units,
    )
    from geojax.symmetry.units.pairs import (
        SparseMapResult,
        bipartite_match,
        semi_match,
        sparse_unit_map,
        unit_correlation,
    )
    from geojax.symmetry.units.singular_vectors import singular_alignment
    from geojax.symmetry.units.spectral import UnitGroupsResult, spectral_unit_match

__all__ = [
    "FeatureMergingResult",
    "SparseMapResult",
    "UnitGroupsResult",
    "bipartite_match",
    "feature_complexity",
    "merge_equivalent_units",
    "semi_match",
    "singular_alignment",
    "sparse_unit_map",
    "spectral_unit_match",
    "unit_correlation",
]

_DEFINED_IN = {
    "FeatureMergingResult": "geojax.symmetry.units.equivalent",
    "SparseMapResult": "geojax.symmetry.units.pairs",
    "UnitGroupsResult": "geojax.symmetry.units.spectral",
    "bipartite_match": "geojax.symmetry.units.pairs",
    "feature_complexity": "geojax.symmetry.units.equivalent",
    "merge_equivalent_units": "geojax.symmetry.units.equivalent",
    "semi_match": "geojax.symmetry.units.pairs",
    "singular_alignment": "geojax.symmetry.units.singular_vectors",
    "sparse_unit_map": "geojax.symmetry.units.pairs",
    "spectral_unit_match": "geojax.symmetry.units.spectral",
    "unit_correlation": "geojax.symmetry.units.pairs",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
