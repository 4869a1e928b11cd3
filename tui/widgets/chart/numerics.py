"""numpy, which charts compute with, loaded without holding up the screen.

Importing numpy takes more than 100 ms, too long for the event loop. So no module of this package imports it when it is
imported itself, curves keep what they are given until somebody looks, and a chart draws its data once numpy is there.
"""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]
    Integers: TypeAlias = NDArray[np.int64]
    Codes: TypeAlias = NDArray[np.uint32]
    Bits: TypeAlias = NDArray[np.uint8]
    Flags: TypeAlias = NDArray[np.bool_]

_loaded = threading.Event()


def load() -> None:
    """Import numpy; call it from a thread where time matters."""
    import numpy  # noqa: F401

    _loaded.set()


def loaded() -> bool:
    """Whether numpy can be used at once, without waiting for its import."""
    if not _loaded.is_set() and "numpy.linalg" in sys.modules:
        load()
    return _loaded.is_set()
