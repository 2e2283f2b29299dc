"""Networks whose inputs are the parameters of other networks, for any architecture."""

from typing import TYPE_CHECKING

from geojax._core.halls import hall

if TYPE_CHECKING:
    from geojax.metanets.graphs.incidence import ParameterGraph, parameter_graph
    from geojax.metanets.graphs.passing import message_passing
    from geojax.metanets.makers.adaptation import meta_init
    from geojax.metanets.makers.bounds import interval
    from geojax.metanets.maps.channels import features, weight_features
    from geojax.metanets.maps.gauge import fix_gauge
    from geojax.metanets.maps.learned_updates import learned_optimizer
    from geojax.metanets.maps.networks import invariant, metanet
    from geojax.metanets.zoo.mixing import mixup
    from geojax.metanets.zoo.statistics import weight_statistics
    from geojax.metanets.zoo.training import population

__all__ = [
    "ParameterGraph",
    "features",
    "fix_gauge",
    from geojax.metanets.makers.fields import coordinate_field, coordinate_field_init, rbf_field
    from geojax.metanets.makers.magnitude import constant_norm_encoding, hypernetwork

__all__ = [
    "ParameterGraph",
    "constant_norm_encoding",
    "coordinate_field",
    "coordinate_field_init",
    "hypernetwork",
    "interval",
    "invariant",
    "learned_optimizer",
    "message_passing",
    "metanet",
    "mixup",
    "parameter_graph",
    "population",
    "weight_features",
    "weight_statistics",
    "meta_init",
    "parameter_graph",
    "rbf_field",
]

_DEFINED_IN = {
    "ParameterGraph": "geojax.metanets.graphs.incidence",
    "features": "geojax.metanets.maps.channels",
    "fix_gauge": "geojax.metanets.maps.gauge",
    "constant_norm_encoding": "geojax.metanets.makers.magnitude",
    "coordinate_field": "geojax.metanets.makers.fields",
    "coordinate_field_init": "geojax.metanets.makers.fields",
    "hypernetwork": "geojax.metanets.makers.magnitude",
    "interval": "geojax.metanets.makers.bounds",
    "invariant": "geojax.metanets.maps.networks",
    "learned_optimizer": "geojax.metanets.maps.learned_updates",
    "message_passing": "geojax.metanets.graphs.passing",
    "metanet": "geojax.metanets.maps.networks",
    "mixup": "geojax.metanets.zoo.mixing",
    "parameter_graph": "geojax.metanets.graphs.incidence",
    "population": "geojax.metanets.zoo.training",
    "weight_features": "geojax.metanets.maps.channels",
    "weight_statistics": "geojax.metanets.zoo.statistics",
    "meta_init": "geojax.metanets.makers.adaptation",
    "parameter_graph": "geojax.metanets.graphs.incidence",
    "rbf_field": "geojax.metanets.makers.fields",
}

__getattr__, __dir__ = hall(__name__, _DEFINED_IN)
