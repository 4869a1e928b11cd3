from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from engine.data.importers.phantoms import import_phantoms
from engine.data.manifest import open_dataset
from engine.data.phantoms import VIEWS, answers, describe, render
from engine.data.phantoms.labels import VOCABULARY, week_bin
from engine.questions.parsing import parse_normality
from engine.types import QUESTION_IDS, Case, Split, Verdict
from engine.workspace import Workspace

THUMBNAIL = (16, 16)


def test_the_same_seed_draws_the_same_pixels() -> None:
    first, labels = render(7, view="Thorax", abnormal=True, size=96)
    again, same = render(7, view="Thorax", abnormal=True, size=96)
    assert np.array_equal(first, again)
    assert labels == same
    assert not np.array_equal(first, render(8, view="Thorax", abnormal=True, size=96)[0])


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("abnormal", [False, True])
def test_every_view_has_both_variants_with_eight_answers(view: str, abnormal: bool) -> None:
    pixels, labels = render(3, view=view, abnormal=abnormal, size=96)
    assert pixels.shape == (96, 96)
    assert 5 < pixels.mean() < 160
    sheet = answers(labels)
    assert tuple(sheet) == QUESTION_IDS
    assert all(sheet.values())
    assert parse_normality(sheet["Q7"]) == (Verdict.ABNORMAL if abnormal else Verdict.NORMAL)
    assert describe(labels) in sheet["Q1"]


def test_all_quality_tiers_and_findings_occur() -> None:
    drawn = [render(seed, size=32)[1] for seed in range(300)]
    assert {labels.quality for labels in drawn} == {"Good", "Medium", "Low"}
    found = {(labels.view, labels.finding) for labels in drawn if labels.abnormal}
    assert found == {(view, finding) for view, words in VOCABULARY.items() for finding in words.findings}
    assert {labels.finding for labels in drawn if not labels.abnormal} == {""}


def test_noise_grows_as_quality_falls() -> None:
    black: dict[str, list[float]] = {"Good": [], "Medium": [], "Low": []}
    for seed in range(60):
        pixels, labels = render(seed, view="NT-View", size=64)
        black[labels.quality].append(float(np.percentile(pixels[20:50, 16:48], 5)))
    assert np.mean(black["Good"]) < np.mean(black["Low"])


@pytest.mark.parametrize(("weeks", "expected"), [(11.0, "8-13 weeks"), (13.0, "13-15 weeks"), (40.0, "38+ weeks")])
def test_weeks_fall_into_the_bins_of_the_sheet(weeks: float, expected: str) -> None:
    assert week_bin(weeks) == expected


def features(case: Case) -> NDArray[np.float64]:
    """A 16 x 16 thumbnail, a histogram and global statistics: all that a lazy classifier would look at."""
    image = Image.open(case.file).convert("L")
    pixels = np.asarray(image, float)
    small = np.asarray(image.resize(THUMBNAIL, Image.Resampling.BOX), float)
    histogram = np.histogram(pixels, bins=16, range=(1, 256))[0] / pixels.size
    figures = [pixels.mean(), pixels.std(), (pixels < 10).mean(), *np.percentile(pixels, [5, 25, 50, 75, 95])]
    return np.concatenate([small.ravel() / 255, histogram, np.asarray(figures) / 255])


@pytest.mark.long
def test_a_thumbnail_does_not_tell_normal_from_abnormal(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    import_phantoms(workspace, count=2400, size=160, abnormal_share=0.25)
    dataset = open_dataset(workspace, "phantoms")
    train, test = dataset.cases(Split.TRAIN), dataset.cases(Split.TEST)
    assert len(test) == 240
    seen, unseen = (np.stack([features(case) for case in cases]) for cases in (train, test))

    def fitted(labels: list[str], strength: float) -> LogisticRegression:
        return make_pipeline(StandardScaler(), LogisticRegression(C=strength, max_iter=2000)).fit(seen, labels)

    verdicts, truth = ([parse_normality(case.answers["Q7"]) for case in cases] for cases in (train, test))
    for strength in (0.001, 0.01, 0.1, 1.0):
        model = fitted([str(verdict) for verdict in verdicts], strength)
        abnormal = model.predict_proba(unseen)[:, list(model.classes_).index("abnormal")]
        assert roc_auc_score([verdict == Verdict.ABNORMAL for verdict in truth], abnormal) < 0.65
    # The same features are good enough for an easy question, so the figure above is no accident of bad features.
    views = fitted([case.view for case in train], 0.01)
    assert views.score(unseen, [case.view for case in test]) > 0.9
