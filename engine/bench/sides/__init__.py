"""The sides of the benchmark, one process each: `python -m engine.bench.sides.NAME PLAN RESULT`. Heavy."""
