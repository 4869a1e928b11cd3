"""The short list: what a person should know of a dataset before trusting a figure, by how much it matters."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

from engine.data.manifest import ViewCount
from engine.data.quality.duplicates import NearDuplicates, Pair
from engine.data.quality.model import AnswerReport, ImageReport, QualityFinding, Severity
from engine.data.quality.signature import BLANK_DEVIATION, TINY_SIDE
from engine.types import Split

FEW_ABNORMAL = 3
"""Abnormal cases of a view below which its sensitivity says nothing."""
EXAMPLES = 5


def find(
    name: str, counts: Sequence[ViewCount], answers: AnswerReport, images: ImageReport, duplicates: NearDuplicates
) -> tuple[QualityFinding, ...]:
    """All findings on the dataset `name`: errors, warnings, notes; within each in the order of the functions below."""
    found = [
        *_of_images(name, images),
        *_of_duplicates(name, duplicates),
        *_of_answers(name, answers),
        *_of_classes(counts),
    ]
    return tuple(sorted(found, key=lambda finding: list(Severity).index(finding.severity)))


def _of_images(name: str, images: ImageReport) -> Iterator[QualityFinding]:
    if images.unreadable:
        yield QualityFinding(
            Severity.ERROR,
            "unreadable",
            f"{_many(len(images.unreadable), 'image')} cannot be decoded.",
            "Training and evaluation would stop at the first of them.",
            "Replace the files, then import the dataset again.",
            len(images.unreadable),
            tuple(f"{fault.path}: {fault.reason}" for fault in images.unreadable[:EXAMPLES]),
        )
    if images.changed:
        yield QualityFinding(
            Severity.ERROR,
            "changed",
            f"{_many(len(images.changed), 'file')} changed since the import.",
            "Figures would be recorded for content that is not there any more.",
            "Bring the files back, or import the dataset again.",
            len(images.changed),
            tuple(f"{fault.path}: {fault.reason}" for fault in images.changed[:EXAMPLES]),
        )
    if images.unchecked:
        yield QualityFinding(
            Severity.WARNING,
            "unchecked",
            f"{_many(images.unchecked, 'image')} not checked yet: {images.status.describe()}.",
            "Damaged, blank and duplicate images among them are not known.",
            f"Run `sonotune data check {name}`.",
            images.unchecked,
        )
    if images.blank:
        yield QualityFinding(
            Severity.WARNING,
            "blank",
            f"{_many(len(images.blank), 'image')} blank (grey levels vary by less than {BLANK_DEVIATION:g} of 256).",
            "Their answers cannot be seen in them: a model can only guess from the prompt.",
            "Replace or remove them.",
            len(images.blank),
            images.blank[:EXAMPLES],
        )
    if images.tiny:
        yield QualityFinding(
            Severity.WARNING,
            "tiny",
            f"{_many(len(images.tiny), 'image')} smaller than {TINY_SIDE} pixels on a side.",
            "The model sees less than two patches of them; thumbnails may have been exported instead of images.",
            "Export them in full size, or remove them.",
            len(images.tiny),
            images.tiny[:EXAMPLES],
        )


def _of_duplicates(name: str, duplicates: NearDuplicates) -> Iterator[QualityFinding]:
    if duplicates.exact_crossing:
        yield QualityFinding(
            Severity.ERROR,
            "duplicates_cross",
            f"{_many(duplicates.exact_crossing, 'pair')} of equal images in different splits.",
            "What is measured on the one was learnt from the other.",
            f"Run `sonotune data split {name}`: equal images then share a split.",
            duplicates.exact_crossing,
            _shown(duplicates.exact_pairs),
        )
    if duplicates.near_crossing:
        yield QualityFinding(
            Severity.ERROR,
            "near_duplicates_cross",
            f"{_many(duplicates.near_crossing, 'pair')} of near-duplicate images in different splits.",
            "Two frames of one examination in train and test make figures look better than they are.",
            f"Run `sonotune data split {name}`: near-duplicates then share a split.",
            duplicates.near_crossing,
            _shown(duplicates.pairs),
        )
    if duplicates.chains:
        yield QualityFinding(
            Severity.WARNING,
            "chains",
            f"{_many(len(duplicates.chains), 'chain')} of near-duplicates too long to stay together; "
            f"the longest has {duplicates.chains[0]:,} images.",
            "Each image resembles the next, so the whole chain would have to share a split. They were cut into "
            f"groups around their middle images; {_many(duplicates.cut_pairs, 'pair')} may be torn apart.",
            f"Split by examination with a split file: `sonotune data split {name} --from FILE`.",
            len(duplicates.chains),
        )
    if duplicates.exact:
        yield QualityFinding(
            Severity.NOTE,
            "duplicates",
            f"{_many(duplicates.exact, 'image')} repeat another one byte for byte.",
            "They count twice in every figure.",
            "Remove them if that is not meant.",
            duplicates.exact,
            _shown([pair for pair in duplicates.exact_pairs if not pair.crosses]),
        )
    together = duplicates.near - duplicates.near_crossing
    if together:
        yield QualityFinding(
            Severity.NOTE,
            "near_duplicates",
            f"{_many(together, 'pair')} of near-duplicate images that share a split.",
            "They are less evidence than as many independent images.",
            "Read intervals with that in mind.",
            together,
            _shown([pair for pair in duplicates.pairs if not pair.crosses]),
        )


def _of_answers(name: str, answers: AnswerReport) -> Iterator[QualityFinding]:
    by_question: dict[str, list[str]] = defaultdict(list)
    images: Counter[str] = Counter()
    for odd in answers.odd:
        by_question[odd.question].append(f"{odd.raw}: {odd.reason} ({odd.count}, such as {odd.examples[0]})")
        images[odd.question] += odd.count
    for question, lines in by_question.items():
        yield QualityFinding(
            Severity.WARNING,
            f"odd_{question}",
            f"{question}: {_many(images[question], 'answer')} that cannot be read.",
            "They are trained on as they stand, and can never be scored as right.",
            "Correct them in the source, then import again.",
            images[question],
            tuple(lines[:EXAMPLES]),
        )
    if answers.silent:
        yield QualityFinding(
            Severity.WARNING,
            "silent",
            f"{_many(len(answers.silent), 'image')} without any answer.",
            "They take part in no run and no figure.",
            "Annotate or remove them.",
            len(answers.silent),
            answers.silent[:EXAMPLES],
        )
    gaps = {question: count for question, count in answers.missing.items() if count > len(answers.silent)}
    if gaps:
        yield QualityFinding(
            Severity.NOTE,
            "missing",
            "Some questions are not answered for every image.",
            "Figures of different questions then rest on different images; the report prompt needs all eight.",
            "Complete the answers where the combined report is to be trained.",
            max(gaps.values()),
            tuple(f"{question}: {_many(count, 'image')}" for question, count in gaps.items()),
        )
    if answers.rare:
        yield QualityFinding(
            Severity.NOTE,
            "rare",
            f"{_many(len(answers.rare), 'answer')} that one or two images have.",
            "Often a common answer in another spelling.",
            f"Look through them: `sonotune data check {name} --section rare`.",
            len(answers.rare),
            tuple(
                f"{rare.question}: {rare.raw}" + (f" (near: {rare.nearest})" if rare.nearest else "")
                for rare in answers.rare[:EXAMPLES]
            ),
        )


def _of_classes(counts: Sequence[ViewCount]) -> Iterator[QualityFinding]:
    normal, abnormal = _totals(counts, "normal"), _totals(counts, "abnormal")
    answered = sum(normal.values()) + sum(abnormal.values())
    if not answered:
        return
    for split in Split:
        if any(count.split == split for count in counts) and not abnormal[split]:
            yield QualityFinding(
                Severity.WARNING,
                f"no_abnormal_{split}",
                f"No abnormal image in {split}.",
                "Sensitivity and AUROC are undefined there.",
                "Split again, or annotate more abnormal cases.",
                0,
            )
    views: Counter[str] = Counter()
    for count in counts:
        views[count.view] += count.abnormal
    few = {view: number for view, number in sorted(views.items()) if number < FEW_ABNORMAL}
    if few:
        yield QualityFinding(
            Severity.WARNING,
            "few_abnormal",
            f"{_many(len(few), 'view')} with fewer than {FEW_ABNORMAL} abnormal cases.",
            "No figure can say whether a model finds anything there.",
            "Collect abnormal cases of these views, or make no claim about them.",
            len(few),
            tuple(f"{view}: {number}" for view, number in few.items()),
        )
    share = max(sum(normal.values()), sum(abnormal.values())) / answered
    word = "normal" if sum(normal.values()) >= sum(abnormal.values()) else "abnormal"
    yield QualityFinding(
        Severity.NOTE,
        "majority",
        f"Always answering {word} would be right for {100 * share:.1f} % of the images.",
        "An accuracy below or near that says nothing; look at sensitivity and balanced accuracy.",
        "Compare every run with the majority row of the leaderboard.",
        answered,
        tuple(f"{split}: {normal[split]:,} normal, {abnormal[split]:,} abnormal" for split in Split),
    )


def _totals(counts: Sequence[ViewCount], verdict: str) -> Counter[Split]:
    totals: Counter[Split] = Counter()
    for count in counts:
        totals[count.split] += getattr(count, verdict)
    return totals


def _shown(pairs: Sequence[Pair]) -> tuple[str, ...]:
    return tuple(
        f"{pair.path_a} ({pair.split_a}) and {pair.path_b} ({pair.split_b})"
        + ("" if pair.exact else f", similarity {pair.similarity:.2f}")
        for pair in pairs[:EXAMPLES]
    )


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}" + ("" if count == 1 else "s")
