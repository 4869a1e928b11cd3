"""From a filter's text to its tree, by recursive descent.

    filter     = or
    or         = and { "or" and }
    and        = not { "and" not }
    not        = "not" not | "(" or ")" | comparison | words
    comparison = column OP value | column ["not"] "contains" value | column "is" ["not"] ("none" | "set")
    words      = value { value }          each of them is part of the name

Keywords and column names may be written in any case.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.filtering.conditions import Conditions
from engine.filtering.errors import FilterError
from engine.filtering.kinds import Kind
from engine.filtering.tokens import Sort, Token
from engine.filtering.tree import And, Node, Not, Or

LONGEST = 10_000
"""Characters."""
DEEPEST = 50
"""Parentheses and `not` inside each other; more would exhaust the stack here or SQLite's own limit."""


def parse(text: str, columns: Mapping[str, Kind], words: str = "name") -> Node | None:
    """Read a filter.

    Args:
        text: what a person typed; may be anything.
        columns: the columns that it may name, and what they hold.
        words: the text column that words without an operator are looked for in.

    Returns:
        The tree; None for an empty text, which matches everything.

    Raises:
        FilterError: what is wrong, where, and what could stand there.
    """
    if len(text) > LONGEST:
        raise FilterError(f"A filter has {LONGEST:,} characters at most", text, LONGEST, "Make it shorter.")
    for position, character in enumerate(text):
        if "\ud800" <= character <= "\udfff":
            raise FilterError("This character is no Unicode text", text, position, "Type it anew.")
    return _Parser(text, columns, words).parse()


class _Parser(Conditions):
    depth = 0

    def parse(self) -> Node | None:
        if not self.tokens:
            return None
        node = self.either()
        if left := self.peek():
            if left.sort is Sort.CLOSE:
                raise self.error("`)` closes nothing", left, "Take it away, or open it with `(`.")
            if left.sort is Sort.OPERATOR:
                raise self.error(f"`{left.text}` has no column before it", left, "Write: column, operator, value.")
            raise self.error("`and` or `or` is missing here", left, 'Join conditions; quote text with spaces: "run 4".')
        return node

    def either(self) -> Node:
        parts = self.joined(self.both, "or")
        return parts[0] if len(parts) == 1 else Or(_flat(parts, Or))

    def both(self) -> Node:
        parts = self.joined(self.negated, "and")
        return parts[0] if len(parts) == 1 else And(_flat(parts, And))

    def joined(self, part: Callable[[], Node], keyword: str) -> list[Node]:
        parts = [part()]
        while self.accept(keyword):
            parts.append(part())
        return parts

    def negated(self) -> Node:
        token = self.peek()
        if token is None or (token.sort is not Sort.OPEN and not token.is_word("not")):
            return self.condition()
        self.depth += 1
        if self.depth > DEEPEST:
            raise self.error(f"More than {DEEPEST} levels of `(` and `not`", token, "Make it simpler.")
        self.at += 1
        node = self.bracketed(token) if token.sort is Sort.OPEN else Not(self.negated())
        self.depth -= 1
        return node

    def bracketed(self, opened: Token) -> Node:
        node = self.either()
        closing = self.peek()
        if closing is None:
            raise self.error("`(` is left open", opened, "Close it with `)`.")
        if closing.sort is not Sort.CLOSE:
            raise self.error("`)`, `and` or `or` is missing here", closing, "Join conditions, or close the bracket.")
        self.at += 1
        return node


def _flat(parts: list[Node], kind: type[And] | type[Or]) -> tuple[Node, ...]:
    """`parts` with those of the same kind dissolved: brackets that change nothing leave no trace."""
    flat: list[Node] = []
    for part in parts:
        if isinstance(part, And | Or) and isinstance(part, kind):
            flat.extend(part.parts)
        else:
            flat.append(part)
    return tuple(flat)
