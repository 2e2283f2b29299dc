"""Architectures with their symmetry groups derived by hand: the judge of `geojax.symmetry.infer`."""

from tests.symmetry.inference.gallery import mlp
from tests.symmetry.inference.gallery.convolutional import cnn, mobile, resnet, skips, vision
from tests.symmetry.inference.gallery.made_up import depth, shared, structure
from tests.symmetry.inference.gallery.sequences import fused, llama, moe, recurrent, solvers, transformer

NETWORKS = (mlp, cnn, resnet, skips, mobile, recurrent, transformer, fused, llama, vision, moe)
FAMILIES = (*NETWORKS, depth, shared, structure, solvers)

EXAMPLES = tuple(example for family in FAMILIES for example in family.EXAMPLES)
