"""What all tests share, settled before JAX starts.

* Four virtual CPU devices, so that sharded programs can be compared with unsharded ones.
* A persistent compilation cache in .cache/, so that a second run compiles nothing, and a compiler that optimises
  little: most of a first run is compiling small programs. `make test` sets the level to 0, at which a few programs are
  wrong, and runs what fails again at the level that is set here.
* 64-bit types enabled. A function that makes an array of default type then turns float32 into float64, which the dtype
  checks see; with 64-bit types disabled it would go unnoticed. A test (or module) marked `x32` runs with them disabled,
  as most users do; doctests do so too, as they show what a user sees.
"""

import gc
import importlib.metadata
import os
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent
_FLAGS = {
    "--xla_force_host_platform_device_count": "4",
    "--xla_backend_optimization_level": "1",
    "--xla_llvm_disable_expensive_passes": "true",  # unrolling and vectorising are a tenth of compiling
    "--xla_cpu_parallel_codegen_split_count": "1",  # one object a program: quicker, and fewer memory maps
}
_VERSION = tuple(int(part) for part in importlib.metadata.version("jaxlib").split(".")[:2])
if _VERSION < (0, 11):
    _FLAGS["--xla_cpu_use_fusion_emitters"] = "false"  # later versions do not know the flag, and abort
os.environ.setdefault("JAX_PLATFORMS", "cpu")
_given = os.environ.get("XLA_FLAGS", "")
os.environ["XLA_FLAGS"] = " ".join([_given, *(f"{k}={v}" for k, v in _FLAGS.items() if k not in _given)])
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(_ROOT / ".cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
# XLA reports each program it loads from the cache as made for tuning flags that no machine has.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

from collections.abc import Iterator  # noqa: E402
from typing import Any  # noqa: E402

import jax  # noqa: E402
import numpy as np  # noqa: E402
import pytest  # noqa: E402

from tests.costs import (  # noqa: E402, F401
    pytest_runtest_call,
    pytest_runtest_setup,
    pytest_terminal_summary,
)

jax.config.update("jax_enable_x64", True)


@pytest.fixture(autouse=True)
def _precision(request: pytest.FixtureRequest) -> Iterator[None]:
    """Set 64-bit types for each test, whatever the one before it left behind."""
    enabled = request.node.get_closest_marker("x32") is None
    jax.config.update("jax_enable_x64", enabled)
    yield
    jax.config.update("jax_enable_x64", True)


_imported: dict[str, dict[str, Any]] = {}


@pytest.fixture(autouse=True)
def _generators_as_imported(request: pytest.FixtureRequest) -> None:
    """Put the generators of a test's module back, so that its data do not depend on which tests ran before it."""
    module = getattr(request.node, "module", None)
    if module is None:
        return
    generators = {
        name: value for name, value in vars(module).items() if isinstance(value, np.random.Generator)
    }
    states = _imported.setdefault(
        module.__name__, {name: each.bit_generator.state for name, each in generators.items()}
    )
    for name, state in states.items():
        generators[name].bit_generator.state = state


# Traced programs are many objects that stay: at the default the collector walks them for a seventh of a long run.
gc.set_threshold(20_000, 10, 10)


def pytest_collection_finish() -> None:
    """Keep what was imported out of the collector's walks."""
    gc.freeze()


# A compiled program keeps a dozen pages mapped, a process may map 65,530, and XLA crashes on the next.
# To forget all programs takes seconds, and whatever runs later makes them again, so that it is put off. To count the
# maps takes a tenth of a second, so that they are counted only if the programs made since could have used them up.
MAPPED = 58_000
MAPS_OF_A_PROGRAM = 20  # at most, on average over hundreds


_made = 0
_due = MAPPED // MAPS_OF_A_PROGRAM


def _count_program(event: str, duration: float, **_: Any) -> None:
    global _made
    _made += event == "/jax/core/compile/backend_compile_duration"


jax.monitoring.register_event_duration_secs_listener(_count_program)


def _mapped() -> int:
    """Memory maps of this process, 0 where the system does not list them."""
    maps = Path("/proc/self/maps")
    return maps.read_bytes().count(b"\n") if maps.exists() else 0


@pytest.fixture(autouse=True)
def _bounded_maps() -> Iterator[None]:
    """Forget compiled programs before a worker has too many; the persistent cache keeps them."""
    global _due
    yield
    if _made < _due:
        return
    if _mapped() > MAPPED - 50 * MAPS_OF_A_PROGRAM:
        jax.clear_caches()
        gc.collect()
    _due = _made + (MAPPED - _mapped()) // MAPS_OF_A_PROGRAM


@pytest.fixture
def key() -> jax.Array:
    """Return a fixed random key; split it for more."""
    return jax.random.key(0)
