"""Changes of images: those that training draws anew for every look, and the fixed ones that robustness is measured
under.

`drawing` draws a change from a key, `degrading` knows the degradations of evaluations. The names and sentences that
screens and commands show stand in `names`, which imports nothing heavy; numpy and scipy load with the other modules.
"""

from __future__ import annotations

from engine.data.augmentation.names import LEVELS, OPERATIONS, Operation

__all__ = ["LEVELS", "OPERATIONS", "Operation"]
