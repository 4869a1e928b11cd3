from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy
from torchvision.ops import sigmoid_focal_loss

from engine.training.collator import IGNORED, WEIGHTS
from engine.training.loss import CROSS_ENTROPY, Objective, answer_loss, token_losses
from engine.types import Case

WEIGHTED, FOCAL, BOTH = Objective(weighted=True), Objective(gamma=2.0), Objective(gamma=2.0, weighted=True)


class Parrot:
    """A model whose logits are given: the trunk hands them through as hidden states."""

    def __init__(self, logits: torch.Tensor) -> None:
        self.model = lambda **inputs: (logits[: len(inputs["input_ids"])],)
        self.lm_head = lambda hidden: hidden


@pytest.fixture
def given_logits() -> torch.Tensor:
    return torch.randn(8, 7, 11, generator=torch.Generator().manual_seed(0)) * 3


@pytest.fixture
def labelled() -> dict[str, torch.Tensor]:
    """8 rows with answers of 1 to 4 tokens out of 11."""
    draw = torch.Generator().manual_seed(1)
    labels = torch.full((8, 7), IGNORED)
    for row in range(8):
        length = row % 4 + 1
        labels[row, 2 : 2 + length] = torch.randint(0, 11, (length,), generator=draw)
    weights = torch.tensor([4.0, *[4 / 7] * 7])[:, None].expand(8, 7)
    return {"input_ids": torch.zeros(8, 7), "labels": labels, WEIGHTS: weights}


def pieces(logits: torch.Tensor, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    mask = batch["labels"][:, 1:] != IGNORED
    return logits[:, :-1][mask], batch["labels"][:, 1:][mask], batch[WEIGHTS][:, 1:][mask]


def numpy_focal(logits: torch.Tensor, targets: torch.Tensor, gamma: float) -> np.ndarray:
    """In float64, by the formula of the paper."""
    values = logits.double().numpy()
    odds = np.exp(values - values.max(axis=1, keepdims=True))
    p = (odds / odds.sum(axis=1, keepdims=True))[np.arange(len(targets)), targets.numpy()]
    return -((1 - p) ** gamma) * np.log(p)


def test_the_weighted_loss_is_torchs_for_weights_that_depend_on_the_target() -> None:
    # One answer token a row, whose class is the verdict: then torch's weight per class says the same.
    logits = torch.randn(6, 3, 5, generator=torch.Generator().manual_seed(2))
    verdicts = torch.tensor([0, 1, 1, 1, 0, 1])
    per_class = torch.tensor([1.5, 0.75, 1, 1, 1])
    labels = torch.full((6, 3), IGNORED)
    labels[:, 1] = verdicts
    batch = {"input_ids": torch.zeros(6, 3), "labels": labels, WEIGHTS: per_class[verdicts][:, None].expand(6, 3)}
    ours = answer_loss(Parrot(logits), batch, objective=WEIGHTED)
    total = cross_entropy(logits[:, 0], verdicts, weight=per_class, reduction="sum")
    torch.testing.assert_close(ours, total / 6)
    # These weights are N / (K n_c), so torch's mean, which divides by their sum, is the same over the whole.
    torch.testing.assert_close(ours, cross_entropy(logits[:, 0], verdicts, weight=per_class))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 5.0])
def test_the_focal_loss_is_the_papers(
    given_logits: torch.Tensor, labelled: dict[str, torch.Tensor], gamma: float
) -> None:
    logits, targets, _ = pieces(given_logits, labelled)
    ours = token_losses(logits, targets, gamma)
    np.testing.assert_allclose(ours.numpy(), numpy_focal(logits, targets, gamma), rtol=2e-4, atol=1e-7)
    together = answer_loss(Parrot(given_logits), labelled, objective=Objective(gamma=gamma))
    torch.testing.assert_close(together, ours.mean())


def test_the_focal_loss_of_two_classes_is_torchvisions() -> None:
    score = torch.linspace(-6, 6, 25)
    targets = torch.arange(25) % 2
    logits = torch.stack([torch.zeros(25), score], dim=1)
    theirs = sigmoid_focal_loss(score, targets.float(), alpha=-1, gamma=2)
    torch.testing.assert_close(token_losses(logits, targets, 2.0), theirs, rtol=1e-4, atol=1e-7)
    # alpha is the weight of the positive class, 1 - alpha that of the other.
    labels = torch.full((25, 2), IGNORED)
    labels[:, 1] = targets
    weights = torch.where(targets == 1, 0.25, 0.75)
    batch = {"input_ids": torch.zeros(25, 2), "labels": labels, WEIGHTS: weights[:, None].expand(25, 2)}
    ours = answer_loss(Parrot(torch.stack([logits, logits], dim=1)), batch, objective=BOTH)
    balanced = sigmoid_focal_loss(score, targets.float(), alpha=0.25, gamma=2, reduction="mean")
    torch.testing.assert_close(ours, balanced, rtol=1e-4, atol=1e-7)


def test_gamma_zero_is_cross_entropy_to_the_bit(given_logits: torch.Tensor, labelled: dict[str, torch.Tensor]) -> None:
    logits, targets, _ = pieces(given_logits, labelled)
    assert torch.equal(token_losses(logits, targets, 0.0), cross_entropy(logits, targets, reduction="none"))
    one = answer_loss(Parrot(given_logits), labelled, objective=Objective(gamma=0.0))
    assert torch.equal(one, answer_loss(Parrot(given_logits), labelled))
    torch.testing.assert_close(one, cross_entropy(logits, targets))


