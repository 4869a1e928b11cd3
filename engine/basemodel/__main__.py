"""`python -m engine.basemodel`: makes the embedded base models and measures what they know."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

from engine.basemodel.check import check_base
from engine.basemodel.images import CHECK_SEED, TABLES, draw_table, training_tables
from engine.basemodel.train import Plan, save_base, train_base


def main() -> None:
    """Train one size, save it, check it on unseen phantoms, and print the figures as JSON."""
    parser = argparse.ArgumentParser(prog="python -m engine.basemodel", description=__doc__)
    parser.add_argument("--size", choices=["base", "large"], default="base")
    parser.add_argument("--steps", type=int, default=0)
    parser.add_argument("--minutes", type=float, default=0.0, help="instead of --steps: as many as fit")
    parser.add_argument("--batch", type=int, default=128, help="images a step")
    parser.add_argument("--learning-rate", type=float, default=2e-3)
    parser.add_argument("--start", type=Path, help="saved base to go on from")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--workers", type=int, default=6)
    parser.add_argument("--images", type=Path, default=Path("outputs/base-model-images"), help="cache of phantoms")
    parser.add_argument("--share", type=float, default=1.0, help="share of the phantoms to draw (for a trial)")
    parser.add_argument("--check", type=int, default=600, help="unseen phantoms to check on; 0 leaves it out")
    parser.add_argument("--only", choices=["images", "check"], help="do one part")
    parser.add_argument("output", type=Path, help="folder of the base model")
    arguments = parser.parse_args()

    def report(line: str) -> None:
        sys.stdout.write(f"[{time.monotonic() - started:7.1f} s] {line}\n")
        sys.stdout.flush()

    started = time.monotonic()
    if arguments.only != "check":
        counts = {side: int(count * arguments.share) for side, count in TABLES.items()}
        tables = training_tables(arguments.images, counts)
        report(f"images ready: {counts}")
    if arguments.only is None:
        plan = Plan(
            size=arguments.size,
            steps=arguments.steps,
            minutes=arguments.minutes,
            batch=arguments.batch,
            learning_rate=arguments.learning_rate,
            start=arguments.start,
            seed=arguments.seed,
            workers=arguments.workers,
            device=arguments.device,
        )
        model, processor = train_base(plan, tables, draw_table(CHECK_SEED // 2, 480, 160), report)
        save_base(model, processor, arguments.output)
        report(f"saved {arguments.output}")
    if arguments.only != "images" and arguments.check:
        report(json.dumps(check_base(arguments.output, arguments.check, arguments.device)))


if __name__ == "__main__":
    main()
