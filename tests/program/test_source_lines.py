"""The source line of an equation lies in the user's own file, wherever that can be known."""

import os
import sysconfig

import jax.numpy as jnp
import numpy as np

from geojax._program import jaxprs
from geojax._program.sources import source_of
from geojax._program.walk import Cursor, walk

HERE = os.path.basename(__file__)
X = np.ones((3, 4), np.float32)


def library(name, text):
    """What a text defines as ``layer``, as if an installed package or the standard library had it."""
    scope = {"jnp": jnp}
    exec(compile(text, os.path.join(sysconfig.get_paths()[name], "framework", "module.py"), "exec"), scope)
    return scope["layer"]


def lines(program):
    """The source line of each primitive, also inside calls."""
    found, cursor = {}, Cursor()

    def step(eqn, values):
        found[eqn.primitive.name] = source_of(eqn, cursor.callers)
        return [None] * len(eqn.outvars)

    traced = jaxprs.trace(program, jnp.asarray(X))
    walk(traced, [None], step, constant=lambda number: None, unused=None, cursor=cursor)
    return found


def test_a_line_of_a_framework_or_the_standard_library_is_named_in_place_of_the_users():
    for place in ("purelib", "stdlib"):
        layer = library(place, "def layer(x):\n    return jnp.tanh(x)\n")

        def users_model(x, layer=layer):
            return layer(x)

        assert lines(users_model)["tanh"].startswith(HERE) and "(users_model)" in lines(users_model)["tanh"]


def test_a_primitive_inside_a_call_has_no_line():
    def users_model(x):
        return jnp.cumsum(x, axis=-1)

    assert lines(users_model)["cumsum"].endswith("(users_model)")


def test_a_program_that_is_installed_as_a_whole_is_named_by_the_line_that_asked_about_it():
    layer = library("purelib", "def layer(x):\n    return jnp.tanh(x)\n")
    assert lines(layer)["tanh"] == "module.py:2 (layer)"
