"""What a run screen says in words: readings, events, recipe, scores, facts. Values in, paragraphs out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from engine import api
from tui import clock
from tui.widgets.gauge import Reading
from tui.widgets.intervals import interval_bar
from tui.widgets.lines import Paragraph

EVENT_TONES = {
    "failed": "bad",
    "interrupted": "warn",
    "succeeded": "good",
    "running": "good",
    "noted": "accent",
    "stalled": "warn",
}
SCORE_BAR_CELLS = 24
CHANCE = {"auroc": 0.5, "balanced_accuracy": 0.5, "mcc": 0.0}
ABBREVIATIONS = ("auroc", "mcc")
FIRST_SCORES = ("balanced_accuracy", "sensitivity", "specificity", "auroc", "mcc", "accuracy")


def readings(view: api.RunView) -> list[Reading]:
    """Gauges of a run: of now while it is active, else its peaks."""
    run, sample = view.run, view.sample
    if run.state not in api.ACTIVE or sample is None:
        return _peaks(run)
    found = []
    if sample.gpu_memory_used_bytes and sample.gpu_memory_total_bytes:
        used, total = sample.gpu_memory_used_bytes, sample.gpu_memory_total_bytes
        found.append(Reading("VRAM", f"{used / 2**30:.1f}/{total / 2**30:.0f} GiB", used / total, limited=True))
    if sample.gpu_utilisation_percent is not None:
        percent = sample.gpu_utilisation_percent
        found.append(Reading("GPU", f"{percent:.0f} %", percent / 100))
    if sample.gpu_power_watts is not None:
        heat = sample.gpu_temperature_celsius
        degrees = "" if heat is None else f" {heat:.0f} °C"
        found.append(Reading("power", f"{sample.gpu_power_watts:.0f} W{degrees}"))
    if sample.cpu_percent is not None:
        found.append(Reading("CPU", f"{sample.cpu_percent:.0f} %", sample.cpu_percent / 100))
    if sample.ram_used_bytes and sample.ram_total_bytes:
        used, total = sample.ram_used_bytes, sample.ram_total_bytes
        found.append(Reading("RAM", f"{used / 2**30:.1f}/{total / 2**30:.0f} GiB", used / total, limited=True))
        if sample.rss_bytes:
            found.append(Reading("RSS", api.size(sample.rss_bytes), sample.rss_bytes / total))
    return found


def _peaks(run: api.RunRow) -> list[Reading]:
    peaks = (
        ("VRAM", run.peak_vram_reserved_bytes, "peak, torch"),
        ("card", run.peak_vram_device_bytes, "peak, all of it"),
        ("RSS", run.peak_rss_bytes, "peak"),
    )
    return [Reading(name, f"{api.size(value)} {what}") for name, value, what in peaks if value]


def events(view: api.RunView) -> list[Paragraph]:
    """History and notes, newest first."""
    lines = [(event.time, event.kind, event.detail) for event in view.events if event.kind != "noted"]
    lines += [(note.time, "note", note.text) for note in view.notes]
    return [
        [
            (clock.time_or_day(when), "dim"),
            (f" {kind:<12.12} ", "accent" if kind == "note" else EVENT_TONES.get(kind, "text")),
            (detail, "text"),
        ]
        for when, kind, detail in sorted(lines, reverse=True)
    ]


def recipe(recipe_json: str) -> list[Paragraph]:
    """The stored recipe as TOML would have it; what cannot be read is shown as it is."""
    try:
        content = json.loads(recipe_json)
    except ValueError:
        return [[(recipe_json, "warn")]]
    if not isinstance(content, dict):
        return [[(recipe_json, "warn")]]
    paragraphs: list[Paragraph] = []
    for key, value in content.items():
        if isinstance(value, dict):
            paragraphs += [[], [(f"[{key}]", "bold")], *(_pair(name, inner) for name, inner in value.items())]
        else:
            paragraphs.append(_pair(key, value))
    return paragraphs


def _pair(key: str, value: object) -> Paragraph:
    return [(f"{api.one_line(key):<24}", "dim"), (json.dumps(value, ensure_ascii=False), "text")]


def scores(view: api.RunView) -> list[Paragraph]:
    """Every evaluation with its figures, intervals and n; then view by view, where an average hides a failure."""
    if not view.evaluations:
        return [[("Nothing has been measured yet. `E` queues an evaluation.", "dim")]]
    paragraphs: list[Paragraph] = []
    for evaluation in reversed(view.evaluations):
        grey = evaluation.title.removeprefix(evaluation.name)
        title = f"{evaluation.question} on {evaluation.split}{grey}: {evaluation.state}"
        more = f", {evaluation.n} cases" if evaluation.n else f", {evaluation.reason}"
        paragraphs.append([(f"evaluation {evaluation.id}: ", "dim"), (title + more, "bold")])
        if evaluation.error_title:
            paragraphs.append(
                [("  ", "text"), (f"{evaluation.error_title}. {evaluation.error_next_step or ''}", "bad")]
            )
        found = view.scores.get(evaluation.id, ())
        paragraphs += [_score(name, score) for name, score in _in_order(found)]
        paragraphs += _by_view(found)
        if evaluation.threshold is not None:
            text = f"P(abnormal) ≥ {evaluation.threshold:.3f}, {evaluation.threshold_source}"
            paragraphs.append([("  ", "text"), (text, "dim")])
        paragraphs.append([])
    return paragraphs


def _in_order(found: Iterable[api.Score]) -> list[tuple[str, api.Score]]:
    whole = {score.name: score for score in found if score.scope == "all"}
    names = [name for name in FIRST_SCORES if name in whole] + [name for name in whole if name not in FIRST_SCORES]
    return [(name, whole[name]) for name in names]


def _score(name: str, score: api.Score) -> Paragraph:
    title = name.upper() if name in ABBREVIATIONS else api.one_line(name).replace("_", " ")
    label = f"  {title:<22.22}"
    if score.value is None:
        return [(label, "dim"), (f"{'–':>6}  undefined", "dim")]
    bounds = "" if score.low is None or score.high is None else f"{score.low:.3f}–{score.high:.3f}"
    start = -1.0 if name == "mcc" else 0.0
    drawn = interval_bar(score.value, score.low, score.high, SCORE_BAR_CELLS, start, mark=CHANCE.get(name))
    return [
        (label, "text"),
        (f"{api.figure(score.value):>6} ", "bold"),
        (f"{drawn} ", "accent"),
        (f"{bounds:<13} n {score.n}", "dim"),
    ]


def _by_view(found: Iterable[api.Score]) -> list[Paragraph]:
    views: dict[str, dict[str, api.Score]] = {}
    for score in found:
        if score.scope.startswith("view:"):
            views.setdefault(score.scope.removeprefix("view:"), {})[score.name] = score
    if not views:
        return []
    head = f"  {'view':<22} {'sens.':>6} {'spec.':>6} {'AUROC':>6}   n (abnormal)"
    return [[(head, "header")], *(_view_line(view, named) for view, named in sorted(views.items()))]


def _view_line(view: str, named: Mapping[str, api.Score]) -> Paragraph:
    figures = [named.get(name) for name in ("sensitivity", "specificity", "auroc")]
    cells = " ".join(f"{'–' if each is None or each.value is None else api.figure(each.value):>6}" for each in figures)
    cases, abnormal = (named[name].n if name in named else 0 for name in ("accuracy", "sensitivity"))
    return [(f"  {api.one_line(view):<22.22} ", "text"), (f"{cells}   {cases} ({abnormal})", "text")]


def facts(view: api.RunView) -> list[Paragraph]:
    """What is known of the run besides its curves."""
    run = view.run
    seconds = f"loading {api.duration(run.load_seconds)}, training {api.duration(run.train_seconds)}"
    rate = f"{run.samples_per_second:.1f} samples/s" if run.samples_per_second else None
    trained = (
        f"{run.trained_parameters:,} of {run.total_parameters:,} in {run.lora_modules} modules"
        if run.trained_parameters and run.total_parameters
        else None
    )
    values: dict[str, object] = {
        "state": run.reason and f"{run.state}: {run.reason}",
        "model": run.model,
        "backend": run.backend_reason or run.backend,
        "quantization": run.quantization,
        "computed": api.stored_layout_words(run.layout) or (run.packing and f"packing {run.packing}"),
        "dataset": f"{run.dataset} ({run.dataset_fingerprint[:8]}, split {run.split_fingerprint[:8]})",
        "machine": run.host and f"{run.host}, {run.gpu_name or run.device or ''}",
        "seed": run.seed,
        "resumed": f"{run.resumes} times" if run.resumes else None,
        "cloned from": run.parent_run_id and f"run {run.parent_run_id}",
        "parameters": trained,
        "seconds": seconds,
        "throughput": rate,
        "final loss": run.final_loss and api.number(run.final_loss),
        "curves": api.rolled_up_words(run) or None,
        "tags": ", ".join(view.tags),
        "adapter": run.adapter_path,
        "folder": run.directory,
        "code": run.git_revision and run.git_revision[:12],
        "versions": ", ".join(f"{name} {version}" for name, version in run.versions.items()),
    }
    pairs = [(name, value, "text") for name, value in values.items()]
    if run.error_title:
        pairs[:0] = [("error", run.error_title, "bad"), ("reason", run.error_detail, "text")]
        pairs.insert(2, ("next step", run.error_next_step, "accent"))
    return [
        [(f"{name if not number else '':<13}", "dim"), (part, tone)]
        for name, value, tone in pairs
        if value not in (None, "")
        for number, part in enumerate(str(value).rstrip().split("\n"))
    ]
