"""From entries to predictions: each is matched to a case of the dataset, and held against its target."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from engine.data.importers.naming import file_key, name_key
from engine.data.labels import target_text
from engine.data.paths import storable
from engine.evaluation.imported.reading import Line, Rejected
from engine.evaluation.judging import judge
from engine.questions.normalise.layers import ALL_LAYERS, Layers
from engine.questions.reading import Status
from engine.questions.serving_errors import Compiled
from engine.types import Case, Outcome, Prediction, Split


@dataclass(slots=True)
class Matched:
    """What became of the entries of a file."""

    predictions: dict[tuple[str, Split], list[tuple[Case, Prediction]]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """By question and split; one a case."""
    rejected: list[Rejected] = field(default_factory=list)
    tolerated: Counter[str] = field(default_factory=Counter)
    """What had to be forgiven in image paths, with how often."""
    on_training: int = 0
    """Entries on training images: a model may have learned them, so they are not scored."""
    repeats: int = 0
    """Entries that say again, word for word and with the same probability, what another one says."""


class CaseIndex:
    """Finds cases by the paths that another tool writes: exact, below some folder, or spelled a little differently."""

    def __init__(self, cases: Sequence[Case]) -> None:
        self._exact = {case.path: case for case in cases}
        self._keys: dict[tuple[str, ...], list[Case]] = defaultdict(list)
        for case in cases:
            self._keys[_key(case.path)].append(case)

    def find(self, path: str) -> tuple[Case, str] | str:
        """The case and what had to be forgiven ("" for an exact path), or why there is none."""
        parts = path.split("/")
        for start in range(len(parts) - 1):
            case = self._exact.get("/".join(parts[start:]))
            if case is not None:
                return case, "folders in front of the view" if start else ""
        for start in range(len(parts) - 1):
            found = self._keys.get(_key("/".join(parts[start:])), [])
            if len(found) > 1:
                return f"{len(found)} images of the dataset fit this path"
            if found:
                return found[0], "spelling of the path"
        return "the dataset has no such image"


def _key(path: str) -> tuple[str, ...]:
    *folders, name = path.split("/")
    return (*(name_key(folder) for folder in folders), file_key(name))


def match_predictions(
    lines: Iterable[Line | Rejected], cases: Sequence[Case], errors: Compiled | None, layers: Layers = ALL_LAYERS
) -> Matched:
    """Match the entries of a file to cases; where two entries disagree about one case and question, none is used.

    Args:
        lines: of the file.
        cases: of the dataset.
        errors: patterns of serving errors; None for the usual ones.
        layers: of normalisation, with which predictions are held against their targets.
    """
    index = CaseIndex(cases)
    matched = Matched()
    said: dict[tuple[str, str], list[tuple[Case, Line]]] = defaultdict(list)
    for line in lines:
        if isinstance(line, Rejected):
            matched.rejected.append(line)
            continue
        found = index.find(line.path)
        if isinstance(found, str):
            matched.rejected.append(Rejected(line.number, storable(line.path), found))
            continue
        case, forgiven = found
        matched.tolerated.update([forgiven] if forgiven else [])
        said[case.path, line.question].append((case, line))
    for (_, question), entries in said.items():
        _take(matched, question, entries, errors, layers)
    matched.rejected.sort(key=lambda each: each.number)
    for rows in matched.predictions.values():
        rows.sort(key=lambda row: row[0].path)
    return matched


def _take(
    matched: Matched, question: str, entries: Sequence[tuple[Case, Line]], errors: Compiled | None, layers: Layers
) -> None:
    case, line = entries[0]
    if len({(each.text, each.error, each.cut_off, each.p_abnormal) for _, each in entries}) > 1:
        reason = f"{len(entries)} different predictions for {question} of this image; none is used"
        matched.rejected.append(Rejected(line.number, storable(line.path), reason))
        return
    matched.repeats += len(entries) - 1
    target = target_text(case.answers, question)
    if target is None:
        reason = f"the dataset has no answer to {question} for this image"
        matched.rejected.append(Rejected(line.number, storable(line.path), reason))
    elif case.split is Split.TRAIN:
        matched.on_training += 1
    else:
        said = _prediction(case, question, target, line, errors, layers)
        matched.predictions[question, case.split].append((case, said))


def _prediction(
    case: Case, question: str, target: str, line: Line, errors: Compiled | None, layers: Layers
) -> Prediction:
    judged = judge(question, line.text, target, cut_off=line.cut_off, errors=errors, layers=layers)
    if line.error:
        judged = replace(judged, parsed=Status.UNPARSEABLE.value, outcome=Outcome.ERROR)
    return Prediction(
        path=case.path,
        view=case.view,
        question=question,
        target=target,
        raw_output=line.text,
        parsed=judged.parsed,
        target_parsed=judged.target_parsed,
        correct=judged.correct,
        p_abnormal=None if judged.outcome is Outcome.ERROR else line.p_abnormal,  # an error has none
        probabilities={},
        cut_off=line.cut_off,
        latency_seconds=0.0,
        generated_tokens=0,
        outcome=judged.outcome,
    )
