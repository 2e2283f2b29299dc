"""How elementwise primitives treat scalings and signs, as tables.

If the inputs are scaled along an axis by ``s ** e`` with s > 0, or multiplied by ``r ** e`` with r = 1 or -1, an
operation requires something of the exponents e and determines those of its result.
"""

import dataclasses
import enum
from fractions import Fraction


class Effect(enum.Enum):
    """What an operation does to an exponent."""

    KEEP = "the result has the exponent"
    ZERO = "the exponent must be zero"
    GONE = "the result does not depend on the scaling"


class Join(enum.Enum):
    """How the entries of two arrays are combined along axes that are matched."""

    EQUAL = "added or chosen: the exponents must agree"
    PRODUCT = "multiplied: the exponents add"
    QUOTIENT = "divided: the exponents are subtracted"
    CONTRACT = "multiplied and summed: the exponents must cancel"


@dataclasses.dataclass(frozen=True)
class Arithmetic:
    """What an elementwise operation does to exponents.

    Attributes:
        scale: Its effect on the exponents of scalings.
        sign: Its effect on the exponents of signs.
        power: The exponent is multiplied by it.
        join: How several inputs are combined.
        chooses: Whether the first input chooses among the others.
        linear: Whether the operation is linear in its inputs along every axis.
    """

    scale: Effect = Effect.KEEP
    sign: Effect = Effect.KEEP
    power: Fraction = Fraction(1)
    join: Join = Join.EQUAL
    chooses: bool = False
    linear: bool = False


LINEAR = Arithmetic(linear=True)
NONLINEAR = Arithmetic(Effect.ZERO, Effect.ZERO)
ODD = Arithmetic(Effect.ZERO, Effect.KEEP)
EVEN = Arithmetic(Effect.ZERO, Effect.GONE)
HOMOGENEOUS = Arithmetic(Effect.KEEP, Effect.ZERO)
INVARIANT = Arithmetic(Effect.GONE, Effect.GONE)


def power(exponent: Fraction | int) -> Arithmetic:
    """Raising to a power; whole powers carry signs along."""
    whole = Fraction(exponent).denominator == 1
    return Arithmetic(Effect.KEEP, Effect.KEEP if whole else Effect.ZERO, Fraction(exponent))


UNARY: dict[str, Arithmetic] = {
    **dict.fromkeys(
        (
            "neg",
            "copy",
            "copy_p",
            "stop_gradient",
            "real",
            "imag",
            "conj",
            "optimization_barrier",
            "device_put",
        ),
        LINEAR,
    ),
    **dict.fromkeys(
        ("sharding_constraint", "reduce_precision", "name", "pvary", "mesh_cast", "reshard"), LINEAR
    ),
    **dict.fromkeys(
        ("tanh", "sin", "tan", "sinh", "asin", "asinh", "atan", "atanh", "erf", "erf_inv", "round"), ODD
    ),
    **dict.fromkeys(("cos", "cosh"), EVEN),
    **dict.fromkeys(
        ("exp", "exp2", "expm1", "log", "log2", "log1p", "logistic", "acos", "acosh", "erfc", "floor"),
        NONLINEAR,
    ),
    **dict.fromkeys(("ceil", "lgamma", "digamma", "bessel_i0e", "bessel_i1e", "not", "clz"), NONLINEAR),
    "population_count": NONLINEAR,
    "cbrt": Arithmetic(Effect.KEEP, Effect.KEEP, Fraction(1, 3)),
    "abs": Arithmetic(Effect.KEEP, Effect.GONE),
    "sign": Arithmetic(Effect.GONE, Effect.KEEP),
    "is_finite": INVARIANT,
    "sqrt": power(Fraction(1, 2)),
    "rsqrt": power(Fraction(-1, 2)),
    "square": power(2),
}

NARY: dict[str, Arithmetic] = {
    **dict.fromkeys(("add", "add_any", "sub", "complex"), LINEAR),
    **dict.fromkeys(("max", "min"), HOMOGENEOUS),
    "mul": Arithmetic(join=Join.PRODUCT, linear=True),
    "div": Arithmetic(join=Join.QUOTIENT, linear=True),
    **dict.fromkeys(("eq", "ne"), INVARIANT),
    **dict.fromkeys(
        ("lt", "le", "gt", "ge", "lt_to", "le_to", "eq_to"), Arithmetic(Effect.GONE, Effect.ZERO)
    ),
    "select_n": Arithmetic(chooses=True, linear=True),
    **dict.fromkeys(("pow", "atan2", "rem", "nextafter", "and", "or", "xor", "clamp"), NONLINEAR),
    **dict.fromkeys(
        ("shift_left", "shift_right_logical", "shift_right_arithmetic", "igamma", "igammac"), NONLINEAR
    ),
    **dict.fromkeys(
        ("igamma_grad_a", "random_gamma_grad", "polygamma", "zeta", "regularized_incomplete_beta"), NONLINEAR
    ),
}
