"""The parts of packing, each against a slow or official way of doing the same."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from engine.training.collator import IGNORED
from engine.training.packing.eligibility import packing_refusal
from engine.training.packing.masks import tree_mask
from engine.training.packing.positions import image_positions
from engine.training.packing.tree import PAD, Row, Segment, Tree, common_root, lay_out

IMAGE = 500
MERGE = 2
texts = st.lists(st.integers(1, 99), max_size=6)
sides = st.integers(1, 5)


# --- positions ---


@pytest.fixture(scope="module")
def official(base_folder: Any) -> Any:
    """`Qwen3VLModel.get_rope_index` of the very transformers that trains."""
    from transformers import AutoConfig, Qwen3VLModel

    config = AutoConfig.from_pretrained(base_folder)
    assert config.vision_config.spatial_merge_size == MERGE
    return Qwen3VLModel(config).get_rope_index


@given(before=texts, after=texts, rows=sides, columns=sides)
def test_positions_are_those_of_transformers(
    official: Any, before: list[int], after: list[int], rows: int, columns: int
) -> None:
    ids = [*before, *[IMAGE] * (rows * columns), *after]
    found, following = image_positions(ids, rows, columns, IMAGE)
    tokens = torch.tensor([ids])
    expected, delta = official(
        tokens, (tokens == IMAGE).int(), image_grid_thw=torch.tensor([[1, rows * MERGE, columns * MERGE]])
    )
    assert torch.equal(found, expected[:, 0])
    assert following == len(ids) + int(delta)


@pytest.mark.parametrize("ids", [[1, IMAGE, 2], [IMAGE, 1, IMAGE, IMAGE, IMAGE], [IMAGE] * 5, [1, 2]])
def test_image_tokens_that_make_no_image_are_refused(ids: list[int]) -> None:
    with pytest.raises(ValueError, match="do not make one image of 2 x 2"):
        image_positions(ids, 2, 2, IMAGE)


# --- trees ---


@st.composite
def trees(draw: st.DrawFn, deep: bool = True) -> Tree:
    """Trees over images of any small size; with `deep` segments also continue other segments."""
    rows, columns = draw(sides), draw(sides)
    root = (*draw(texts), *[IMAGE] * (rows * columns), *draw(texts))
    segments: list[Segment] = []
    for number in range(draw(st.integers(1, 6))):
        ids = tuple(draw(st.lists(st.integers(1, 99), min_size=1, max_size=5)))
        parent = draw(st.integers(0, number)) if deep else 0
        segments.append(Segment(ids, parent, trained=draw(st.integers(0, len(ids)))))
    return Tree(root, rows, columns, tuple(segments))


def line_of_descent(tree: Tree, number: int) -> list[int]:
    """Numbers from the root to a segment."""
    line = [number]
    while line[0] != 0:
        line.insert(0, tree.segments[line[0] - 1].parent)
    return line


def slow_mask(numbers: list[int], tree: Tree) -> torch.Tensor:
    """Who sees whom, place by place."""
    length = len(numbers)
    mask = torch.zeros(length, length, dtype=torch.bool)
    for query, key in itertools.product(range(length), repeat=2):
        if PAD in (numbers[query], numbers[key]):
            mask[query, key] = query == key
        else:
            mask[query, key] = key <= query and numbers[key] in line_of_descent(tree, numbers[query])
    return mask


def padded(row: Row, pads: int) -> torch.Tensor:
    return torch.cat([row.segments, torch.full((pads,), PAD)])[None]


@given(tree=trees(), pads=st.integers(0, 4))
def test_a_token_sees_its_own_line_of_descent_alone(tree: Tree, pads: int) -> None:
    row = lay_out(tree, IMAGE, IGNORED)
    segments = padded(row, pads)
    found = tree_mask(segments, row.ancestors[None])
    assert found.shape == (1, 1, segments.shape[1], segments.shape[1])
    assert torch.equal(found[0, 0], slow_mask(segments[0].tolist(), tree))
    assert found.any(dim=-1).all()  # a row of the mask without any True would turn to NaN


@given(tree=trees(deep=False), pads=st.integers(0, 4))
def test_trees_of_depth_one_need_no_table_of_ancestors(tree: Tree, pads: int) -> None:
    row = lay_out(tree, IMAGE, IGNORED)
    segments = padded(row, pads)
    assert torch.equal(tree_mask(segments), tree_mask(segments, row.ancestors[None]))


@given(tree=trees())
def test_every_segment_stands_where_it_would_stand_in_a_sequence_of_its_own(tree: Tree) -> None:
    row = lay_out(tree, IMAGE, IGNORED)
    assert tree.length == len(row.ids) == row.positions.shape[1]
    for number, segment in enumerate(tree.segments, start=1):
        line = line_of_descent(tree, number)
        seen = torch.isin(row.segments, torch.tensor(line))
        ids = [*tree.root, *(token for each in line[1:] for token in tree.segments[each - 1].ids)]
        alone, following = image_positions(ids, tree.rows, tree.columns, IMAGE)
        assert row.ids[seen].tolist() == ids
        assert torch.equal(row.positions[:, seen], alone)
        assert row.next_positions[number] == following
        assert int(row.ids[row.ends[number]]) == segment.ids[-1]
        assert int(row.segments[row.ends[number]]) == number
        own = row.labels[row.segments == number].tolist()
        untrained = len(segment.ids) - segment.trained
        assert own == [*[IGNORED] * untrained, *segment.ids[untrained:]]
    assert (row.labels[row.segments == 0] == IGNORED).all()


def test_a_tree_that_cannot_be_laid_out_is_refused() -> None:
    with pytest.raises(ValueError, match="before its parent"):
        lay_out(Tree((1, IMAGE), 1, 1, (Segment((5,), parent=1),)), IMAGE, IGNORED)
    with pytest.raises(ValueError, match="root must hold the whole image"):
        lay_out(Tree((1, IMAGE), 1, 1, (Segment((IMAGE, 5)),)), IMAGE, IGNORED)


@given(st.lists(st.lists(st.integers(0, 2), min_size=1, max_size=6), min_size=1, max_size=4))
def test_the_root_is_the_longest_common_beginning_and_leaves_each_prompt_its_last_token(
    prompts: list[list[int]],
) -> None:
    found = common_root(prompts)
    fits = [
        length
        for length in range(min(map(len, prompts)))
        if all(prompt[:length] == prompts[0][:length] for prompt in prompts)
    ]
    assert found == max(fits)


# --- where packing would be wrong ---

ROUND = {"model_type": "qwen3_vl", "text_config": {"layer_types": ["full_attention"] * 2}}


@pytest.mark.parametrize(
    ("config", "options", "reason"),
    [
        ({"model_type": "qwen2_5_vl"}, {}, "of type 'qwen2_5_vl'; packing is proved for qwen3_vl alone"),
        ({}, {}, "of type None"),
        (
            {"model_type": "qwen3_vl", "text_config": {"layer_types": ["full_attention", "linear_attention"]}},
            {},
            "layers of type linear_attention carry what they read past any mask",
        ),
        (
            {"model_type": "qwen3_vl", "text_config": {"use_sliding_window": True, "sliding_window": 4096}},
            {},
            "sliding window",
        ),
        (ROUND, {"attention": "flash_attention_2"}, "'flash_attention_2' takes no mask of four dimensions"),
        (ROUND, {"dropout": 0.1}, "lora.dropout is above 0"),
    ],
)
def test_packing_is_refused_with_the_reason(config: dict[str, Any], options: dict[str, Any], reason: str) -> None:
    assert reason in (packing_refusal(config, **options) or "")


def test_packing_is_not_refused_for_the_models_that_it_is_for(base_folder: Any) -> None:
    from transformers import AutoConfig

    assert packing_refusal(AutoConfig.from_pretrained(base_folder).to_dict()) is None
    assert packing_refusal(ROUND) is None
    unused = {"model_type": "qwen3_vl", "text_config": {"use_sliding_window": False, "sliding_window": 4096}}
    assert packing_refusal(unused) is None
