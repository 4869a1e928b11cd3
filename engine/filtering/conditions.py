"""Single conditions: comparisons, `is none`, and words that are part of a name."""

from __future__ import annotations

from collections.abc import Mapping

from engine.filtering.errors import FilterError
from engine.filtering.kinds import EXAMPLES, Kind, is_unit, read_number
from engine.filtering.near import near_names
from engine.filtering.tokens import Sort, Token, tokens
from engine.filtering.tree import And, Compare, Missing, Node, Not, Operator

MOST = 100
"""Conditions in one filter."""

_SYNONYMS = {"==": "=", "<>": "!=", "~": "contains"}
_ELSEWHERE = {"&": "and", "&&": "and", "|": "or", "||": "or"}
"""What other languages write."""


class Conditions:
    """Reads one condition after the other from the tokens of a filter; see `engine.filtering.parser`."""

    def __init__(self, text: str, columns: Mapping[str, Kind], words: str) -> None:
        self.text = text
        self.columns = columns
        self.words = words
        self.names = {name.lower(): name for name in columns}
        self.tokens = list(tokens(text))
        self.at = 0
        self.conditions = 0

    # ----- tokens

    def peek(self, ahead: int = 0) -> Token | None:
        """The token `ahead` of the next one; None behind the last."""
        return self.tokens[self.at + ahead] if self.at + ahead < len(self.tokens) else None

    def accept(self, *words: str) -> Token | None:
        """The next token, taken, where it is one of these keywords."""
        token = self.peek()
        if token is None or not token.is_word(*words):
            return None
        self.at += 1
        return token

    def error(self, problem: str, token: Token | None, valid: str) -> FilterError:
        """The error that points at a token, or at the end of the text."""
        return FilterError(problem, self.text, len(self.text) if token is None else token.start, valid)

    # ----- conditions

    def condition(self) -> Node:
        """A comparison, or words of a name."""
        token = self.peek()
        if token is None or not token.is_value or token.is_word("and", "or", "is", "contains"):
            what = "at the end" if token is None else f"before `{token.text}`"
            raise self.error(
                f"A condition is missing {what}", token, "Write: column, operator, value; or part of a name."
            )
        return self.comparison() if self.compares() else self.bare_words()

    def compares(self) -> bool:
        """Whether the next token is a column, which is told by what stands behind it."""
        token, behind = self.peek(1), self.peek(2)
        if token is None:
            return False
        negated = token.is_word("not") and behind is not None and behind.is_word("contains")
        return token.sort is Sort.OPERATOR or token.is_word("is", "contains") or negated

    def bare_words(self) -> Node:
        """Words side by side: each is part of the name."""
        found: list[Node] = []
        while (token := self.peek()) and token.is_value and not token.is_word("and", "or", "not"):
            if found and self.compares():
                break  # a comparison without `and` before it: the caller says so
            self.at += 1
            self.refuse_forgotten_operator(token)
            self.count(token)
            found.append(Compare(self.words, Operator.CONTAINS, token.text))
        return found[0] if len(found) == 1 else And(tuple(found))

    def refuse_forgotten_operator(self, token: Token) -> None:
        """Raise FilterError for a bare word that a person can't mean as part of a name."""
        word = token.text.lower()
        if token.sort is Sort.WORD and word in self.names:
            valid = f'Write {word} and = != < contains or is; in quotes, "{word}" is looked for in the {self.words}.'
            raise FilterError(f"An operator is missing after the column {word}", self.text, token.end, valid)
        if token.sort is Sort.WORD and word in _ELSEWHERE:
            raise self.error(f"`{word}` is not known here", token, f"Write `{_ELSEWHERE[word]}`.")

    def comparison(self) -> Node:
        """A column with what is asked of it."""
        column = self.column()
        if self.accept("is"):
            return self.presence(column)
        negated = self.accept("not")
        token = self.peek()
        self.at += 1
        assert token is not None  # noqa: S101 - `compares` has looked
        operator = Operator(_SYNONYMS.get(token.text, token.text.lower()))
        self.refuse_operator(column, operator, token)
        node = Compare(column, operator, self.value(column, token))
        return Not(node) if negated else node

    def presence(self, column: str) -> Node:
        """What stands behind `is`."""
        negated = self.accept("not")
        token = self.accept("none", "set")
        if token is None:
            raise self.error("`none` or `set` is missing after `is`", self.peek(), f"Write `{column} is none`.")
        return Missing(column) if token.is_word("none") != bool(negated) else Not(Missing(column))

    # ----- columns and values

    def column(self) -> str:
        """The next token as a column, in the table's spelling."""
        token = self.tokens[self.at]
        self.at += 1
        self.count(token)
        name = self.names.get(token.text.lower())
        if name is None:
            raise self.error("There is no such column", token, near_names(token.text, self.columns))
        return name

    def count(self, token: Token) -> None:
        """Count a condition that begins at `token`; raise FilterError where there are too many."""
        self.conditions += 1
        if self.conditions > MOST:
            raise self.error(f"A filter has {MOST} conditions at most", token, "Make it shorter.")

    def refuse_operator(self, column: str, operator: Operator, token: Token) -> None:
        """Raise FilterError for an operator that means nothing for the column's kind."""
        kind = self.columns[column]
        if not kind.is_text and operator is Operator.CONTAINS:
            raise self.error(f"`{token.text}` is for text; {column} is a {kind}", token, "Use = != < <= > or >=.")
        if kind is Kind.TIME and operator in (Operator.EQUAL, Operator.NOT_EQUAL):
            raise self.error(f"{column} is a moment, which nothing equals", token, "Use < <= > or >=.")
        if kind is Kind.TAGS and operator not in (Operator.EQUAL, Operator.NOT_EQUAL, Operator.CONTAINS):
            raise self.error(f"{column} has no order", token, "Use = != or contains.")

    def value(self, column: str, operator: Token) -> str | float:
        """The next token as a value of the column."""
        token = self.peek()
        if token is None or not token.is_value or token.is_word("and", "or"):
            valid = f"Write {EXAMPLES[self.columns[column]]}."
            raise self.error(f"A value is missing after `{operator.text}`", token, valid)
        self.at += 1
        kind = self.columns[column]
        return token.text if kind.is_text else self.number(column, kind, token)

    def number(self, column: str, kind: Kind, token: Token) -> float:
        """`token`, and a unit that stands alone behind it, as a number in the column's unit."""
        text = token.text
        unit = self.peek()
        if unit is not None and unit.sort is Sort.WORD and is_unit(unit.text, kind) and text[-1:].isdigit():
            self.at += 1
            text += unit.text
        value = read_number(text, kind)
        if value is None:
            raise self.error(f"This is no value for {column}, a {kind}", token, f"Write {EXAMPLES[kind]}.")
        return value
