"""From words to a comparison: subjects, evaluations, images, pairs, notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from engine.comparison.choosing import Choice, OtherImagesError, Wish, choose_evaluations
from engine.comparison.loading import Loaded, counts_text, cut_to, load_outputs, shared_paths
from engine.comparison.model import ComparedSubject, Comparison
from engine.comparison.pairs import compare_pairs, decision_words
from engine.comparison.protocols import differing_factors
from engine.comparison.subjects import find_subjects
from engine.evaluation.protocol import layers_of
from engine.evaluation.scores import score
from engine.store.reader import Reader
from engine.text import one_line
from engine.types import IMPORTED, Outcome, Score, Split

NO_ANSWERS = {
    Outcome.ERROR: "serving errors",
    Outcome.UNPARSEABLE: "without an answer",
    Outcome.CUT_OFF: "cut off",
}


def compare_in(
    reader: Reader,
    words: Sequence[int | str],
    wish: Wish,
    *,
    common: bool = False,
    seed: int = 0,
    resamples: int = 2000,
) -> Comparison:
    """Compare subjects; see `engine.api.compare`.

    Raises:
        OtherImagesError: there is no question on which all have the same images, and `common` is not wanted.
        JobError: a subject is not there, or was not measured on what is wanted.
        UsageError: the words don't say what to compare.
    """
    candidates = find_subjects(reader, words)
    choice = choose_evaluations(candidates, wish)
    loaded = load_outputs(reader, candidates, choice.rows)
    notes = [] if choice.same_cases else _require_common(loaded, choice, common)
    if not choice.same_cases:
        loaded = cut_to(loaded, shared_paths(loaded))
    row = choice.rows[0]
    pairs = compare_pairs(row.question, loaded, seed=seed, resamples=resamples)
    shorts = [each.short for each in loaded]
    notes += [f"Not measured in the same way: {each}." for each in differing_factors(choice.rows, shorts)]
    notes += _output_notes(loaded)
    return Comparison(
        dataset=row.dataset,
        question=row.question,
        split=Split(row.split),
        cases_fingerprint=row.cases_fingerprint if choice.same_cases else "",
        n=len(loaded[0].outputs),
        decision=decision_words(row.question, pairs),
        subjects=tuple(_subject(reader, each, stored=choice.same_cases) for each in loaded),
        pairs=tuple(pairs),
        notes=tuple(notes),
        others=choice.others,
    )


def _require_common(loaded: Sequence[Loaded], choice: Choice, common: bool) -> list[str]:
    """A loud note; or a refusal where the images that all share were not asked for, or there are none."""
    shared, row = len(shared_paths(loaded)), choice.rows[0]
    what = f"{row.question} on {row.split}"
    if common and shared:
        counts = ", ".join(f"{one_line(each.short)} {each.measured:,}" for each in loaded)
        return [
            f"DIFFERENT IMAGES: only the {shared:,} that all were measured on are compared ({counts}). "
            "The figures are not those of the leaderboard."
        ]
    words = " ".join(_word(each) for each in loaded)
    step = (
        f"`sonotune compare {words} --question {row.question} --split {row.split} --measure` measures them all alike."
    )
    imported = any(each.candidate.run is not None and each.candidate.run.kind == IMPORTED for each in loaded)
    if imported:
        step = "Import predictions of the missing images as well: `sonotune predictions import`."
    if shared:
        step += f" With --common instead, only the {shared:,} common ones are compared."
    raise OtherImagesError(
        f"They were measured on different images ({one_line(what)})",
        counts_text(loaded, shared),
        step,
        question=row.question,
        split=Split(row.split),
        shared=shared,
        measurable=not imported,
    )


def _word(each: Loaded) -> str:
    run = each.candidate.run
    return str(run.id) if run is not None else one_line(each.candidate.word)


def _output_notes(loaded: Sequence[Loaded]) -> list[str]:
    """Outputs that are no answers count as not right: say how many there are, where there are any."""
    notes = []
    for each in loaded:
        counts = Counter(output.outcome for output in each.outputs)
        parts = [f"{words}: {counts[outcome]:,}" for outcome, words in NO_ANSWERS.items() if counts[outcome]]
        if parts:
            total = f"of {len(each.outputs):,} outputs"
            notes.append(f"{one_line(each.short)}: {', '.join(parts)}, {total}; they count as not right.")
    unscored = sum(output.outcome is Outcome.UNSCORED for output in loaded[0].outputs)
    if unscored:
        notes.append(f"Left out because their target can't be read: {unscored:,} images.")
    return notes


def _subject(reader: Reader, each: Loaded, *, stored: bool) -> ComparedSubject:
    """Figures as they were stored; on other images than those of the evaluation they are computed anew."""
    row, run = each.row, each.candidate.run
    return ComparedSubject(
        title=each.candidate.title,
        short=each.short,
        evaluation=row.id,
        run=row.run_id,
        reference=row.reference,
        name=row.name if run is None else run.name,
        model=row.model,
        measured=each.measured,
        threshold=row.threshold,
        threshold_source=row.threshold_source,
        protocol_fingerprint=row.protocol_fingerprint,
        scores=tuple(reader.scores(row.id) if stored else _scores(reader, each)),
        outcomes={str(outcome): count for outcome, count in Counter(one.outcome for one in each.outputs).items()},
        marks=tuple(reader.marks([row.id])),
    )


def _scores(reader: Reader, each: Loaded) -> list[Score]:
    paths = {output.path for output in each.outputs}
    kept = [prediction for prediction in reader.predictions(each.row.id) if prediction.path in paths]
    return score(each.row.question, kept, each.row.threshold, layers_of(each.row.protocol))
