"""Adding up the gradients of all ranks in one message."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist


class GradientSum:
    """A buffer for all trained parameters of a model, kept so that a step never needs more memory than the last one.

    A sum, not a mean: each rank's loss is divided by the answer tokens of the whole step already.
    """

    def __init__(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Take the trained parameters, which are float32 and in the same order on every rank."""
        self.parameters = list(parameters)
        sizes = [each.numel() for each in self.parameters]
        count = len(self.parameters)
        first = self.parameters[0]
        # The places at the end tell on how many ranks a parameter has a gradient at all.
        self._buffer = torch.zeros(sum(sizes) + count, dtype=first.dtype, device=first.device)
        *slices, self._present = torch.split(self._buffer, [*sizes, count])
        self._slices = [part.view_as(each) for part, each in zip(slices, self.parameters, strict=True)]

    def add_up(self) -> None:
        """Replace each gradient by the sum over the ranks.

        A rank without a sample in the short last step of an epoch has no gradients at all and gets those of the others;
        a parameter that has none on any rank stays without, so that the optimizer leaves it alone as ever.
        """
        here = [each.grad is not None for each in self.parameters]
        for part, parameter in zip(self._slices, self.parameters, strict=True):
            if parameter.grad is None:
                part.zero_()
            else:
                part.copy_(parameter.grad)
        self._present.copy_(torch.tensor(here, dtype=self._buffer.dtype))
        dist.all_reduce(self._buffer)
        used = here if all(here) else [number > 0 for number in self._present.tolist()]
        for part, parameter, wanted in zip(self._slices, self.parameters, used, strict=True):
            if parameter.grad is not None:
                parameter.grad.copy_(part)
            elif wanted:
                parameter.grad = part.clone()

    def spread_parameters(self) -> None:
        """Give every rank the parameters of the first."""
        with torch.no_grad():
            for part, parameter in zip(self._slices, self.parameters, strict=True):
                part.copy_(parameter)
            dist.broadcast(self._buffer, src=0)
            for part, parameter in zip(self._slices, self.parameters, strict=True):
                parameter.copy_(part)
