"""The rows that the other sides train on: Unsloth's documented `messages` form, one sample a question. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.questions.prompts import prompt_text
from engine.training.selection import answer_of
from engine.types import Case


def question_rows(cases: Sequence[Case], questions: Sequence[str]) -> Iterator[dict[str, str]]:
    """One row a question: file of the image, question and answer in words; open questions make none."""
    for case in cases:
        for question in questions:
            answer = answer_of(case, question)
            if answer is not None:
                yield {"file": str(case.file), "question": prompt_text(question), "answer": answer}


def as_messages(file: str, question: str, answer: str) -> list[dict[str, Any]]:
    """A sample as in Unsloth's vision notebooks; the image is opened here, every time that the sample is asked for."""
    from PIL import Image

    image = Image.open(Path(file)).convert("RGB")
    return [
        {"role": "user", "content": [{"type": "text", "text": question}, {"type": "image", "image": image}]},
        {"role": "assistant", "content": [{"type": "text", "text": answer}]},
    ]


def with_images(batch: dict[str, list[str]]) -> dict[str, list[Any]]:
    """For `datasets.Dataset.with_transform`: columns of `question_rows` to the one column `messages`."""
    samples = zip(batch["file"], batch["question"], batch["answer"], strict=True)
    return {"messages": [as_messages(*sample) for sample in samples]}


def lazy_dataset(rows: Sequence[dict[str, str]]) -> Any:
    """A `datasets.Dataset` that opens its images when a row is asked for, in the data loader's processes."""
    from datasets import Dataset

    return Dataset.from_list(list(rows)).with_transform(with_images)
