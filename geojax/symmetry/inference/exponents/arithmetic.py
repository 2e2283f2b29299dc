"""How elementwise primitives treat scalings and signs, as tables.

For inputs that are scaled along an axis by ``s ** e`` (s > 0) and flipped by ``r ** e`` (r = 1 or -1), each
operation asks something of the exponents and says what the result's are.
"""

import dataclasses
from fractions import Fraction

KEEP = "keep"
ZERO = "zero"
GONE = "gone"


@dataclasses.dataclass(frozen=True)
class Arithmetic:
    """What an elementwise operation does to exponents.

    Attributes:
        scale: "keep" the exponent, require "zero", or "gone": the result does not feel the scaling.
        sign: The same for signs.
        power: The exponent is multiplied by it.
        join: How several inputs come together: "equal" exponents, their "product", "quotient", or "select" (the
            first chooses among the others).
        linear: Whether the operation is linear in its inputs along every axis.
    """

    scale: str = KEEP
    sign: str = KEEP
    power: Fraction = Fraction(1)
    join: str = "equal"
    linear: bool = False


LINEAR = Arithmetic(linear=True)
NONLINEAR = Arithmetic(ZERO, ZERO)
ODD = Arithmetic(ZERO, KEEP)
EVEN = Arithmetic(ZERO, GONE)
HOMOGENEOUS = Arithmetic(KEEP, ZERO)
INVARIANT = Arithmetic(GONE, GONE)


def power(exponent: Fraction | int) -> Arithmetic:
    """Raising to a power; whole powers carry signs along."""
    whole = Fraction(exponent).denominator == 1
    return Arithmetic(KEEP, KEEP if whole else ZERO, Fraction(exponent))


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
        ("exp", "exp2", "expm1", "log", "log1p", "logistic", "acos", "acosh", "erfc", "floor"), NONLINEAR
    ),
    **dict.fromkeys(("ceil", "lgamma", "digamma", "bessel_i0e", "bessel_i1e", "not", "clz"), NONLINEAR),
    "population_count": NONLINEAR,
    "cbrt": Arithmetic(KEEP, KEEP, Fraction(1, 3)),
    "abs": Arithmetic(KEEP, GONE),
    "sign": Arithmetic(GONE, KEEP),
    "is_finite": INVARIANT,
    "sqrt": power(Fraction(1, 2)),
    "rsqrt": power(Fraction(-1, 2)),
    "square": power(2),
}

NARY: dict[str, Arithmetic] = {
    **dict.fromkeys(("add", "add_any", "sub", "complex"), LINEAR),
    **dict.fromkeys(("max", "min"), HOMOGENEOUS),
    "mul": Arithmetic(join="product", linear=True),
    "div": Arithmetic(join="quotient", linear=True),
    **dict.fromkeys(("eq", "ne"), INVARIANT),
    **dict.fromkeys(("lt", "le", "gt", "ge", "lt_to", "le_to", "eq_to"), Arithmetic(GONE, ZERO)),
    "select_n": Arithmetic(join="select", linear=True),
    **dict.fromkeys(("pow", "atan2", "rem", "nextafter", "and", "or", "xor", "clamp"), NONLINEAR),
    **dict.fromkeys(
        ("shift_left", "shift_right_logical", "shift_right_arithmetic", "igamma", "igammac"), NONLINEAR
    ),
    **dict.fromkeys(
        ("igamma_grad_a", "random_gamma_grad", "polygamma", "zeta", "regularized_incomplete_beta"), NONLINEAR
    ),
}
