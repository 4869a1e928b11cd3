"""The sections of a recipe as pydantic models: every field with its default, its range and a text for the launch form.

What a single field may hold stands here; what fields may not hold together stands in `engine.recipe.rules`. Values are
never converted from another type (a TOML string is no number), and only an explicit `auto` may be resolved later.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from engine.recipe.rules import combination_problems

QuestionId = Literal["Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8", "report"]
Wording = Literal["simple", "detailed", "clinical", "structured"]
"""Names of the wordings of single questions (`engine.questions.prompts`); not every question has all of them."""
COMBINATION = "combination"
"""Type of the pydantic error that stands for the rules of `engine.recipe.rules`."""

_STRICT = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False, protected_namespaces=())


class DataSection(BaseModel):
    """`[data]`: which images and which questions."""

    model_config = _STRICT

    dataset: str = Field(
        default="phantoms",
        pattern=r"^\w[\w .-]*$",
        max_length=100,
        description="Name of an imported dataset (`sonotune data import`).",
    )
    questions: tuple[QuestionId, ...] = Field(
        default=("Q7",),
        min_length=1,
        strict=False,  # TOML and JSON have lists, a frozen model holds a tuple
        description="Questions to train and to evaluate: any of Q1 to Q8, or the combined report alone.",
    )
    prompt: str = Field(default="detailed", description="Wording of the questions; `own` takes prompt_text.")
    more_prompts: tuple[Wording, ...] = Field(
        default=(),
        strict=False,
        description="Further wordings that every question is trained in, beside prompt; evaluation asks with prompt.",
    )
    prompt_text: str = Field(
        default="", max_length=4000, description='A wording of your own for one question; needs prompt = "own".'
    )
    balance: Literal["none", "oversample", "synthetic"] = Field(
        default="none",
        description="More abnormal samples: oversample repeats real ones, synthetic adds ones made from real ones.",
    )
    balance_share: float = Field(
        default=0.5, gt=0, lt=1, description="Share of abnormal samples that balance brings the training to."
    )
    augment: Literal["none", "basic", "advanced"] = Field(
        default="none",
        description="Changes made to training images: basic turns, mirrors, brightens; advanced adds deformation, "
        "speckle, shadow, gain, depth.",
    )
    limit: int = Field(
        default=0, ge=0, description="Training images to use, drawn by view and verdict in proportion; 0 = all."
    )
    image_size: int = Field(
        default=512, ge=64, le=2048, multiple_of=32, description="Longest side of the image that the model sees, in px."
    )


class ModelSection(BaseModel):
    """`[model]`: the base model and how it is loaded."""

    model_config = _STRICT

    id: str = Field(
        default="assets/base-model", min_length=1, description="Folder of the base model, or its name on the model hub."
    )
    quantization: Literal["none", "4bit", "auto"] = Field(
        default="none", description="Precision of the frozen base: none keeps 16 or 32 bit, 4bit saves memory."
    )
    backend: Literal["auto", "unsloth", "transformers"] = Field(
        default="auto",
        description="Training library; auto takes unsloth on NVIDIA cards up to 24 GB, transformers elsewhere.",
    )


class LoraSection(BaseModel):
    """`[lora]`: size and place of the adapter."""

    model_config = _STRICT

    r: int = Field(default=16, ge=1, le=1024, description="Rank of the adapter matrices.")
    alpha: int = Field(default=16, ge=1, le=4096, description="Scale of the adapter: its output is times alpha / r.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Share of adapter inputs dropped while training.")
    vision: bool = Field(default=True, description="Adapt the vision tower.")
    language: bool = Field(default=True, description="Adapt the language layers.")
    attention: bool = Field(default=True, description="Adapt the attention projections.")
    mlp: bool = Field(default=True, description="Adapt the feed-forward projections.")


class TrainingSection(BaseModel):
    """`[training]`: length, step size and what is written on the way."""

    model_config = _STRICT

    epochs: float = Field(default=3.0, gt=0, le=10_000, description="Passes over the training images.")
    max_steps: int = Field(default=0, ge=0, description="Optimizer steps; 0 = as many as the epochs take.")
    batch: int = Field(default=2, ge=1, le=4096, description="Micro-batch: samples in one forward pass.")
    accumulation: int = Field(
        default=4, ge=1, le=4096, description="Micro-batches to one optimizer step, which takes batch x accumulation."
    )
    micro_batch: Literal["auto", "written"] = Field(
        default="auto",
        description="auto splits batch x accumulation anew, as the card's memory allows; a step stays the same step.",
    )
    devices: int = Field(default=1, ge=1, le=64, description="GPUs of this machine that share each optimizer step.")
    learning_rate: float = Field(default=2e-4, gt=0, le=10, description="Highest learning rate.")
    schedule: Literal["linear", "cosine", "constant"] = Field(
        default="linear", description="Course of the learning rate after the warmup."
    )
    warmup: float = Field(default=0.03, ge=0, le=1, description="Share of the steps in which the learning rate rises.")
    seed: int = Field(default=42, ge=0, le=2**32 - 1, description="Seed of adapter weights, order and dropout.")
    loss: Literal["cross_entropy", "weighted", "focal", "weighted_focal"] = Field(
        default="cross_entropy",
        description="weighted counts rare verdicts more, focal what is still unsure; both look at the answer alone.",
    )
    focal_gamma: float = Field(default=2.0, ge=0, le=10, description="How much focal loss leaves out what is sure.")
    packing: Literal["auto", "off"] = Field(
        default="auto", description="Several questions of an image in one sequence, where model and backend allow it."
    )
    weight_decay: float = Field(default=0.0, ge=0, le=10, description="Decay of the adapter weights (AdamW).")
    gradient_checkpointing: Literal["auto", "on", "off"] = Field(
        default="auto", description="Recompute activations in the backward pass: less memory, more time."
    )
    compile: Literal["auto", "on", "off"] = Field(
        default="auto", description="Compile the model's blocks: faster steps after a slower first one; auto on a GPU."
    )
    checkpoint_steps: int = Field(default=50, ge=0, description="Steps between checkpoints; 0 = only at the end.")
    evaluation_steps: int = Field(default=0, ge=0, description="Steps between validation losses; 0 = none.")
    answer_checks: int = Field(
        default=3,
        ge=0,
        le=100,
        description="How often answers to a few validation images are looked at while training; 0 = never.",
    )
    max_grad_norm: float = Field(default=1.0, ge=0, description="Gradients are clipped to this norm; 0 = not clipped.")


class EvaluationSection(BaseModel):
    """`[evaluation]`: what is measured by itself after the training."""

    model_config = _STRICT

    splits: tuple[Literal["validation", "test"], ...] = Field(
        default=("validation",), strict=False, description="Splits evaluated after the training; may be empty."
    )
    limit: int = Field(
        default=0, ge=0, description="Images a split to evaluate, drawn by view and verdict in proportion; 0 = all."
    )
    max_new_tokens: int = Field(
        default=64, ge=1, le=8192, description="Longest answer in tokens; longer ones are marked as cut off."
    )
    normalisation: tuple[Literal["text", "spelling", "meaning"], ...] = Field(
        default=("text", "spelling", "meaning"),
        strict=False,
        description="Layers of normalisation that answers go through before they are compared; leave out what to "
        "switch off. Figures made with other layers are not ranked together.",
    )
    batch: int = Field(default=16, ge=1, le=4096, description="Images in one forward pass.")


class Recipe(BaseModel):
    """One training run and its evaluations, complete: with the data and the code it tells everything."""

    model_config = _STRICT

    name: str = Field(
        min_length=1,
        max_length=80,
        pattern=r"^(?:[^\p{C}\p{Zl}\p{Zp}]*[^\p{C}\s])[^\p{C}\p{Zl}\p{Zp}]*$",  # no control or format characters
        description="Name of the run; a number is added where it is taken.",
    )
    description: str = Field(default="", description="What this run is for, in a sentence.")
    data: DataSection = Field(default_factory=DataSection, description="Images and questions.")
    model: ModelSection = Field(default_factory=ModelSection, description="Base model.")
    lora: LoraSection = Field(default_factory=LoraSection, description="Adapter.")
    training: TrainingSection = Field(default_factory=TrainingSection, description="Training.")
    evaluation: EvaluationSection = Field(default_factory=EvaluationSection, description="Evaluation afterwards.")

    @model_validator(mode="after")
    def _possible(self) -> Recipe:
        sections = {name: getattr(self, name).model_dump() for name in SECTIONS}
        problems = combination_problems(
            {f"{section}.{key}": value for section, values in sections.items() for key, value in values.items()}
        )
        if problems:
            text = "; ".join(f"{', '.join(keys)}: {problem}" for keys, problem in problems)
            raise PydanticCustomError(COMBINATION, "{problems}", {"problems": text})
        return self


SECTIONS: dict[str, type[BaseModel]] = {
    "data": DataSection,
    "model": ModelSection,
    "lora": LoraSection,
    "training": TrainingSection,
    "evaluation": EvaluationSection,
}
"""Section models by their name in the TOML file."""
