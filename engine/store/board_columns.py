"""The columns that a leaderboard can have: what they are called, what they hold, and which direction is better."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from engine.filtering import Kind


class Unit(StrEnum):
    """How the values of a column are to be read and shown."""

    TEXT = "text"
    TAGS = "tags"
    """Words, joined by `, `."""
    NUMBER = "number"
    SCORE = "score"
    """A figure with its 95 % interval and its n: four values in a row."""
    DURATION = "duration"
    """Seconds."""
    BYTES = "bytes"
    RATE = "rate"
    """Something a second."""
    TIME = "time"
    """Unix seconds."""


class Better(StrEnum):
    """Which values of a column are better."""

    HIGHER = "higher"
    LOWER = "lower"
    NEITHER = ""


@dataclass(frozen=True, slots=True)
class BoardColumn:
    """One column of the leaderboard."""

    name: str
    """As filters, sorting and exports name it; that of a view is untrusted text."""
    title: str
    short: str
    """Title for a narrow head, at most twelve characters but for views."""
    unit: Unit
    better: Better
    description: str
    default: bool = False
    """Shown where no columns are asked for."""
    scope: str = ""
    """Of a score: `all`, or `view:NAME`."""
    score: str = ""
    """Of a score: its name in the table."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Names of its values in a row, one after the other."""
        if self.unit is not Unit.SCORE:
            return (self.name,)
        return self.name, f"{self.name}_low", f"{self.name}_high", f"{self.name}_n"

    @property
    def kinds(self) -> dict[str, Kind]:
        """What a filter may ask of each of its fields."""
        if self.unit is not Unit.SCORE:
            return {self.name: _KINDS[self.unit]}
        # Of a score that is not known here nobody knows the range.
        share = Kind.SHARE if self.score in BOARD_COLUMNS else Kind.NUMBER
        return dict(zip(self.fields, (share, share, share, Kind.NUMBER), strict=True))


_KINDS: Mapping[Unit, Kind] = {
    Unit.TEXT: Kind.TEXT,
    Unit.TAGS: Kind.TAGS,
    Unit.NUMBER: Kind.NUMBER,
    Unit.DURATION: Kind.DURATION,
    Unit.BYTES: Kind.BYTES,
    Unit.RATE: Kind.NUMBER,
    Unit.TIME: Kind.TIME,
}


def _text(name: str, title: str, description: str, *, default: bool = False) -> BoardColumn:
    return BoardColumn(name, title, title, Unit.TEXT, Better.NEITHER, description, default)


def _score(name: str, title: str, short: str, description: str, better: Better = Better.HIGHER) -> BoardColumn:
    default = name in _DEFAULT_SCORES
    return BoardColumn(name, title, short, Unit.SCORE, better, description, default, "all", name)


_DEFAULT_SCORES = ("balanced_accuracy", "sensitivity", "specificity", "auroc", "mcc")
"""Of Q7; see `default_columns` for the other questions."""
_HIGHER, _LOWER, _NEITHER = Better.HIGHER, Better.LOWER, Better.NEITHER

