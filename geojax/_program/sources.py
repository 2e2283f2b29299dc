"""The line of the user's own program that an equation stands for."""

import functools
import os
import sysconfig
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np

from geojax._program import jaxprs

_PACKAGE = os.path.dirname(os.path.dirname(__file__))
_MACHINERY = tuple(
    os.path.join(os.path.dirname(os.path.dirname(jax.__file__)), name) + os.sep for name in ("jax", "jaxlib")
)


@functools.lru_cache(maxsize=1)
def _libraries() -> tuple[str, ...]:
    """Folders whose code is not the user's: the standard library, where packages are installed, and this package."""
    installed = [sysconfig.get_paths()[kind] for kind in ("stdlib", "platstdlib", "purelib", "platlib")]
    beside = [os.path.dirname(os.path.dirname(str(module.__file__))) for module in (jax, np)]
    return tuple(f"{folder}{os.sep}" for folder in (*installed, *beside, _PACKAGE))


def source_of(eqn: Any, callers: Sequence[Any] = ()) -> str:
    """The line of the user's program that made an equation, as "file:line (function)"; empty if it is not known.

    It is the innermost line outside of the standard library and of installed packages. A program that lies in them as
    a whole is named by its own innermost line outside of jax. An equation inside a call knows the lines inside it only;
    ``callers`` are the equations of the calls around it, from the outermost.
    """
    inside = ""
    for each in (eqn, *reversed(callers)):
        traceback = each.source_info.traceback
        for frame in traceback.frames if traceback is not None else ():
            name = frame.file_name
            if name == jaxprs.__file__:
                break  # What lies further out called for the program; it is no part of it.
            if name.startswith("<") or name.startswith(_MACHINERY):
                continue
            line = f"{os.path.basename(name)}:{frame.line_num} ({frame.function_name.rsplit('.', 1)[-1]})"
            if not name.startswith(_libraries()):
                return line
            inside = inside or line
    return inside
