"""What the parts of the preflight hand to each other. Plain values, in bytes and seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ModelShape:
    """Dimensions of a Qwen3-VL model that decide memory and arithmetic."""

    text_hidden: int
    text_layers: int
    text_heads: int
    key_value_heads: int
    head_dim: int
    text_intermediate: int
    vocabulary: int
    tied_head: bool
    vision_hidden: int
    vision_layers: int
    vision_heads: int
    vision_intermediate: int
    deepstack_layers: int
    """How many layers of the tower hand features to the first text layers."""
    patch: int
    """Side of a patch in pixels."""
    merge: int
    """Patches along one side that are merged into one token."""
    position_grid: int
    """Learned positions of the vision tower."""


@dataclass(frozen=True, slots=True)
class Workload:
    """What a run trains on, in tokens. Of the largest image where memory is meant, of the mean one for time."""

    patches: int
    """Patches of the image before merging."""
    image_tokens: int
    """Merged tokens of the image."""
    root_tokens: int
    """Tokens that all questions to an image share, the image among them."""
    branch_tokens: int
    """Tokens of one question with its answer, without the shared ones."""
    answer_tokens: int
    """Tokens of one answer, its end token included."""
    samples_per_image: int
    """Questions (times wordings) to one image at the most."""
    samples: int
    """Samples of one epoch."""
    images: int
    """Images of one epoch."""


@dataclass(frozen=True, slots=True)
class Layout:
    """How a run is computed: everything that changes memory and speed, and nothing that changes the training."""

    backend: str
    """`unsloth` or `transformers`."""
    quantization: str
    """`4bit` or `none`."""
    packed: bool
    micro_batch: int
    """Samples in one forward pass on one device."""
    accumulation: int
    """Forward passes to one optimizer step on one device."""
    checkpointing: bool
    compiled: bool
    devices: int = 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """Peak GPU memory of one device in bytes, by what takes it, and the time of a step."""

    weights: int
    adapters: int
    """LoRA weights with their gradients."""
    optimizer: int
    text_activations: int
    vision_activations: int
    logits: int
    overhead: int
    """Buffers of the libraries, and what the allocator cannot use."""
    step_seconds: float | None
    """None where the speed of the device is not known."""
    samples_per_second: float | None

    @property
    def peak(self) -> int:
        """Everything together."""
        return (
            self.weights
            + self.adapters
            + self.optimizer
            + self.text_activations
            + self.vision_activations
            + self.logits
            + self.overhead
        )


@dataclass(frozen=True, slots=True)
class Card:
    """The device that is asked about."""

    name: str
    """As the driver names it; "" where none is known (a figure given by hand, or a CPU)."""
    memory: int | None
    """Bytes of GPU memory; None on a CPU, where nothing is checked."""
    free: int | None = None
    """Bytes free now for the tensors of a process, its CUDA context taken off; None where nobody has looked."""


@dataclass(frozen=True, slots=True)
class Measured:
    """A peak that was measured on a card: by the preflight, by the benchmark, or by a run to its end."""

    source: str
    """`preflight`, `bench` or `run`; `script` for steps of a program that is not kept."""
    run_id: int | None
    card: str
    model: str
    """Model id or name of the size; untrusted text."""
    shape: ModelShape
    workload: Workload
    layout: Layout
    lora_parameters: int
    estimated_peak: int
    """What was estimated before."""
    allocated_peak: int
    """torch.cuda.max_memory_allocated."""
    reserved_peak: int
    """torch.cuda.max_memory_reserved: what the card must have."""
    step_seconds: float | None
    time: float
    """Unix time."""
    vision_adapted: bool = True
    """Whether the vision tower carried LoRA; where it does not, nothing of it is kept for the backward pass."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """The nearest recipe that fits the card. Its step is the same step: batch x accumulation does not change."""

    changes: Mapping[str, object]
    """Values by dotted recipe key, such as `training.gradient_checkpointing`; empty where nothing fits."""
    layout: Layout
    estimate: Estimate
    fits: bool
    """False: even the smallest change that was tried does not fit; `words` says so."""
    words: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """What a recipe will need on a card."""

    card: Card
    model: str
    """Model id of the recipe; untrusted text."""
    shape_source: str
    """Where the dimensions come from, in words."""
    workload: Workload
    """Of the largest image and the longest question: memory is estimated for it."""
    typical: Workload
    """Of the mean image and question: time is estimated for it."""
    layout: Layout
    """What would be used: chosen by the planner where the recipe says auto, as written elsewhere."""
    layout_reason: str
    packing_reason: str
    """Why questions are packed, or why not."""
    estimate: Estimate
    fits: bool | None
    """None where the memory of the card is not known, or there is no GPU."""
    headroom: int | None
    """Bytes that stay free under the safety margin; negative where it does not fit."""
    steps: int
    seconds: float | None
    """Of the whole training without its evaluations; None where the speed of the card is not known."""
    calibration: str
    """What the estimate stands on, in words."""
    timed: int = 0
    """How many measured steps of this very card its times stand on; 0: they are arithmetic alone."""
    proposal: Proposal | None = None
    """Only where it does not fit."""
    warnings: list[str] = field(default_factory=list)
    disk_warning: str = ""
    """What the disk of the workspace lacks for the run; one of the warnings."""