_COLUMNS = (
    _text("name", "run", "Name of the run, or of the reference.", default=True),
    BoardColumn(
        "marks", "marks", "marks", Unit.TAGS, _NEITHER, "What to know before believing the row: collapsed ...", True
    ),
    _text("mark_details", "marks say", "One sentence for each mark, with the figures."),
    BoardColumn("run", "number", "number", Unit.NUMBER, _NEITHER, "Number of the run."),
    _text("model", "model", "Base model.", default=True),
    _text("state", "state", "State of the run now; its measurement has succeeded."),
    BoardColumn("study", "study", "study", Unit.TAGS, _NEITHER, "Studies that the run belongs to."),
    BoardColumn("tags", "tags", "tags", Unit.TAGS, _NEITHER, "Tags of the run."),
    BoardColumn("notes", "notes", "notes", Unit.NUMBER, _NEITHER, "How many notes people wrote about the run."),
    _text("backend", "backend", "Library that trained the run."),
    _text("quantization", "precision", "Precision of the frozen base: none or 4bit."),
    _text("prompt", "prompt", "Wording of the question."),
    BoardColumn("seed", "seed", "seed", Unit.NUMBER, _NEITHER, "Seed of the training."),
    BoardColumn("n", "cases", "n", Unit.NUMBER, _NEITHER, "Cases measured."),
    _score("balanced_accuracy", "balanced accuracy", "bal. acc.", "Mean of sensitivity and specificity."),
    _score("sensitivity", "sensitivity", "sens.", "Share of the abnormal cases that are called abnormal."),
    _score("specificity", "specificity", "spec.", "Share of the normal cases that are called normal."),
    _score("auroc", "AUROC", "AUROC", "Area under the ROC curve of P(abnormal)."),
    _score("mcc", "MCC", "MCC", "Matthews correlation coefficient, -1 to 1."),
    _score("accuracy", "accuracy", "acc.", "Share of the cases that are right; the majority class can be high."),
    _score("text_balanced_accuracy", "text balanced accuracy", "text bal.", "As the generated text says it."),
    _score("text_sensitivity", "text sensitivity", "text sens.", "As the generated text says it."),
    _score("text_specificity", "text specificity", "text spec.", "As the generated text says it."),
    _score("text_accuracy", "text accuracy", "text acc.", "As the generated text says it."),
    _score("f2", "set F2", "F2", "Mean F-beta of the named structures; beta 2 weighs recall."),
    _score("f1", "set F1", "F1", "Mean F1 of the named parameters."),
    _score("set_precision", "set precision", "set prec.", "Mean share of what was named that is there."),
    _score("set_recall", "set recall", "set rec.", "Mean share of what is there that was named."),
    _score("keyword_agreement", "keyword agreement", "keywords", "Mean overlap of the words that carry meaning."),
    _score("within_one_bin", "within one bin", "+-1 bin", "Share of ages at most one bin away."),
    _score("macro_recall", "macro recall", "macro rec.", "Mean recall of the tiers: the frequent one cannot flatter."),
    _score("chrf", "chrF", "chrF", "Mean overlap of characters with the annotated text."),
    _score("section_accuracy", "section accuracy", "sections", "Share of the report's eight sections that are right."),
    _score("completeness", "completeness", "complete", "Share of the report's eight sections that are there."),
    _score("coherence", "coherence", "coherence", "Share of the rules between answers that are kept."),
    _score("grey", "on grey images", "on grey", "The main figure with a grey image in place of each.", Better.NEITHER),
    _score("ece", "calibration error", "ECE", "Expected calibration error of P(abnormal).", _LOWER),
    _score("brier", "Brier score", "Brier", "Mean squared error of P(abnormal).", _LOWER),
    _score("error_rate", "serving error share", "errors %", "Share of outputs that are a server's error.", _LOWER),
    _score("cut_off_rate", "cut off share", "cut off %", "Share of outputs cut off before they were right.", _LOWER),
    _score("unclear_rate", "unclear share", "unclear %", "Share of answers that say it cannot be told.", _NEITHER),
    _score("unparseable_rate", "unparseable share", "unpars. %", "Share of answers without a verdict.", _LOWER),
    BoardColumn("threshold", "threshold", "threshold", Unit.NUMBER, _NEITHER, "P(abnormal) that counts as abnormal."),
    BoardColumn("threshold_source", "threshold from", "thr. from", Unit.TEXT, _NEITHER, "Where it was chosen."),
    BoardColumn("unparseable", "unparseable", "unpars.", Unit.NUMBER, _LOWER, "Answers without a verdict."),
    BoardColumn("errors", "serving errors", "errors", Unit.NUMBER, _LOWER, "Outputs that are a server's error."),
    BoardColumn("cut_off", "cut off", "cut off", Unit.NUMBER, _LOWER, "Answers that reached max_new_tokens."),
    BoardColumn("seconds_per_image", "seconds an image", "s/image", Unit.DURATION, _LOWER, "Time of the evaluation."),
    BoardColumn("tokens_per_second", "tokens/s", "tokens/s", Unit.RATE, _HIGHER, "Generated by the evaluation."),
    BoardColumn("train_seconds", "training", "training", Unit.DURATION, _LOWER, "Optimisation alone.", True),
    BoardColumn("samples_per_second", "samples/s", "samples/s", Unit.RATE, _HIGHER, "While training.", True),
    BoardColumn("peak_vram", "peak VRAM", "VRAM", Unit.BYTES, _LOWER, "Torch's peak; of the training for a run.", True),
    BoardColumn("peak_rss", "peak host memory", "RSS", Unit.BYTES, _LOWER, "Of the process that trained."),
    BoardColumn("final_loss", "final loss", "loss", Unit.NUMBER, _LOWER, "Training loss at the end."),
    BoardColumn("r", "LoRA rank", "r", Unit.NUMBER, _NEITHER, "Rank of the adapter matrices."),
    BoardColumn("alpha", "LoRA alpha", "alpha", Unit.NUMBER, _NEITHER, "Scale of the adapter."),
    BoardColumn("learning_rate", "learning rate", "lr", Unit.NUMBER, _NEITHER, "Highest learning rate."),
    BoardColumn("epochs", "epochs", "epochs", Unit.NUMBER, _NEITHER, "Passes over the training images."),
    BoardColumn("batch", "micro-batch", "batch", Unit.NUMBER, _NEITHER, "Samples in one forward pass."),
    BoardColumn("trained_parameters", "trained parameters", "params", Unit.NUMBER, _NEITHER, "Of the adapter."),
    BoardColumn("queued", "queued", "queued", Unit.TIME, _NEITHER, "When the run was asked for."),
)

