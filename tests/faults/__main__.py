"""`python tests/faults [--full]`: inject faults into real processes, print what was lost. See docs/reliability.md."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["SONOTUNE_BACKGROUND_CHECK"] = "0"

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "tui"), str(HERE.parent / "engine")]

from harness import Kind, Result, clock, ends_in_order, run_all, table  # noqa: E402
from registry import KINDS  # noqa: E402

BEGIN, END = "<!-- table: begin -->", "<!-- table: end -->"


def main(arguments: list[str] | None = None) -> int:
    """Run the suite; 0 where every promise was kept, and everything could run that was asked for."""
    given = parse(arguments)
    ends_in_order()
    kinds = [kind for kind in KINDS if not given.kinds or any(part in kind.name for part in given.kinds.split(","))]
    tries = [(kind, number) for kind in kinds for number in numbers(kind, given)]
    missing = [(kind, reason) for kind in kinds if (reason := kind.missing())]
    for kind, reason in missing:
        print(f"NOT RUN {kind.name}: {reason}")
    skipped = {kind.name for kind, _ in missing}
    # Long ones first, so that none of them runs alone at the end.
    tries = sorted((each for each in tries if each[0].name not in skipped), key=lambda each: not each[0].real)
    folder = Path(given.folder or tempfile.mkdtemp(prefix="sonotune-faults-"))
    started = clock()
    results: dict[str, Result] = {}
    for number, (result, report) in enumerate(run_all(tries, given.seed, folder, given.jobs), 1):
        results[result.kind.name] = result
        mark = "  <-- " + " / ".join(report.notes) if report.notes else ""
        print(f"{number:4} of {len(tries)}  {result.kind.name}: {result.tries}{mark}", flush=True)
    ordered = [results[kind.name] for kind in kinds if kind.name in results]
    words = f"{sum(each.tries for each in ordered)} faults, seed {given.seed}, {(clock() - started) / 60:.1f} minutes"
    text = f"{table(ordered)}\n\n{words}, {given.jobs} tries side by side on {os.cpu_count()} cores."
    print(text)
    if given.write:
        write(Path(given.write), text)
    return int(not all(each.good for each in ordered) or bool(missing and given.full))


def parse(arguments: list[str] | None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="tests/faults", description=__doc__)
    parser.add_argument(
        "--full", action="store_true", help="all tries of all kinds; else the short form of `make test`"
    )
    parser.add_argument("--kinds", default="", help="only kinds whose names hold one of these words (commas between)")
    parser.add_argument("--try", dest="only", type=int, help="only the try of this number")
    parser.add_argument("--tries", type=int, help="so many tries of each kind")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=2, help="tries side by side")
    parser.add_argument("--folder", help="where tries work [default: a temporary folder]")
    parser.add_argument("--write", help="put the table between the marks of this file")
    return parser.parse_args(arguments)


def numbers(kind: Kind, given: argparse.Namespace) -> list[int]:
    """Which tries of a kind are wanted."""
    if given.only is not None:
        return [given.only]
    count = given.tries if given.tries is not None else kind.full if given.full else kind.short
    return list(range(count))


def write(file: Path, text: str) -> None:
    """Replace what stands between the marks."""
    before, _, rest = file.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    file.write_text(f"{before}{BEGIN}\n{text}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