@pytest.mark.parametrize("gamma", [0.01, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("lead", [0.0, 10.0, 17.0, 30.0, 1e4])
def test_gradients_stay_finite_when_the_answer_is_sure(gamma: float, lead: float) -> None:
    for target in (0, 1):  # surely right, and surely wrong
        logits = torch.tensor([[lead, 0.0, 0.0]], requires_grad=True)
        loss = token_losses(logits, torch.tensor([target]), gamma).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        assert torch.isfinite(loss)
        assert logits.grad is not None
        assert torch.isfinite(logits.grad).all()


def test_half_precision_logits_are_computed_in_single_precision() -> None:
    logits = torch.tensor([[12.0, 0.0, 0.0]], dtype=torch.bfloat16)
    with torch.autocast("cpu", torch.bfloat16):
        found = token_losses(logits, torch.tensor([0]), 1.0)
    assert found.dtype == torch.float32
    assert float(found) == pytest.approx(float(numpy_focal(logits.float(), torch.tensor([0]), 1.0)[0]), rel=2e-2)
    assert float(found) > 0


@pytest.mark.parametrize("objective", [CROSS_ENTROPY, WEIGHTED, FOCAL, BOTH])
def test_micro_batches_of_two_add_up_to_a_batch_of_eight(
    given_logits: torch.Tensor, labelled: dict[str, torch.Tensor], objective: Objective
) -> None:
    whole_logits = given_logits.clone().requires_grad_()
    whole = answer_loss(Parrot(whole_logits), labelled, objective=objective)
    whole.backward()  # type: ignore[no-untyped-call]
    tokens = (labelled["labels"] != IGNORED).sum()
    parts_logits = given_logits.clone().requires_grad_()
    parts = torch.zeros(())
    for start in range(0, 8, 2):
        rows = {name: value[start : start + 2] for name, value in labelled.items()}
        part = answer_loss(Parrot(parts_logits[start : start + 2]), rows, tokens, objective)
        part.backward()  # type: ignore[no-untyped-call]
        parts = parts + part.detach()
    torch.testing.assert_close(parts, whole.detach())
    torch.testing.assert_close(parts_logits.grad, whole_logits.grad)


def test_weights_do_not_change_what_a_step_weighs_on_average(
    given_logits: torch.Tensor, labelled: dict[str, torch.Tensor]
) -> None:
    logits, targets, weights = pieces(given_logits, labelled)
    expected = (weights * cross_entropy(logits, targets, reduction="none")).sum() / len(targets)
    torch.testing.assert_close(answer_loss(Parrot(given_logits), labelled, objective=WEIGHTED), expected)
    normal_alone = {name: value[1:] for name, value in labelled.items()}
    light = answer_loss(Parrot(given_logits[1:]), normal_alone, objective=WEIGHTED)
    torch.testing.assert_close(light, answer_loss(Parrot(given_logits[1:]), normal_alone) * 4 / 7)


def test_weights_travel_with_their_rows_and_never_reach_the_model(
    model: Any, processor: Any, phantom_cases: list[Case], collate: Callable[..., Any]
) -> None:
    from engine.training.class_weights import weighed
    from engine.training.collator import AnswerCollator
    from engine.training.dataset import build_examples
    from engine.training.encoding import Encoder
    from engine.training.pixels import Geometry, PixelStore

    cases = phantom_cases[:3]  # normal, abnormal, normal
    examples, _ = weighed(build_examples(cases, ("Q7", "Q6"), "detailed"), cases)
    pixels = PixelStore([case.file for case in cases], 96, Geometry.of(processor))
    collator = AnswerCollator(examples, Encoder(processor), pixels, weighted=True)
    batch = collator([{"example": number} for number in (3, 2, 0)])
    assert batch[WEIGHTS].shape == batch["labels"].shape
    for row, expected in enumerate([1.0, 1.5, 0.75]):
        of_answer = batch[WEIGHTS][row][batch["labels"][row] != IGNORED]
        assert of_answer.tolist() == pytest.approx([expected] * len(of_answer))
    assert batch[WEIGHTS].dtype == torch.float32
    seen: set[str] = set()
    trunk = model.model.forward

    def watching(*arguments: Any, **inputs: Any) -> Any:
        seen.update(inputs)
        return trunk(*arguments, **inputs)

    model.model.forward = watching
    with torch.no_grad():
        assert torch.isfinite(answer_loss(model, batch, objective=BOTH))
    assert "pixel_values" in seen
    assert WEIGHTS not in seen
    assert WEIGHTS not in collate(cases)


@pytest.mark.parametrize(
    ("loss", "objective", "words"),
    [
        ("cross_entropy", CROSS_ENTROPY, "cross entropy"),
        ("weighted", WEIGHTED, "cross entropy"),
        ("focal", Objective(gamma=3.0), "focal loss, gamma 3"),
        ("weighted_focal", Objective(gamma=3.0, weighted=True), "focal loss, gamma 3"),
    ],
)
def test_the_recipe_names_the_objective(loss: str, objective: Objective, words: str) -> None:
    found = Objective.of(SimpleNamespace(training=SimpleNamespace(loss=loss, focal_gamma=3.0)))  # type: ignore[arg-type]
    assert (found, found.words) == (objective, words)
