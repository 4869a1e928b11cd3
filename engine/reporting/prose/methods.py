"""The methods: data, split, prompt, decoding, scoring, statistics, in sentences with the values that were used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.reporting.document.blocks import Block, Code, Heading, Listing, Paragraph, Row, Table, Verbatim, Words
from engine.reporting.model import Data, Method, Report
from engine.reporting.names import counted, listed, measure_title, question_title, subject_title
from engine.text import one_line
from engine.types import Reference

KINDS = {
    "phantoms": "drawn ultrasound phantoms",
    "jsonl": "a chat JSONL file with images",
    "sharegpt": "a ShareGPT JSON file with images",
    "sheet": "an Excel sheet of annotations with view folders",
    "huggingface": "a Hugging Face datasets folder",
}
"""What an importer reads, in words."""
NORMALITY = "Q7"


def data_blocks(report: Report) -> list[Block]:
    """Dataset, split and what the quality check found."""
    data = report.data
    blocks: list[Block] = [Heading(3, "Data"), Paragraph(_dataset(data))]
    if data.known and data.counts:
        rows = [
            Row([count.split, *(f"{value:,}" for value in (count.images, count.normal, count.abnormal, count.other))])
            for count in data.counts
        ]
        heads = ["split", "images", "normal", "abnormal", "unclear or without an answer"]
        blocks.append(Table("Images by split and by what their answer to Q7 says.", heads, rows))
    blocks.append(Paragraph(_split(report)))
    if data.findings:
        blocks += [Paragraph(["The quality check of the dataset found:"]), Listing([[each] for each in data.findings])]
    elif data.findings is not None:
        blocks.append(Paragraph(["The quality check of the dataset found nothing to report."]))
    return blocks


def _dataset(data: Data) -> Words:
    source = f"The dataset {data.name} was imported from {KINDS.get(data.kind, data.kind)}."
    words: list[str | Code] = [source if data.kind else f"The dataset is {data.name}."]
    if data.known:
        left = (
            f"; {counted(data.problems, 'entry', 'entries')} of the source could not be used" if data.problems else ""
        )
        words.append(f" It holds {counted(data.images, 'image')} of {counted(data.views, 'view')}{left}.")
    else:
        words.append(
            " The workspace no longer has it as it was when this was measured, so its composition is not given here."
        )
    if data.fingerprint:
        words += [" Fingerprint of image bytes, questions and answers (SHA-256): ", Code(data.fingerprint), "."]
    return words


def _split(report: Report) -> Words:
    data, group = report.data, report.group
    words: list[str | Code] = []
    if data.known:
        words.append(_how_split(data))
    if data.split_fingerprint:
        words += ["Fingerprint of the split: ", Code(data.split_fingerprint), ". "]
    cases = counted(group.n, "case")
    sample = (
        f", a sample of at most {report.method.case_limit:,} drawn by view and verdict,"
        if report.method.case_limit
        else ""
    )
    words.append(
        f"This page is about {cases}{sample} of its {group.split} split; fingerprint of images, questions and targets: "
    )
    return [*words, Code(group.cases_fingerprint), "."]


def _how_split(data: Data) -> str:
    if data.options.get("split_file"):
        return f"The split was given in the file {one_line(data.options['split_file'])}. "
    shares = _numbers(data.options.get("shares"))
    parts = f" of {' / '.join(f'{100 * share:g}' for share in shares)} %" if shares else ""
    together = "images with the same bytes share a split"
    if data.options.get("kept_together"):
        together = "identical images and near-duplicates share a split"
    return (
        f"Split into train, validation and test{parts} with seed {data.split_seed}, stratified by view and verdict; "
        f"{together}. "
    )


def _numbers(values: Any) -> list[float]:
    """Numbers as the importer wrote them; none where another program wrote something else."""
    found = [value for value in values if isinstance(value, int | float)] if isinstance(values, list | tuple) else []
    return found if len(found) == 3 else []


def measuring_blocks(report: Report) -> list[Block]:
    """Prompt, decoding, label scoring, thresholds, references."""
    method, question = report.method, report.group.question
    size = f" with a longest side of {method.image_size:,} px" if method.image_size else ""
    blocks: list[Block] = [
        Heading(3, "Prompt, decoding and reading"),
        Paragraph([f"Every image was shown{size} with this prompt (wording “{method.prompt}”), verbatim:"]),
        Verbatim(method.prompt_text or "(not recorded)"),
        Paragraph(_decoding(method)),
    ]
    if question != NORMALITY:
        blocks.append(Paragraph([_comparing(method)]))
    if method.candidates:
        blocks += [
            Paragraph(
                [
                    f"P(abnormal) comes from label scoring over {len(method.candidates)} candidate answers: the "
                    "log-likelihood of each whole answer, end token included and without normalisation by length; a "
                    "softmax over the candidates; and the sum over those that say abnormal. The candidates, taken from "
                    "the answers of the training split:"
                ]
            ),
            Verbatim("\n".join(method.candidates)),
        ]
    if question == NORMALITY:
        blocks.append(_thresholds(report))
    blocks.append(Listing([[sentence] for sentence in _references(report)]))
    prints: Words = ["Fingerprint of all of this, the protocol: ", Code(report.group.protocol_fingerprint), "."]
    return [*blocks, Paragraph(prints)]


def _decoding(method: Method) -> Words:
    longest = f", at most {method.max_new_tokens:,} new tokens" if method.max_new_tokens else ""
    versions = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in sorted(method.versions.items()))
    reading = f"Versions: {versions}. " if versions else ""
    return [
        f"Decoding: {method.decoding}{longest}. {reading}An output that is a server's error message, that was cut off "
        "before it was right, or in which no answer is found is counted apart and is never right."
    ]


def _comparing(method: Method) -> str:
    if not method.layers:
        return "Answers and targets were compared as they are written, without any normalisation."
    layers = f"layer{'s' if len(method.layers) > 1 else ''} {listed(method.layers)}"
    return f"Answers and targets were compared after these {layers} of normalisation; raw texts are kept."


def _thresholds(report: Report) -> Table:
    rows = [
        Row(
            [
                subject_title(subject),
                "–" if subject.threshold is None else f"{subject.threshold:.4g}",
                one_line(subject.threshold_source or "–"),
            ],
            subject.reference is not None,
        )
        for subject in report.subjects
    ]
    return Table(
        "P(abnormal) from which a case is called abnormal, and where that was chosen.",
        ["subject", "threshold", "chosen on"],
        rows,
        words=(2,),
    )


_REFERENCE_SENTENCES: Mapping[str, str] = {
    Reference.MAJORITY: "Majority class: the most frequent answer of the training split, given to every image.",
    Reference.MAJORITY_BY_VIEW: "Majority by view: the most frequent answer of the image's view in the training split.",
    Reference.SHUFFLED: "Shuffled answers: the annotated answers, dealt to the wrong images with a fixed seed.",
    Reference.BASE: "Untuned base: the same model without an adapter, measured in the same way.",
}


def _references(report: Report) -> list[str]:
    there = {subject.reference for subject in report.references}
    sentences = [sentence for reference, sentence in _REFERENCE_SENTENCES.items() if reference in there]
    if any(subject.grey_evaluation is not None for subject in report.subjects):
        sentences.append(
            "Grey images: the same questions with a plain grey image in place of each, at the same threshold; a model "
            "that looks must do worse on them."
        )
    return sentences


def statistics_blocks(report: Report) -> list[Block]:
    """Intervals, tests, the measure that decides."""
    resamples = f"{report.method.resamples:,} resamples"
    sentences = [
        "All intervals are 95 % intervals. Proportions (accuracy, sensitivity, specificity and rates) have Wilson "
        "intervals.",
        f"Balanced accuracy, MCC, AUROC, Brier score and calibration error have percentile intervals of a bootstrap "
        f"with {resamples}, stratified by class."
        if report.group.question == NORMALITY
        else f"Means over images have percentile intervals of a bootstrap over images with {resamples}.",
        f"The measure that decides, {measure_title(report.primary)}, was fixed for "
        f"{question_title(report.group.question)} before anything was measured.",
    ]
    if report.pairs:
        family = max(pair.family for pair in report.pairs)
        sentences += [
            f"Comparisons are paired, on the same images: exact McNemar test on right and not right; paired bootstrap "
            f"with {resamples} for the interval of a difference; an exact swap test for its p value, adjusted by Holm "
            f"over {counted(family, 'comparison')}.",
            "Two subjects are called distinguishable only where the interval of the difference excludes 0 and the "
            "adjusted p value is below 0.05.",
        ]
    return [Heading(3, "Statistics"), Paragraph([" ".join(sentences)])]


def libraries(versions: Mapping[str, str]) -> str:
    """`torch 2.11.0, transformers 5.17.0`."""
    return listed(f"{one_line(name)} {one_line(version)}" for name, version in sorted(versions.items()))
