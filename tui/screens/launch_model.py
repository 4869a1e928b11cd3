"""What stands in the launch form: the values, the recipe that they began as, and what is wrong with them.

A text that cannot be read as what its field holds stays as it was typed, with its problem: nothing is lost or guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine import api
from tui.widgets.form import FormRow


@dataclass(frozen=True, slots=True)
class Source:
    """Where the values came from."""

    title: str
    """Such as `preset demo` or `clone of run 3`; untrusted text."""
    preset: str = ""
    """Name of the preset; "" where they did not come from one."""
    parent_run_id: int | None = None
    """The run that they were cloned from."""

    @property
    def short(self) -> str:
        """What the values are compared with, in a word or two."""
        return self.preset or (f"run {self.parent_run_id}" if self.parent_run_id is not None else "the defaults")


@dataclass(frozen=True, slots=True)
class Entry:
    """One value as it was typed, and as it was read."""

    text: str
    value: object


class RecipeForm:
    """Values by dotted key. Needs pydantic: it is made when the engine has been loaded in a thread."""

    def __init__(self, offers: api.RecipeOffers) -> None:
        self.offers = offers
        self.fields = {field.key: field for field in offers.fields}
        self.source = Source("defaults")
        self._base: dict[str, Entry] = {}
        self._entries: dict[str, Entry] = {}
        self._kept: dict[str, Entry] = {}
        self.check = api.RecipeCheck(None)
        self.load({field.key: field.default for field in offers.fields if field.default is not None}, self.source)

    # ----- whole recipes

    def load(self, values: Mapping[str, object], source: Source) -> None:
        """Begin with the values of a recipe; what stands here is dropped."""
        self._base = {key: Entry(api.field_text(values.get(key)), values.get(key, "")) for key in self.fields}
        self.source = source
        self.reset_all()
        self.keep()

    def keep(self) -> None:
        """The values as they are have been written down somewhere: nothing is lost when they are dropped."""
        self._kept = dict(self._entries)

    @property
    def unsaved(self) -> bool:
        """Whether values would be lost."""
        return self._entries != self._kept

    def changed_keys(self) -> list[str]:
        """Keys whose values differ from the recipe that they began as, in the order of the file."""
        return [key for key in self.fields if self.differs(key)]

    def values(self) -> dict[str, object]:
        """All values, by dotted key."""
        return {key: entry.value for key, entry in self._entries.items()}

    # ----- one value

    def entry(self, key: str) -> Entry:
        """Text and value of a field."""
        return self._entries[key]

    def base(self, key: str) -> Entry:
        """What a field began as."""
        return self._base[key]

    def differs(self, key: str) -> bool:
        """Whether a value is another one than it began as."""
        now, then = self._entries[key].value, self._base[key].value
        return now != then or isinstance(now, bool) != isinstance(then, bool)

    def type(self, key: str, text: str) -> None:
        """Give a field what was typed."""
        self.restore(key, Entry(text, api.field_value(self.fields[key], text)))

    def restore(self, key: str, entry: Entry) -> None:
        """Give a field an entry that it has had; the text it began as is the value it began as."""
        same = entry.text == self._base[key].text
        self._entries[key] = self._base[key] if same else entry
        self._check()

    def reset(self, key: str) -> None:
        """Give a field what it began as."""
        self.restore(key, self._base[key])

    def reset_all(self) -> None:
        """Give every field what it began as."""
        self._entries = dict(self._base)
        self._check()

    def words(self, key: str) -> tuple[str, ...]:
        """Values to choose from: all that a choice may be, or what is on offer for a text."""
        field = self.fields[key]
        return field.choices or self.offers.words_for(key, self.values())

    def step(self, key: str, by: int) -> bool:
        """Give a field the value before or after its own, round and round; False where it has no others."""
        words = self.words(key)
        if self.fields[key].kind == "list" or not words or (len(words) == 1 and self._entries[key].text == words[0]):
            return False
        text = self._entries[key].text
        now = words.index(text) if text in words else (-1 if by > 0 else 0)
        self.type(key, words[(now + by) % len(words)])
        return True

    # ----- what the screen shows

    def problems(self, key: str) -> str:
        """Everything that is wrong at a field; "" where nothing is. Untrusted text."""
        return "; ".join(self.check.problems.get(key, ()))

    def rows(self) -> list[FormRow]:
        """The lines of the form."""
        rows: list[FormRow] = []
        section = None
        for key, field in self.fields.items():
            if field.section != section:
                section = field.section
                rows.append(FormRow("", section or "run"))
            rows.append(self._row(key, field))
        return rows

    def _row(self, key: str, field: api.RecipeField) -> FormRow:
        words = self.words(key)
        return FormRow(
            key=key,
            label=field.name,
            value=self._entries[key].text,
            before=self._base[key].text if self.differs(key) else None,
            problem=self._note(key, field),
            steps=field.kind != "list" and (len(words) > 1 or (bool(words) and not field.choices)),
        )

    def _note(self, key: str, field: api.RecipeField) -> str:
        """What is wrong, for the line of the field: what was found there stands beside it already."""
        problem = self.problems(key)
        return f"must be {field.valid}" if problem.endswith(f"; valid: {field.valid}") else problem

    def _check(self) -> None:
        self.check = api.check_recipe(self.values())
