"""How far apart are two rankings, which ranking stands for many, and how much of the data must change to move it?

A ranking holds the position of each item, rank[i]; equal positions are a tie. A distribution of rankings is known by
its pairwise matrix P[i, j], the probability that i is ranked before j.
"""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.symmetry.rankings.attacks import BreakdownResult, breakdown
    from geojax.symmetry.rankings.consensus import bucket_merge, kemeny_median
    from geojax.symmetry.rankings.distances import kendall_tau, spearman_footrule

__all__ = [
    "BreakdownResult",
    "breakdown",
    "bucket_merge",
    "kemeny_median",
    "kendall_tau",
    "spearman_footrule",
]

_DEFINED_IN = {
    "BreakdownResult": "geojax.symmetry.rankings.attacks",
    "breakdown": "geojax.symmetry.rankings.attacks",
    "bucket_merge": "geojax.symmetry.rankings.consensus",
    "kemeny_median": "geojax.symmetry.rankings.consensus",
    "kendall_tau": "geojax.symmetry.rankings.distances",
    "spearman_footrule": "geojax.symmetry.rankings.distances",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
