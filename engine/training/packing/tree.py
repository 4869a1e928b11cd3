"""One image with everything that is asked about it, as a tree of token segments laid out in one row.

The root is what all have in common: the chat's beginning and the image. Every other segment continues its parent and
sees nothing of its siblings, so it stands exactly where it would stand in a sequence of its own: positions go on from
the parent's end, and attention reaches ancestors and itself alone.

    root: <user> [image]        positions 0 .. P-1
      |- "Q1 ... " "answer"     positions P ..       sees root and itself
      |- "Q7 ... "              positions P ..       sees root and itself
           |- "Normal"          goes on after Q7     sees root, Q7 and itself
           |- "Abnormal"
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from engine.training.packing.positions import image_positions

PAD = -1
"""Segment of a padded place."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Tokens that continue another segment."""

    ids: tuple[int, ...]
    parent: int = 0
    """Number of the segment that it continues; 0 is the root."""
    trained: int = 0
    """How many of its last tokens are labels."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The root and the segments that hang on it, numbered from 1; parents come before their children."""

    root: tuple[int, ...]
    rows: int
    """Merged image tokens along the height."""
    columns: int
    """Merged image tokens along the width."""
    segments: tuple[Segment, ...]

    @property
    def length(self) -> int:
        """Tokens of the whole row."""
        return len(self.root) + sum(len(segment.ids) for segment in self.segments)


@dataclass(frozen=True, slots=True)
class Row:
    """A tree laid out; every tensor is int64."""

    ids: torch.Tensor
    """(length,)."""
    labels: torch.Tensor
    """(length,): the token itself where it is trained, `ignored` elsewhere."""
    segments: torch.Tensor
    """(length,): number of the segment; 0 is the root."""
    positions: torch.Tensor
    """(3, length): time, height, width, as M-RoPE takes them."""
    ancestors: torch.Tensor
    """(segments + 1, segments + 1) bool: [a, b] says that a sees b, that is, b is a or comes before it."""
    ends: tuple[int, ...]
    """Place of the last token of each segment, the root first."""
    next_positions: tuple[int, ...]
    """Position that a token after each segment would have, the root first."""


def common_root(prompts: Sequence[Sequence[int]]) -> int:
    """How many first tokens all prompts share, at least one fewer than the shortest has.

    Each branch keeps its own last prompt token, because the answer's first token is predicted there.
    """
    most = min(len(prompt) for prompt in prompts) - 1
    first = prompts[0]
    for place in range(most):
        if any(prompt[place] != first[place] for prompt in prompts):
            return place
    return most


def lay_out(tree: Tree, image_token_id: int, ignored: int) -> Row:
    """The row of a tree.

    Args:
        tree: its root holds the whole image.
        image_token_id: marks the image's tokens.
        ignored: label of places that are not trained.

    Raises:
        ValueError: a parent stands after its child, or image tokens stand in a segment.
    """
    position, following = image_positions(tree.root, tree.rows, tree.columns, image_token_id)
    ids, labels = list(tree.root), [ignored] * len(tree.root)
    numbers, positions = [0] * len(tree.root), [position]
    seen, nexts, ends = [{0}], [following], [len(tree.root) - 1]
    for number, segment in enumerate(tree.segments, start=1):
        if segment.parent >= number:
            raise ValueError(f"segment {number} stands before its parent {segment.parent}")
        if image_token_id in segment.ids:
            raise ValueError("image tokens stand in a segment; the root must hold the whole image")
        start, count = nexts[segment.parent], len(segment.ids)
        ids += segment.ids
        labels += [*[ignored] * (count - segment.trained), *segment.ids[count - segment.trained :]]
        numbers += [number] * count
        positions.append(torch.arange(start, start + count).expand(3, -1))
        seen.append(seen[segment.parent] | {number})
        nexts.append(start + count)
        ends.append(len(ids) - 1)
    ancestors = torch.zeros(len(seen), len(seen), dtype=torch.bool)
    for number, those in enumerate(seen):
        ancestors[number, list(those)] = True
    return Row(
        torch.tensor(ids),
        torch.tensor(labels),
        torch.tensor(numbers),
        torch.cat(positions, dim=1),
        ancestors,
        tuple(ends),
        tuple(nexts),
    )