BOARD_COLUMNS: Mapping[str, BoardColumn] = {column.name: column for column in _COLUMNS}
"""The columns that every group has, by name, in the order in which a person chooses from them."""

DEFAULT_COLUMNS = tuple(name for name, column in BOARD_COLUMNS.items() if column.default)

MAIN_SCORES: Mapping[str, tuple[str, ...]] = {
    "Q1": ("f2", "set_precision", "set_recall", "accuracy"),
    "Q2": ("accuracy", "keyword_agreement"),
    "Q3": ("accuracy", "keyword_agreement"),
    "Q4": ("f1", "accuracy"),
    "Q5": ("accuracy", "within_one_bin"),
    "Q6": ("macro_recall", "accuracy"),
    "Q7": _DEFAULT_SCORES,
    "Q8": ("accuracy", "chrf"),
    "report": ("section_accuracy", "completeness", "coherence"),
}
"""What is shown of each question; the first decides the order."""


def main_scores(question: str) -> tuple[str, ...]:
    """Names of the scores that are shown of a question, the one that decides the order first."""
    return MAIN_SCORES.get(question, _DEFAULT_SCORES)


def default_columns(question: str | None) -> tuple[str, ...]:
    """Names of the columns that a group of this question shows where none were chosen."""
    wanted = main_scores(question or "Q7")
    before = [name for name in DEFAULT_COLUMNS if name not in _DEFAULT_SCORES]
    place = before.index("train_seconds")
    return (*before[:place], *wanted, *before[place:])


def score_columns(scores: Iterable[tuple[str, str]]) -> list[BoardColumn]:
    """Columns for (scope, name) pairs that the fixed list lacks: scores of single views, and names not known here."""
    return [
        _view_score(scope, name) if scope != "all" else _unknown_score(name)
        for scope, name in scores
        if scope != "all" or name not in BOARD_COLUMNS
    ]


def view_column(name: str) -> BoardColumn | None:
    """The column that `view:NAME:SCORE` means, whether or not a group has such a view; None for other names."""
    scope, _, score = name.rpartition(":")
    known = BOARD_COLUMNS.get(score)
    if not scope.startswith("view:") or known is None or known.unit is not Unit.SCORE:
        return None
    return _view_score(scope, score)


def _view_score(scope: str, name: str) -> BoardColumn:
    known = BOARD_COLUMNS.get(name)
    view = scope.removeprefix("view:")
    title, short, better = (name, name, Better.NEITHER) if known is None else (known.title, known.short, known.better)
    description = f"On the images of the view {view} alone."
    return BoardColumn(
        f"{scope}:{name}", f"{title} on {view}", f"{view} {short}", Unit.SCORE, better, description, False, scope, name
    )


def _unknown_score(name: str) -> BoardColumn:
    title = name.replace("_", " ")
    return BoardColumn(name, title, title, Unit.SCORE, Better.NEITHER, "A score.", False, "all", name)
