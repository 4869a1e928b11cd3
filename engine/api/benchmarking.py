"""The benchmark: ours against plain Unsloth and plain `generate`, on this machine."""

from __future__ import annotations

from collections.abc import Callable

from engine.bench.choosing import BASELINES as BENCH_BASELINES
from engine.bench.choosing import EVALUATION_SIDES, TRAINING_SIDES, BenchRequest, checked
from engine.bench.plan import SideResult
from engine.bench.running import BenchResult, run_bench

__all__ = [
    "BENCH_BASELINES",
    "EVALUATION_SIDES",
    "TRAINING_SIDES",
    "BenchRequest",
    "BenchResult",
    "SideResult",
    "benchmark",
]


def benchmark(request: BenchRequest, tell: Callable[[str], None]) -> BenchResult:
    """Run a benchmark to its end: minutes on a GPU.

    Args:
        request: what is compared.
        tell: hears what is being done, a line at a time.

    Raises:
        SonotuneError: images or model cannot be made. A side that fails is a result with its reason.
    """
    return run_bench(checked(request), tell)
