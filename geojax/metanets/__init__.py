"""Networks whose inputs are the parameters of other networks, for any architecture."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.metanets.graphs.incidence import ParameterGraph, parameter_graph
    from geojax.metanets.graphs.passing import message_passing
    from geojax.metanets.makers.adaptation import meta_init
    from geojax.metanets.makers.bounds import interval
    from geojax.metanets.makers.fields import coordinate_field, coordinate_field_init, rbf_field
    from geojax.metanets.makers.magnitude import constant_norm_encoding, hypernetwork
    from geojax.metanets.maps.channels import features
    from geojax.metanets.maps.gauge import fix_gauge
    from geojax.metanets.maps.learned_updates import learned_optimizer
    from geojax.metanets.maps.networks import invariant, metanet
    from geojax.metanets.zoo.mixing import mixup
    from geojax.metanets.zoo.statistics import weight_statistics
    from geojax.metanets.zoo.training import population

__all__ = [
    "ParameterGraph",
    "constant_norm_encoding",
    "coordinate_field",
    "coordinate_field_init",
    "features",
    "fix_gauge",
    "hypernetwork",
    "interval",
    "invariant",
    "learned_optimizer",
    "message_passing",
    "meta_init",
    "metanet",
    "mixup",
    "parameter_graph",
    "population",
    "rbf_field",
    "weight_statistics",
]

_DEFINED_IN = {
    "ParameterGraph": "geojax.metanets.graphs.incidence",
    "constant_norm_encoding": "geojax.metanets.makers.magnitude",
    "coordinate_field": "geojax.metanets.makers.fields",
    "coordinate_field_init": "geojax.metanets.makers.fields",
    "features": "geojax.metanets.maps.channels",
    "fix_gauge": "geojax.metanets.maps.gauge",
    "hypernetwork": "geojax.metanets.makers.magnitude",
    "interval": "geojax.metanets.makers.bounds",
    "invariant": "geojax.metanets.maps.networks",
    "learned_optimizer": "geojax.metanets.maps.learned_updates",
    "message_passing": "geojax.metanets.graphs.passing",
    "meta_init": "geojax.metanets.makers.adaptation",
    "metanet": "geojax.metanets.maps.networks",
    "mixup": "geojax.metanets.zoo.mixing",
    "parameter_graph": "geojax.metanets.graphs.incidence",
    "population": "geojax.metanets.zoo.training",
    "rbf_field": "geojax.metanets.makers.fields",
    "weight_statistics": "geojax.metanets.zoo.statistics",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
