"""Cases of the root package. Copy this file to begin another; test_harness.py holds numeric examples."""

from geojax import cite, unwrap
from tests.conformance.case import Case, exempt_all

CASES = [
    Case("unwrap", unwrap, lambda key, dtype: (), exemptions=exempt_all("reads concrete values on the host")),
    Case("cite", cite, lambda key, dtype: (), exemptions=exempt_all("text in, text out")),
]

DATA = {
    "SolverError": "an exception",
    "Status": "an enumeration of integer codes",
    "__version__": "a string of text",
    "architectures": "a sub-package with cases of its own",
    "equivariant": "a sub-package with cases of its own",
    "io": "a sub-package with cases of its own",
    "manifolds": "a sub-package with cases of its own",
    "merging": "a sub-package with cases of its own",
    "metanets": "a sub-package with cases of its own",
    "optim": "a sub-package with cases of its own",
    "symmetry": "a sub-package with cases of its own",
    "transport": "a sub-package with cases of its own",
}
