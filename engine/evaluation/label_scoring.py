"""Probability of each candidate answer, from forward passes alone.

A candidate's log-likelihood is the sum of the log-probabilities of its tokens and of its end token, given image and
prompt. The probabilities are a softmax over the candidates without any normalisation by length: the candidates are
whole answers that exclude each other, and the end token makes each one a complete event, so their likelihoods compare
as they are. Dividing by length would favour long answers whose later tokens follow from the first.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import torch

from engine.evaluation.tree.likelihoods import precise
from engine.questions.parsing import parse_normality
from engine.training.encoding import Encoder
from engine.training.loss import unwrapped
from engine.types import Verdict

MAX_ROWS = 64
"""Copies of the prompt's key-value cache held at once: at 8B and 300 prompt tokens about 2.8 GB."""


@torch.inference_mode()
def candidate_log_likelihoods(
    model: Any,
    encoder: Encoder,
    batch: dict[str, torch.Tensor],
    candidates: Sequence[str],
    max_rows: int = MAX_ROWS,
    between: Callable[[], None] = lambda: None,
) -> torch.Tensor:
    """Log-likelihood (nats) of each candidate answer, end token included: (images, candidates), float64 on the CPU.

    The prompt, vision included, is computed once an image; its key-value cache is repeated for the candidates, which
    follow in one padded forward pass for each chunk of at most `max_rows` rows.

    Args:
        model: Qwen3-VL, with or without PEFT.
        encoder: of its processor.
        batch: prompts padded on the left (`engine.evaluation.generate.prompt_batch`).
        candidates: distinct answers.
        max_rows: bound on images x candidates of one pass (one candidate at a time is the least).
        between: called before each pass over candidates; may raise to give up.
    """
    base = unwrapped(model)
    output = base.model(**batch, use_cache=True)
    first = precise(base.lm_head(output[0][:, -1])).log_softmax(-1)
    prompt = _Prompt(output.past_key_values, batch["attention_mask"], _next_positions(base, batch))
    answers = [encoder.answer(text) for text in candidates]
    width = max(1, max_rows // len(first))
    chunks = []
    for start in range(0, len(answers), width):
        between()
        chunks.append(_chunk(base, prompt, first, answers[start : start + width], encoder))
    return torch.cat(chunks, dim=1).double().cpu()


class _Prompt:
    """Everything that the candidates continue from."""

    def __init__(self, cache: Any, mask: torch.Tensor, positions: torch.Tensor) -> None:
        self.cache = cache
        self.mask = mask
        self.positions = positions

    def repeated(self, times: int) -> tuple[Any, torch.Tensor, torch.Tensor]:
        """Cache, mask and next positions with every image `times` over; the original stays as it is."""
        cache = copy.deepcopy(self.cache)
        cache.batch_repeat_interleave(times)
        return cache, self.mask.repeat_interleave(times, 0), self.positions.repeat_interleave(times, 0)


def _next_positions(base: Any, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Position of the first answer token of each image: an image spans fewer positions than tokens (M-RoPE)."""
    lengths = batch["attention_mask"].sum(1)
    deltas: torch.Tensor = base.model.rope_deltas.view(-1)
    return lengths + deltas.to(lengths.device)


def _chunk(
    base: Any, prompt: _Prompt, first: torch.Tensor, answers: Sequence[Sequence[int]], encoder: Encoder
) -> torch.Tensor:
    """Log-likelihoods of some candidates: (images, candidates of the chunk)."""
    device, images, count = first.device, len(first), len(answers)
    # The end token is only predicted, never read, so each row is one token shorter than its answer.
    length = max(len(answer) for answer in answers) - 1
    ids = torch.full((count, length), encoder.pad_id, device=device)
    targets = torch.full((count, length), encoder.pad_id, device=device)
    valid = torch.zeros((count, length), dtype=torch.long, device=device)
    for row, answer in enumerate(answers):
        size = len(answer) - 1
        ids[row, :size] = torch.tensor(answer[:-1], device=device)
        targets[row, :size] = torch.tensor(answer[1:], device=device)
        valid[row, :size] = 1
    starts = torch.tensor([answer[0] for answer in answers], device=device)
    likelihood = first[:, starts]
    if length == 0:
        return likelihood
    cache, mask, positions = prompt.repeated(count)
    hidden = base.model(
        input_ids=ids.repeat(images, 1),
        attention_mask=torch.cat([mask, valid.repeat(images, 1)], dim=1),
        position_ids=(positions[:, None] + torch.arange(length, device=device)).expand(3, -1, -1),
        past_key_values=cache,
        use_cache=True,
    )[0].view(images, count, length, -1)
    which, column = valid.nonzero(as_tuple=True)
    scored = precise(base.lm_head(hidden[:, which, column])).log_softmax(-1)
    picked = scored.gather(-1, targets[which, column].expand(images, -1)[..., None])[..., 0]
    return likelihood.index_add(1, which, picked)


def probabilities(log_likelihoods: torch.Tensor, candidates: Sequence[str]) -> list[dict[str, float]]:
    """Softmax over the candidates of each image; every dictionary sums to 1."""
    shares = log_likelihoods.softmax(-1).tolist()
    return [dict(zip(candidates, row, strict=True)) for row in shares]


def p_abnormal(shares: dict[str, float]) -> float:
    """Summed probability of the candidates that say abnormal."""
    total = sum(share for text, share in shares.items() if parse_normality(text) is Verdict.ABNORMAL)
    return min(1.0, total)
