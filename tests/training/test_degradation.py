"""Evaluations of degraded images, carried out by the real process on an untrained model of test size."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.api.case_subjects import case_evaluations
from engine.api.ledger import UnconfirmedTestError, require_purpose
from engine.api.measuring import Measurement
from engine.data.augmentation.degrading import DEGRADATIONS, SEVERITIES, degradation_id
from engine.data.importers.phantoms import import_phantoms
from engine.data.manifest import open_dataset
from engine.errors import JobError
from engine.evaluation.__main__ import main
from engine.evaluation.protocol import build_protocol
from engine.evaluation.showing import show
from engine.recipe import Recipe, recipe_json
from engine.store.reader import Reader
from engine.store.records import EvaluationRow
from engine.store.writer import Writer
from engine.training.pixels import Geometry, PixelStore
from engine.types import BLANK, Prediction, Score, Split, State
from engine.workspace import Workspace

GEOMETRY = Geometry(16, 2, 2, (0.5,) * 3, (0.5,) * 3, 1 / 255)
CLEAN, DEGRADED = None, "speckle:3"


@dataclass(frozen=True)
class Measured:
    row: EvaluationRow
    predictions: list[Prediction]
    scores: dict[str, Score]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("degraded")
    import_phantoms(Workspace(root), "phantoms", count=60, seed=1, abnormal_share=0.5, size=96, processes=1)
    return Workspace(root)


@pytest.fixture(scope="module")
def measured(workspace: Workspace, base_folder: Path) -> dict[str, Measured]:
    """Validation clean, then the test split clean, blank, degraded, degraded again, and in another way."""
    run_id = _untrained_run(workspace, base_folder)
    wanted = {
        "validation": (Split.VALIDATION, None), "clean": (Split.TEST, None), "blank": (Split.TEST, BLANK),
        "degraded": (Split.TEST, DEGRADED), "shadowed": (Split.TEST, "shadow:3"),
    }  # fmt: skip
    ids = {name: _queue(workspace, run_id, base_folder, *each) for name, each in wanted.items()}
    assert main([str(ids["clean"]), "--workspace", str(workspace.root)]) == 0  # and all others that wait
    ids["again"] = _queue(workspace, run_id, base_folder, Split.TEST, DEGRADED)
    assert main([str(ids["again"]), "--workspace", str(workspace.root)]) == 0
    with Reader(workspace) as reader:
        return {
            name: Measured(
                reader.evaluation(number),
                reader.predictions(number),
                {score.name: score for score in reader.scores(number) if score.scope == "all"},
            )
            for name, number in ids.items()
        }


def _untrained_run(workspace: Workspace, base_folder: Path) -> int:
    import torch
    from peft import LoraConfig, get_peft_model

    from engine.recipe import parse_recipe
    from engine.training.lora_targets import target_pattern
    from engine.training.model import load_base, save_adapter

    wanted: Recipe = parse_recipe(
        {"name": "tiny", "model": {"id": str(base_folder)}, "data": {"image_size": 96}, "lora": {"r": 4}}, "test"
    )
    record = open_dataset(workspace, "phantoms").record
    with Writer.open(workspace) as writer:
        run_id = writer.create_run(
            "tiny", recipe_json(wanted), "phantoms", record.fingerprint, record.split_fingerprint, wanted.model.id, 7
        )
    with Reader(workspace) as reader:
        directory = workspace.root / reader.run(run_id).directory
    directory.mkdir(parents=True)
    torch.manual_seed(0)
    pattern = target_pattern(vision=True, language=True, attention=True, mlp=True)
    base = load_base(str(base_folder), "none", torch.device("cpu"))
    config = LoraConfig(r=4, lora_alpha=16, target_modules=pattern, init_lora_weights=False)
    save_adapter(get_peft_model(base, config), directory / "adapter", "assets/base-model")
    return run_id


def _queue(workspace: Workspace, run_id: int, model: Path, split: Split, degradation: str | None) -> int:
    settings = json.dumps({"prompt": "detailed", "image_size": 96, "max_new_tokens": 4})
    with Writer.open(workspace) as writer:
        return writer.create_evaluation(
            run_id, None, str(model), "phantoms", split, "Q7", settings, "", "", False, degradation=degradation
        )


def _probabilities(measured: Measured) -> list[float]:
    return [each.p_abnormal or -1 for each in measured.predictions]


def test_all_of_them_are_measured_on_the_same_cases(measured: dict[str, Measured]) -> None:
    assert {each.row.state for each in measured.values()} == {State.SUCCEEDED}
    of_test = [measured[name] for name in ("clean", "blank", "degraded", "shadowed", "again")]
    assert len({tuple(sorted(each.path for each in one.predictions)) for one in of_test}) == 1
    assert len({one.row.cases_fingerprint for one in of_test}) == 1
    assert len({one.row.clean_protocol_fingerprint for one in of_test}) == 1
    assert len({one.row.protocol_fingerprint for one in of_test}) == 4  # both looks at one degradation are alike


def test_a_degraded_image_gets_another_probability_and_always_the_same(measured: dict[str, Measured]) -> None:
    clean, degraded, shadowed = (_probabilities(measured[name]) for name in ("clean", "degraded", "shadowed"))
    assert len(set(degraded)) > len(degraded) // 2  # one a picture, unlike the control
    assert all(seen != noisy for seen, noisy in zip(clean, degraded, strict=True))
    assert degraded != shadowed
    assert degraded == _probabilities(measured["again"])
    assert len(set(_probabilities(measured["blank"]))) == 1


def test_a_degraded_evaluation_is_timed_like_a_clean_one_and_takes_its_threshold(measured: dict[str, Measured]) -> None:
    degraded, validation = measured["degraded"].row, measured["validation"].row
    assert (degraded.seconds_per_image or 0) > 0
    assert (degraded.tokens_per_second or 0) > 0
    assert measured["blank"].row.seconds_per_image is None
    assert degraded.threshold == validation.threshold is not None
    assert degraded.threshold_source == f"validation, evaluation {validation.id}"


def test_only_grey_images_are_a_control(workspace: Workspace, measured: dict[str, Measured]) -> None:
    scores = measured["clean"].scores
    assert scores["grey"].value == measured["blank"].scores["balanced_accuracy"].value
    assert not {"grey"} & measured["degraded"].scores.keys()
    with Reader(workspace) as reader:
        kinds = {mark.kind for mark in reader.marks([measured["degraded"].row.id])}
    assert not kinds & {"blind", "below majority", "collapsed"}


def test_its_name_says_what_was_done_to_the_images(workspace: Workspace, measured: dict[str, Measured]) -> None:
    row = measured["degraded"].row
    assert row.title == "tiny on images with speckle, severity 3"
    assert measured["blank"].row.title == "tiny on grey images"
    names = [each.name for each in case_evaluations(workspace, measured["clean"].row.id)]
    assert {"tiny (grey images)", "tiny (images with speckle, severity 3)"} <= set(names)
    with Writer.open(workspace) as writer:
        waiting = writer.create_evaluation(
            row.run_id, None, row.model, "phantoms", Split.TEST, "Q7", "{}", "", "", False, degradation="low_gain:2"
        )
        with Reader(workspace) as reader:
            named = {job.id: job.name for job in reader.jobs() if job.kind == "evaluation"}[waiting]
            assert named == reader.evaluation(waiting).title == "tiny on images with low gain, severity 2"


def test_a_degraded_test_split_is_a_look_at_it_and_a_grey_one_is_not(workspace: Workspace) -> None:
    wanted = Measurement(
        dataset="phantoms", question="Q7", split=Split.TEST, prompt="detailed", image_size=96, max_new_tokens=4,
        case_limit=0, batch=4, quantization="none",
    )  # fmt: skip
    require_purpose(workspace, [replace(wanted, degradation=BLANK)], "")
    with pytest.raises(UnconfirmedTestError):
        require_purpose(workspace, [replace(wanted, degradation="blur:1")], "")


# ----- pictures


@pytest.mark.parametrize("degradation", [degradation_id(kind, each) for kind in DEGRADATIONS for each in SEVERITIES])
def test_every_degradation_changes_every_picture_and_keeps_its_size(workspace: Workspace, degradation: str) -> None:
    cases = open_dataset(workspace, "phantoms").cases(Split.TEST)[:2]
    shown = show(cases, _protocol(degradation), GEOMETRY)
    assert [[case.path for case in members] for members in shown.members] == [[case.path] for case in cases]
    clean = PixelStore([case.file for case in cases], 96, GEOMETRY)
    for place in range(len(cases)):
        ours, theirs = shown.pixels.patches(place), clean.patches(place)
        assert ours.values.shape == theirs.values.shape
        assert not np.array_equal(ours.values, theirs.values)


def test_pixels_depend_on_the_bytes_of_the_file_and_not_on_its_place(workspace: Workspace) -> None:
    first, second = open_dataset(workspace, "phantoms").cases(Split.TEST)[:2]
    here = show([first, second], _protocol("speckle:2"), GEOMETRY).pixels.patches(0)
    there = show([second, replace(first, path="elsewhere.png")], _protocol("speckle:2"), GEOMETRY).pixels.patches(1)
    assert np.array_equal(here.values, there.values)
    other = show([replace(first, sha256="0")], _protocol("speckle:2"), GEOMETRY).pixels.patches(0)
    assert not np.array_equal(here.values, other.values)


@pytest.mark.parametrize("unknown", ["speckle", "speckle:4", "speckle:02", "fog:1", "blank:1"])
def test_what_is_not_known_is_refused_with_all_that_is(workspace: Workspace, unknown: str) -> None:
    cases: list[Any] = open_dataset(workspace, "phantoms").cases(Split.TEST)[:1]
    with pytest.raises(JobError, match=f"no degradation {unknown}") as refused:
        show(cases, _protocol(unknown), GEOMETRY)
    assert all(kind in refused.value.reason for kind in DEGRADATIONS)


def _protocol(degradation: str) -> Any:
    build: Callable[..., Any] = build_protocol
    return build("Q7", "detailed", 96, 8, ["Normal"], degradation=degradation)
