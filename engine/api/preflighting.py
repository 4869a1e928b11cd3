"""What a recipe will need on a card, before anything is loaded; and the peaks that were measured."""

from __future__ import annotations

from dataclasses import replace

from engine.data.manifest import open_dataset
from engine.errors import UsageError
from engine.jobs.devices import free_bytes, ids_of, is_gpu, known_devices
from engine.preflight.cards import memory_of
from engine.preflight.census_cache import census_of
from engine.preflight.margins import CONTEXT_BYTES
from engine.preflight.models import Card, Measured, Preflight
from engine.preflight.resolving import Question, resolve, trained_parameters
from engine.preflight.shapes import find_shape
from engine.recipe import Recipe
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.training.backends import choose_backend, installed
from engine.training.model_files import resolve_model, weight_bytes
from engine.training.room import room_warning
from engine.types import ACTIVE
from engine.workspace import Workspace


def preflight(workspace: Workspace, recipe: Recipe, *, memory: int | None = None, card: str = "") -> Preflight:
    """What a recipe would need, and whether it fits; milliseconds once the dataset was counted, and no torch.

    Args:
        workspace: with the dataset, and with the peaks that were measured.
        recipe: what would be launched.
        memory: bytes of a card to ask about instead of this machine's.
        card: its name, which decides what the estimate is calibrated on and whether a time can be told. Its memory may
            be left out where the card is known.

    Raises:
        UsageError: a card is named whose memory is neither given nor known.
        SonotuneError: dataset or model is missing, its dimensions are not known, or the recipe demands what the machine
            cannot do.
    """
    if memory is None and not card:
        return preflight_on(workspace, recipe, machine_card(workspace))
    return preflight_on(workspace, recipe, _named_card(memory, card), imagined=True)


def preflight_on(
    workspace: Workspace, recipe: Recipe, device: Card, *, imagined: bool = False, most: int | None = None
) -> Preflight:
    """The preflight on a card.

    Args:
        workspace: with the dataset, and with the peaks that were measured.
        recipe: what would be launched.
        device: the card.
        imagined: it may not be here, so it is taken to have everything installed.
        most: bytes by the estimate that cannot be exceeded, where a measurement has shown that it is too low.

    Raises:
        SonotuneError: as `preflight`.
    """
    source = resolve_model(recipe.model.id, workspace.root)
    gpu = device.memory is not None
    four_bit = gpu and (imagined or installed("bitsandbytes"))
    choice = choose_backend(
        recipe,
        gpu,
        imagined or installed("unsloth"),
        bitsandbytes_installed=four_bit,
        gpu_memory_bytes=device.memory,
        weight_bytes=weight_bytes(source),
    )
    question = Question(
        recipe=recipe,
        choice=choice,
        known=find_shape(source),
        census=census_of(open_dataset(workspace, recipe.data.dataset), recipe),
        card=device,
        four_bit_possible=four_bit,
        most=most,
    )
    found = resolve(question, measured_peaks(workspace))
    words = "" if imagined else room_warning(workspace.outputs, trained_parameters(question))
    return replace(found, warnings=[words, *found.warnings], disk_warning=words) if words else found


def machine_card(workspace: Workspace) -> Card:
    """The first device of this machine, with what is free of it now.

    While a job of this workspace has it, nobody knows what will be free for the next one, which waits for its end.
    """
    device = known_devices()[0]
    if not is_gpu(device):
        return Card(device.name, None)
    free = None if device.id in _at_work(workspace) else free_bytes(device)
    return Card(device.name, device.memory_bytes, None if free is None else max(0, free - CONTEXT_BYTES))


def _at_work(workspace: Workspace) -> set[str]:
    """Ids of the devices that jobs of this workspace have."""
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return set()
    with reader:
        return {each for job in reader.jobs(ACTIVE) for each in ids_of(job.device)}


def _named_card(memory: int | None, name: str) -> Card:
    """A card that is asked about; the memory of one that is here, or of a known name, need not be given.

    Raises:
        UsageError: it has to be.
    """
    if memory is None:
        own = next((device for device in known_devices() if is_gpu(device) and device.name == name), None)
        memory = memory_of(name) if own is None else own.memory_bytes
    if memory is None:
        raise UsageError(
            f"The memory of {name!r} is not known",
            "No card of this name is here, and it is none of those whose memory comes with sonotune.",
            "Give it too, as in --memory 24GB.",
        )
    return Card(name, memory)


def measured_peaks(workspace: Workspace) -> list[Measured]:
    """Peaks that were measured in this workspace, oldest first; empty where nothing was recorded yet."""
    reader = Reader.open_or_none(workspace)
    if reader is None:
        return []
    with reader:
        return reader.memory_peaks()


def record_peak(workspace: Workspace, measured: Measured) -> int:
    """Keep a measured peak, which the next estimates are fitted to, and return its id."""
    with Writer.open(workspace) as writer:
        return writer.add_memory_peak(measured)
