"""Architectures with their symmetry groups derived by hand: the judge of `geojax.symmetry.infer`."""

from tests.symmetry.gallery import (
    cnn,
    depth,
    fused,
    llama,
    mlp,
    mobile,
    moe,
    recurrent,
    resnet,
    shared,
    skips,
    structure,
    transformer,
    vision,
)

NETWORKS = (mlp, cnn, resnet, skips, mobile, recurrent, transformer, fused, llama, vision, moe)
FAMILIES = (*NETWORKS, depth, shared, structure)

EXAMPLES = tuple(example for family in FAMILIES for example in family.EXAMPLES)
