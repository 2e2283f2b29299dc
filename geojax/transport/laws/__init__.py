"""Laws: how far apart are two distributions, how can draws from them agree, and what follows for a decision?

Total variation and its couplings; how replicable a learner is; the worst expectation in a Wasserstein ball; mixtures of
data sources that approach a target; the transform that makes a sample uniform, and treatment effects after it.
"""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.transport.laws.couplings import maximal_coupling, shared_randomness_coupling, total_variation
    from geojax.transport.laws.indistinguishability import (
        EstimateResult,
        replicability,
        tv_indistinguishability,
    )
    from geojax.transport.laws.robust import WorstCase, wasserstein_ball_worst_case
    from geojax.transport.laws.source_mixture import (
        MixtureSelectionResult,
        ScorePredictor,
        fit_ot_predictor,
        mixture_ot,
        project_scale,
        select_mixture,
    )
    from geojax.transport.laws.treatment_effect import ate_ustatistic
    from geojax.transport.laws.uniformization import inverse_uniform_transform, uniform_transform

__all__ = [
    "EstimateResult",
    "MixtureSelectionResult",
    "ScorePredictor",
    "WorstCase",
    "ate_ustatistic",
    "fit_ot_predictor",
    "inverse_uniform_transform",
    "maximal_coupling",
    "mixture_ot",
    "project_scale",
    "replicability",
    "select_mixture",
    "shared_randomness_coupling",
    "total_variation",
    "tv_indistinguishability",
    "uniform_transform",
    "wasserstein_ball_worst_case",
]

_DEFINED_IN = {
    "EstimateResult": "geojax.transport.laws.indistinguishability",
    "ScorePredictor": "geojax.transport.laws.source_mixture",
    "MixtureSelectionResult": "geojax.transport.laws.source_mixture",
    "WorstCase": "geojax.transport.laws.robust",
    "ate_ustatistic": "geojax.transport.laws.treatment_effect",
    "fit_ot_predictor": "geojax.transport.laws.source_mixture",
    "inverse_uniform_transform": "geojax.transport.laws.uniformization",
    "maximal_coupling": "geojax.transport.laws.couplings",
    "mixture_ot": "geojax.transport.laws.source_mixture",
    "project_scale": "geojax.transport.laws.source_mixture",
    "replicability": "geojax.transport.laws.indistinguishability",
    "select_mixture": "geojax.transport.laws.source_mixture",
    "shared_randomness_coupling": "geojax.transport.laws.couplings",
    "total_variation": "geojax.transport.laws.couplings",
    "tv_indistinguishability": "geojax.transport.laws.indistinguishability",
    "uniform_transform": "geojax.transport.laws.uniformization",
    "wasserstein_ball_worst_case": "geojax.transport.laws.robust",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
