"""Tokenizer and processor of the embedded base: Qwen's layout, a vocabulary of a thousand byte-level tokens."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.data.phantoms.labels import VOCABULARY, WEEK_BINS, PhantomLabels, answers
from engine.questions.prompts import QUESTIONS, REPORT_PROMPT, SYSTEM_PROMPT, report_text

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
VOCABULARY_SIZE = 1024

WORD_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
"""How Qwen's tokenizer cuts text before byte-pair encoding."""

CHAT_TEMPLATE = r"""{%- for message in messages %}
    {{- '<|im_start|>' + message.role + '\n' }}
    {%- if message.content is string %}
        {{- message.content }}
    {%- else %}
        {%- for part in message.content %}
            {%- if part.type == 'image' or 'image' in part or 'image_url' in part %}
                {{- '<|vision_start|><|image_pad|><|vision_end|>' }}
            {%- elif part.type == 'video' or 'video' in part %}
                {{- '<|vision_start|><|video_pad|><|vision_end|>' }}
            {%- elif 'text' in part %}
                {{- part.text }}
            {%- endif %}
        {%- endfor %}
    {%- endif %}
    {{- '<|im_end|>\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|im_start|>assistant\n' }}
{%- endif %}
"""
"""Qwen3-VL's chat format without tools and vision numbering."""


def build_processor(image_size: int = 256) -> Any:
    """A `Qwen3VLProcessor` with a tokenizer trained on the questions and answers of the phantoms.

    Args:
        image_size: side in pixels up to which square images pass unscaled (the processor counts pixels, not sides).
    """
    from transformers import Qwen2VLImageProcessor, Qwen3VLProcessor, Qwen3VLVideoProcessor

    patches: dict[str, Any] = {
        "patch_size": 16,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": [0.5] * 3,
        "image_std": [0.5] * 3,
    }
    pixels = image_size * image_size
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(size={"shortest_edge": 64 * 64, "longest_edge": pixels}, **patches),
        tokenizer=_build_tokenizer(),
        video_processor=Qwen3VLVideoProcessor(size={"shortest_edge": 64 * 64, "longest_edge": 4 * pixels}, **patches),
        chat_template=CHAT_TEMPLATE,
    )


def _build_tokenizer() -> Any:
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    core = Tokenizer(models.BPE())
    core.normalizer = normalizers.NFC()
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD_PATTERN), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    core.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE - len(SPECIAL_TOKENS),
        min_frequency=2,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    core.train_from_iterator(_corpus(), trainer)
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core,
        eos_token="<|im_end|>",  # noqa: S106 - a token of text
        pad_token="<|endoftext|>",  # noqa: S106
        additional_special_tokens=list(SPECIAL_TOKENS),
        model_max_length=4096,
        padding_side="left",
    )
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def _corpus() -> Iterator[str]:
    """Every prompt and answer that the base will meet, answers in the words of each finding and week."""
    for question in QUESTIONS.values():
        for prompt in question.prompts.values():
            yield from [prompt] * 10
    yield from [REPORT_PROMPT, SYSTEM_PROMPT, "system", "user", "assistant"] * 10
    yield from ["Yes", "No", "Normal", "Abnormal", "NORMAL", "ABNORMAL", "UNCLEAR", "Unknown"] * 60
    orientations = (
        "Axial head, occiput to left",
        "Axial upper abdomen, vertebral column to right",
        "Femur tilted down to left",
        "Sagittal, fetal head to right",
        "Axial chest, vertebral column to left",
        "Cephalic presentation, external os to right",
        "Femur horizontal",
    )
    for view, words in VOCABULARY.items():
        for finding in ("", *words.findings):
            for index, (low, _) in enumerate(WEEK_BINS):
                quality = ("Good", "Medium", "Low")[index % 3]
                orientation = orientations[index % len(orientations)]
                sheet = answers(PhantomLabels(0, view, bool(finding), finding, orientation, low, quality))
                yield from sheet.values()
                yield report_text(sheet)
