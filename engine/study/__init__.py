"""Studies: a question that several runs answer together.

A study file is a base recipe, the arms that differ from it in declared keys, and a rule of decision that is written
down before anything runs. It expands to one recipe for each arm and seed; runs that are done already are found by what
their recipe says, never by name. Light: no machine-learning library, and numpy only in `engine.study.analysis`.
"""

from __future__ import annotations
