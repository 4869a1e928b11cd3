"""Which answers of an earlier attempt may stay: decided without a model."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from store_helpers import add_evaluation, add_run, prediction

from engine.errors import JobError
from engine.evaluation.beginning import kept_of, why_anew
from engine.evaluation.finishing import complete
from engine.evaluation.identity import Identity, base_fingerprint
from engine.store.reader import Reader
from engine.store.records import EvaluationRow
from engine.store.writer import Writer
from engine.types import Outcome
from engine.workspace import Workspace

DETAILS = {"base": "b" * 64, "quantization": "4bit", "device": "cuda", "libraries": "torch 2.11.0"}
IDENTITY = Identity("a" * 64, DETAILS, is_known=True)
FINGERPRINTS = {
    "protocol_fingerprint": "p",
    "cases_fingerprint": "c",
    "dataset_fingerprint": "d",
    "split_fingerprint": "s",
}


@pytest.fixture
def row(tmp_path: Path) -> EvaluationRow:
    """As an attempt under `IDENTITY` has left it."""
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer:
        number = add_evaluation(writer, add_run(writer))
        protocol = json.dumps({"prompt": "detailed", "subject": DETAILS})
        writer.begin_evaluation(number, protocol=protocol, subject_sha256="a" * 64, **FINGERPRINTS)
        with Reader(workspace) as reader:
            return reader.evaluation(number)


def test_the_same_asked_of_the_same_goes_on(row: EvaluationRow) -> None:
    assert why_anew(row, FINGERPRINTS, IDENTITY) == ""


@pytest.mark.parametrize("name", FINGERPRINTS)
def test_nothing_is_kept_of_another_question(row: EvaluationRow, name: str) -> None:
    assert why_anew(row, {**FINGERPRINTS, name: "x"}, IDENTITY).endswith("changed")
    assert why_anew(replace(row, **{name: ""}), FINGERPRINTS, IDENTITY)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", DETAILS)
def test_nothing_is_kept_of_another_model(row: EvaluationRow, name: str) -> None:
    other = replace(IDENTITY, details={**DETAILS, name: "another"})
    assert why_anew(row, FINGERPRINTS, other) == f"this has changed: {name}"


def test_an_adapter_is_known_by_its_hash_and_a_base_has_none(row: EvaluationRow) -> None:
    base = replace(IDENTITY, adapter_sha256=None)
    assert why_anew(row, FINGERPRINTS, replace(IDENTITY, adapter_sha256="0" * 64)) == "they come from another adapter"
    assert why_anew(row, FINGERPRINTS, base) == "they come from another adapter"
    assert why_anew(replace(row, subject_sha256=None), FINGERPRINTS, base) == ""
    earlier = replace(row, subject_sha256=None)  # an earlier version did not record it
    assert why_anew(earlier, FINGERPRINTS, IDENTITY) == "it is not known which adapter gave them"


@pytest.mark.parametrize("protocol", ["", "{}", "[]", "no JSON", '{"subject": null}', '{"subject": 3}'])
def test_what_is_not_known_counts_as_another(row: EvaluationRow, protocol: str) -> None:
    assert why_anew(replace(row, protocol=protocol), FINGERPRINTS, IDENTITY)
    assert why_anew(row, FINGERPRINTS, replace(IDENTITY, is_known=False))


def plan_of(row: EvaluationRow, *paths: str) -> Any:
    return SimpleNamespace(row=row, cases=[SimpleNamespace(path=path) for path in paths])


def test_only_whole_answers_to_these_cases_are_kept(row: EvaluationRow) -> None:
    good, foreign = prediction("a.png"), prediction("of_another_split.png")
    other = prediction("b.png", question="Q3")
    unscored = [prediction("c.png", p_abnormal=None), prediction("d.png", p_abnormal=float("nan"))]
    failed = prediction("e.png", p_abnormal=None, outcome=Outcome.ERROR)
    plan = plan_of(row, "a.png", "b.png", "c.png", "d.png", "e.png")
    found = kept_of(plan, FINGERPRINTS, IDENTITY, [good, foreign, other, *unscored, failed])
    assert found.kept == [good, failed]
    assert kept_of(plan, FINGERPRINTS, None, [good]).kept == []
    assert kept_of(plan, FINGERPRINTS, IDENTITY, unscored).reason
    assert kept_of(plan, FINGERPRINTS, IDENTITY, []).reason == ""


def test_a_new_attempt_keeps_what_it_is_told_to_and_no_scores(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with Writer.open(workspace) as writer, Reader(workspace) as reader:
        number, other = (add_evaluation(writer, add_run(writer, name)) for name in ("one", "two"))
        for each in (number, other):
            writer.add_predictions(each, [prediction("a.png"), prediction("b.png"), prediction("c.png")])
        writer.begin_evaluation(number, keep={"a.png", "c.png"}, n=3)
        assert [each.path for each in reader.predictions(number)] == ["a.png", "c.png"]
        assert len(reader.predictions(other)) == 3
        writer.begin_evaluation(number, n=3)
        assert reader.predictions(number) == []


def test_figures_of_some_cases_are_refused() -> None:
    cases: Any = [SimpleNamespace(path=path) for path in ("a.png", "b.png")]
    both = [prediction("b.png"), prediction("a.png")]
    assert [each.path for each in complete(cases, both)] == ["a.png", "b.png"]
    for wrong in ([], both[:1], [*both, prediction("c.png")]):
        with pytest.raises(JobError):
            complete(cases, wrong)


def header(length: int = 8, name: str = "weight") -> bytes:
    text = json.dumps({name: {"dtype": "U8", "shape": [length], "data_offsets": [0, length]}}).encode()
    return len(text).to_bytes(8, "little") + text


def base_at(folder: Path) -> Path:
    folder.mkdir()
    (folder / "config.json").write_text('{"model_type": "qwen3_vl"}')
    (folder / "model.safetensors").write_bytes(header() + bytes(8))
    os.utime(folder / "model.safetensors", ns=(10**18, 10**18))
    return folder


def write_weights(data: bytes) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(data)
        os.utime(folder / "model.safetensors", ns=(10**18, 10**18))

    return change


@pytest.mark.parametrize(
    "change",
    [
        lambda folder: (folder / "config.json").write_text('{"model_type": "qwen3_vl", "x": 1}'),
        lambda folder: (folder / "chat_template.jinja").write_text("another"),
        lambda folder: os.utime(folder / "model.safetensors", ns=(10**18, 10**18 + 1)),
        lambda folder: (folder / "model.safetensors").rename(folder / "other.safetensors"),
        write_weights(header() + bytes(9)),
        write_weights(header(name="weighs") + bytes(8)),
        write_weights(b"short"),
    ],
)
def test_a_base_is_another_one_when_any_of_its_files_is(tmp_path: Path, change: Callable[[Path], object]) -> None:
    folder, workspace = base_at(tmp_path / "base"), Workspace(tmp_path)
    before = base_fingerprint("base", workspace)
    assert len(before) == 64
    (folder / "README.md").write_text("how to cite it")
    assert base_fingerprint(str(folder), workspace) == before
    change(folder)
    assert base_fingerprint("base", workspace) not in ("", before)


@pytest.mark.parametrize("model", ["nowhere/at/all/base", "./gone", "sonotune-tests/no-such-model"])
def test_a_base_that_is_not_here_is_not_known(tmp_path: Path, model: str) -> None:
    assert base_fingerprint(model, Workspace(tmp_path)) == ""
