"""How a benchmark is shown: a row a side, what was alike, and the command that repeats it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from engine import api
from engine.cli.console import new_table, output, say, shown

HEADS = ("side", "per s", "ratio", "tokens/s", "peak GB", "MFU", "HFU", "waits")
UNITS = {"train": "samples a second", "evaluate": "questions a second"}


def result_as_json(result: api.BenchResult, command: str) -> dict[str, Any]:
    """Everything that was measured."""
    request = asdict(result.request)
    baseline = api.BENCH_BASELINES[result.request.kind]
    return {
        "command": command,
        "unit": UNITS[result.request.kind],
        "baseline": baseline,
        "request": {**request, "keep": str(request["keep"]) if request["keep"] else None},
        "sides": [{**asdict(side), "ratio": result.ratio(side, baseline)} for side in result.sides],
        "same_answers": result.same_answers,
    }


def print_bench(result: api.BenchResult, command: str) -> None:
    """The table, then what the figures mean."""
    request, baseline = result.request, api.BENCH_BASELINES[result.request.kind]
    step = f", {request.batch} samples a step" if request.kind == "train" else ""
    work = f"{request.model}, {request.questions} questions an image, {request.image_size} px{step}"
    title = f"{work}: {UNITS[request.kind]}"
    table = new_table(*HEADS, title=title, right=range(1, len(HEADS)))
    for side in result.sides:
        table.add_row(*(shown(cell) for cell in _cells(result, side, baseline)))
    for column in table.columns:
        column.no_wrap = True
    output.print(table)
    for line in _notes(result):
        output.print(shown(line), soft_wrap=True)
    say(f"Again: {command}")


def _cells(result: api.BenchResult, side: api.SideResult, baseline: str) -> list[str]:
    if side.failure:
        return [side.side, "failed", *[""] * (len(HEADS) - 2)]
    return [
        side.side.removeprefix("evaluate-"),
        _number(side.samples_per_second, 2),
        _number(result.ratio(side, baseline), 2),
        _number(side.tokens_per_second, 0),
        _peak(side),
        _share(side.model_flop_utilisation),
        _share(side.hardware_flop_utilisation),
        _share(side.data_share),
    ]


def _notes(result: api.BenchResult) -> list[str]:
    lines = []
    for side in result.sides:
        if side.failure:
            lines.append(f"{side.side} failed: {side.failure}")
            continue
        tokens = ", ".join(f"{name} {value:.1f}" for name, value in side.tokens.items())
        lines.append(f"{side.side}: tokens a sample: {tokens}" if tokens else side.side)
        times = (
            f"a step {_number(side.step_seconds, 3)} s, loading {_number(side.load_seconds, 1)} s, "
            f"warm-up cost {_number(side.warmup_seconds, 1)} s"
        )
        lines.append(f"  {times}; {_recording(side)}{_settings(side)}")
        lines += [f"  tried: {_pairs(each)}" for each in side.tried]
    lines += [f"Same answers: {result.same_answers}"] if result.same_answers is not None else []
    lines += [*_differing(result, "loss_on", "Loss on"), *_differing(result, "samples_per_step", "Samples a step")]
    first = next((side for side in result.sides if not side.failure), None)
    if first is not None:
        peak = f"{first.peak_flops / 1e12:.3g} TFLOP/s in a matrix product" if first.peak_flops else "no peak measured"
        lines.append(f"{first.gpu or 'CPU'}, {peak}; {_pairs(first.versions)}")
    lines.append(
        "Peak GB: in tensors / held by the allocator (10^9 bytes). MFU: forward and backward of the tokens needed; "
        "HFU: with pads and recomputation. Waits: share of the time without a batch"
        + (" (the clock starts at the first one)." if result.request.kind == "evaluate" else ".")
    )
    return lines


def _differing(result: api.BenchResult, setting: str, name: str) -> list[str]:
    """A line for a setting in which the sides do not compute the same."""
    known = {side.side: side.settings[setting] for side in result.sides if setting in side.settings}
    if len(set(map(str, known.values()))) < 2:
        return []
    return [f"The sides differ. {name}: {'; '.join(f'{side}: {value}' for side, value in known.items())}."]


def _recording(side: api.SideResult) -> str:
    return "" if side.recording_share is None else f"recording {side.recording_share:.2%} of the time; "


def _settings(side: api.SideResult) -> str:
    return _pairs(side.settings)


def _pairs(values: Any) -> str:
    return ", ".join(f"{key} {_short(value)}" for key, value in dict(values).items() if value is not None)


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _peak(side: api.SideResult) -> str:
    if side.peak_allocated is None or side.peak_reserved is None:
        return "–"
    return f"{side.peak_allocated / 1e9:.1f} / {side.peak_reserved / 1e9:.1f}"


def _number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:,.{digits}f}"


def _share(value: float | None) -> str:
    return "–" if value is None else f"{value:.1%}"
