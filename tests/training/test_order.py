"""Which samples make up a step, and how a step is shared out to forward passes."""

from __future__ import annotations

import math
from itertools import chain, groupby
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.data_loader import skip_first_batches
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from engine.training.order import MicroBatches

asked = st.lists(st.integers(1, 8), min_size=1, max_size=30)
"""How many questions each image has."""
shapes = st.tuples(st.integers(1, 9), st.integers(1, 5))
"""Micro-batch and accumulation."""


def order_of(
    questions: list[int], shape: tuple[int, int] = (4, 2), *, together: bool = False, seed: int = 7
) -> MicroBatches:
    samples = [image for image, count in enumerate(questions) for _ in range(count)]
    lengths = [20 + 37 * image % 90 + number % 5 for number, image in enumerate(samples)]
    return MicroBatches(samples, lengths, micro_batch=shape[0], accumulation=shape[1], seed=seed, together=together)


@given(questions=asked, shape=shapes, together=st.booleans(), epoch=st.integers(0, 3))
def test_every_example_comes_once_an_epoch(
    questions: list[int], shape: tuple[int, int], together: bool, epoch: int
) -> None:
    order = order_of(questions, shape, together=together)
    order.epoch = epoch
    assert sorted(chain.from_iterable(order)) == list(range(sum(questions)))


@given(questions=asked, shape=shapes, together=st.booleans())
def test_passes_are_as_many_as_the_trainer_counts_on(
    questions: list[int], shape: tuple[int, int], together: bool
) -> None:
    order = order_of(questions, shape, together=together)
    passes = list(order)
    assert all(passes)
    assert len(passes) == len(order) == math.ceil(sum(questions) / shape[0])
    # The trainer takes the next `accumulation` passes for a step, so windows must begin where it begins one.
    steps = [sorted(chain.from_iterable(passes[start : start + shape[1]])) for start in range(0, len(passes), shape[1])]
    assert steps == [sorted(window) for window in order.windows()]


@given(questions=asked, factors=st.lists(st.sampled_from([2, 3]), max_size=3), split=st.integers(0, 3))
def test_a_step_is_the_same_step_however_it_is_computed(questions: list[int], factors: list[int], split: int) -> None:
    whole, micro = math.prod(factors), math.prod(factors[:split])
    windows = list(order_of(questions, (whole, 1)).windows())
    for together in (False, True):
        assert list(order_of(questions, (micro, whole // micro), together=together).windows()) == windows


def test_seed_and_epoch_alone_draw_the_order() -> None:
    def epochs(seed: int, together: bool = False) -> list[list[int]]:
        order, found = order_of([2] * 12, (4, 2), together=together, seed=seed), []
        for order.epoch in range(3):
            found.append(list(chain.from_iterable(order.windows())))
        return found

    assert epochs(7) == epochs(7) == epochs(7, together=True)
    assert len({tuple(each) for each in [*epochs(7), *epochs(8)]}) == 6


@given(questions=asked, shape=shapes)
def test_the_questions_to_an_image_stand_side_by_side(questions: list[int], shape: tuple[int, int]) -> None:
    order = order_of(questions, shape)
    numbers = list(chain.from_iterable(order.windows()))
    images = [order.group_of[number] for number in numbers]
    runs = [image for place, image in enumerate(images) if place == 0 or images[place - 1] != image]
    assert len(runs) == len(set(runs)) == len(questions)


@given(questions=asked, shape=shapes)
def test_packed_passes_hold_whole_images_wherever_there_are_enough(
    questions: list[int], shape: tuple[int, int]
) -> None:
    order = order_of(questions, shape, together=True)
    passes = iter(order)
    for window in order.windows():
        mine = [next(passes) for _ in range(math.ceil(len(window) / shape[0]))]
        images = {order.group_of[number] for number in window}
        if len(images) >= len(mine):
            holders = [{order.group_of[number] for number in each} for each in mine]
            assert sum(map(len, holders)) == len(images)
        else:
            # No image is whole in a small pass, but what it holds of one stands side by side.
            assert list(chain.from_iterable(mine)) == window


@given(questions=asked, shape=shapes)
def test_unpacked_passes_have_the_micro_batch_and_long_samples_with_long_ones(
    questions: list[int], shape: tuple[int, int]
) -> None:
    order = order_of(questions, shape)
    passes = iter(order)
    for window in order.windows():
        mine = [next(passes) for _ in range(math.ceil(len(window) / shape[0]))]
        assert [len(each) for each in mine[:-1]] == [shape[0]] * (len(mine) - 1)
        lengths = [order.lengths[number] for number in chain.from_iterable(mine)]
        assert lengths == sorted(lengths, reverse=True)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("together", [False, True])
def test_a_resumed_run_goes_on_with_the_passes_that_are_left(together: bool, workers: int) -> None:
    order = order_of([3, 8, 1, 5, 8, 8, 2], (4, 2), together=together)
    loader: Any = DataLoader(
        torch.arange(35), batch_sampler=order, collate_fn=lambda items: [int(item) for item in items],
        num_workers=workers,
    )  # fmt: skip
    prepared = Accelerator(cpu=True).prepare(loader)
    order.epoch = 1
    passes = list(order)
    assert len(prepared) == len(passes)
    for skipped in (0, 1, 4, len(passes) - 1):
        assert list(skip_first_batches(prepared, skipped)) == passes[skipped:]


# --- the largest pass ---


@given(questions=asked, shape=shapes, together=st.booleans())
def test_no_pass_is_larger_than_the_largest(questions: list[int], shape: tuple[int, int], together: bool) -> None:
    order = order_of(questions, shape, together=together)
    largest = order.places(order.largest())
    for order.epoch in range(3):
        for each in order:
            assert order.places(each) <= largest


def test_few_questions_to_many_images_can_make_the_largest_pass() -> None:
    # 4 images with 8 questions make 4 rows; 8 images with one question each make 8, with twice the pixels.
    order = MicroBatches(
        [*(image for image in range(4) for _ in range(8)), *range(4, 36)], [100 + 5] * 64,
        micro_batch=32, accumulation=2, seed=7, together=True, shared=[100] * 64,
    )  # fmt: skip
    passes = list(order)
    assert [sum(1 for _ in each) for each in passes] != [32, 32]
    assert max(map(order.places, passes)) < 32 * 105
    assert order.places(order.largest()) >= max(map(order.places, passes))


@given(questions=st.lists(st.sampled_from([1, 8]), min_size=8, max_size=40))
def test_packed_passes_of_a_step_are_nearly_alike(questions: list[int]) -> None:
    samples = [image for image, count in enumerate(questions) for _ in range(count)]
    order = MicroBatches(
        samples, [100] * len(samples), micro_batch=16, accumulation=4, seed=7, together=True, shared=[60] * len(samples)
    )
    passes = iter(order)
    for window in order.windows():
        mine = [next(passes) for _ in range(math.ceil(len(window) / 16))]
        tokens = [sum(order.row_length(row) for row in rows_of(order, each)) for each in mine]
        if len({order.group_of[number] for number in window}) >= len(mine):
            assert max(tokens) - min(tokens) <= 2 * order.row_length(range(8))


def rows_of(order: MicroBatches, numbers: list[int]) -> list[list[int]]:
    return [list(row) for _, row in groupby(numbers, key=order.group_of.__getitem__)]
