"""Work that the launch screen has done in threads; what goes wrong is an answer too, to be shown in its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine import api
from tui.poller import attempt

Act = Callable[[Callable[[], Any], Callable[[Any], None]], None]
"""Does work in a thread and gives its answer to the second callback, on the thread of the screens."""


class Planner:
    """Asks what a launch would do, one recipe at a time; of those that come meanwhile only the last is asked for."""

    def __init__(
        self,
        act: Act,
        plan: Callable[[api.Recipe], api.LaunchPlan],
        deliver: Callable[[api.LaunchPlan | api.SonotuneError], None],
    ) -> None:
        self._act, self._plan, self._deliver = act, plan, deliver
        self._wanted: api.Recipe | None = None
        self._busy = False

    def ask(self, recipe: api.Recipe | None) -> None:
        """Ask for this recipe instead of any other; None: for none."""
        self._wanted = recipe
        if recipe is not None and not self._busy:
            self._begin(recipe)

    @property
    def waiting(self) -> bool:
        """Whether an answer is still to come."""
        return self._busy and self._wanted is not None

    def _begin(self, recipe: api.Recipe) -> None:
        self._busy = True
        self._act(lambda: attempt(lambda: self._plan(recipe)), lambda answer: self._end(recipe, answer))

    def _end(self, recipe: api.Recipe, answer: api.LaunchPlan | api.SonotuneError) -> None:
        self._busy = False
        if self._wanted is recipe:
            self._wanted = None
            self._deliver(answer)
        elif self._wanted is not None:
            self._begin(self._wanted)
