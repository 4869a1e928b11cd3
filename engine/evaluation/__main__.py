"""`python -m engine.evaluation ID --workspace DIR`: the process of one evaluation, and of its subject's other ones."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from engine.evaluation.process import evaluate_from
from engine.training.entry import run_job


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one evaluation; 0 when it succeeded or ended as the user asked, 1 when it failed."""
    return run_job("evaluation", "Evaluate one model.", evaluate_from, arguments)


if __name__ == "__main__":
    sys.exit(main())
