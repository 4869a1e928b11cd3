"""What a base model knows, measured on phantoms that it has never seen, through the ordinary Auto classes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from engine.basemodel.curriculum import STRUCTURED_VARIANT, structured_answer
from engine.basemodel.images import CHECK_SEED, ImageTable, draw_table
from engine.data.phantoms import answers, describe
from engine.data.phantoms.labels import VOCABULARY
from engine.questions.prompts import QUESTIONS, prompt_text
from engine.types import Verdict

CHECKED_SIDES = (128, 160, 192, 256)
BATCH = 200


def check_base(folder: Path, count: int, device: str = "cpu") -> dict[str, Any]:
    """Shares of right answers by question and image side, and the AUROC of Q7 with its interval by prompt.

    Args:
        folder: a saved base model.
        count: number of unseen phantoms.
        device: where to run.
    """
    from transformers import AutoModelForImageTextToText, AutoProcessor

    processor = AutoProcessor.from_pretrained(folder)
    processor.tokenizer.padding_side = "left"
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32, use_safetensors=True)
    model.to(device).eval()
    table = draw_table(CHECK_SEED, count, 256)
    return {
        "phantoms": count,
        "described": {side: _described(model, processor, table, side) for side in CHECKED_SIDES},
        "normality": {variant: _normality(model, processor, table, variant) for variant in QUESTIONS["Q7"].prompts},
    }


def _described(model: Any, processor: Any, table: ImageTable, side: int) -> dict[str, float]:
    """Share of exact answers to each question but Q7, and of right findings within the answer to Q1."""
    result: dict[str, float] = {}
    for question in ("Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q8"):
        outputs = _generate(model, processor, table, side, prompt_text(question))
        expected = [answers(labels)[question] for labels in table.labels]
        result[question] = float(np.mean([a == b for a, b in zip(outputs, expected, strict=True)]))
        if question == "Q1":
            found = [describe(labels) in text for labels, text in zip(table.labels, outputs, strict=True)]
            result["finding"] = float(np.mean(found))
            for view in VOCABULARY:
                rows = [hit for hit, labels in zip(found, table.labels, strict=True) if labels.view == view]
                result[f"finding:{view}"] = float(np.mean(rows))
    return result


def _inputs(processor: Any, table: ImageTable, rows: Sequence[int], side: int, texts: Sequence[str]) -> Any:
    """Padded model inputs: one image and one complete prompt (with or without an answer) a row."""
    images = [
        [Image.fromarray(table.pixels[row]).convert("RGB").resize((side, side), Image.Resampling.BICUBIC)]
        for row in rows
    ]
    return processor(text=list(texts), images=images, padding=True, return_tensors="pt")


def _conversation(processor: Any, prompt: str) -> str:
    content = [{"type": "image"}, {"type": "text", "text": prompt}]
    text: str = processor.apply_chat_template([{"role": "user", "content": content}], add_generation_prompt=True)
    return text


@torch.no_grad()
def _generate(model: Any, processor: Any, table: ImageTable, side: int, prompt: str) -> list[str]:
    text = _conversation(processor, prompt)
    outputs: list[str] = []
    for start in range(0, len(table.labels), BATCH):
        rows = range(start, min(start + BATCH, len(table.labels)))
        inputs = _inputs(processor, table, rows, side, [text] * len(rows)).to(model.device)
        produced = model.generate(**inputs, max_new_tokens=64, do_sample=False)
        outputs += processor.batch_decode(produced[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return outputs


def _normality(model: Any, processor: Any, table: ImageTable, variant: str) -> dict[str, float | None]:
    """AUROC of P(abnormal) over the complete candidate answers of each view, with its 95 % interval."""
    from engine.scoring.normality import ScoredCase, score_normality

    text = _conversation(processor, prompt_text("Q7", variant))
    cases = []
    for start in range(0, len(table.labels), BATCH // 4):
        rows = range(start, min(start + BATCH // 4, len(table.labels)))
        for row, probability in zip(rows, _abnormal_shares(model, processor, table, rows, text, variant), strict=True):
            target = Verdict.ABNORMAL if table.labels[row].abnormal else Verdict.NORMAL
            cases.append(ScoredCase(table.labels[row].view, target, Verdict.UNPARSEABLE, probability))
    scores = {score.name: score for score in score_normality(cases, 0.5) if score.scope == "all"}
    auroc = scores["auroc"]
    return {"auroc": auroc.value, "low": auroc.low, "high": auroc.high, "n": auroc.n}


def _candidates(view: str, variant: str) -> tuple[list[str], int]:
    """Complete answers to Q7 for a view, and how many of them, from the start, are normal."""
    words = VOCABULARY[view]
    if variant != STRUCTURED_VARIANT:
        return [words.normal, *words.abnormal.values()], 1
    abnormal = [structured_answer("ABNORMAL", answer) for answer in words.abnormal.values()]
    return [structured_answer("NORMAL", words.normal), *abnormal], 1


@torch.no_grad()
def _abnormal_shares(
    model: Any, processor: Any, table: ImageTable, rows: Sequence[int], text: str, variant: str
) -> list[float]:
    """P(abnormal) of each row: likelihood of the abnormal answers over that of all candidate answers."""
    candidates = [_candidates(table.labels[row].view, variant) for row in rows]
    flat = [(row, answer + "<|im_end|>") for row, (texts, _) in zip(rows, candidates, strict=True) for answer in texts]
    inputs = _inputs(processor, table, [row for row, _ in flat], 160, [text + ending for _, ending in flat])
    logits = model(**inputs.to(model.device)).logits
    totals = []
    for index, (_, ending) in enumerate(flat):  # padded on the left: the answer stands at the end of its row
        ids = torch.tensor(processor.tokenizer(ending, add_special_tokens=False).input_ids, device=logits.device)
        predicted = logits[index, -len(ids) - 1 : -1].float().log_softmax(-1)
        totals.append(float(predicted.gather(1, ids[:, None]).sum()))
    shares, position = [], 0
    for texts, normal in candidates:
        likelihoods = np.exp(
            np.asarray(totals[position : position + len(texts)]) - max(totals[position : position + len(texts)])
        )
        shares.append(float(likelihoods[normal:].sum() / likelihoods.sum()))
        position += len(texts)
    return shares
