"""Changing the values of the launch form: typing, choosing, switching, going back."""

from __future__ import annotations

from collections.abc import Hashable
from typing import ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.screen import Screen

from engine import api
from tui.dialogs.choose import Choose, Option
from tui.dialogs.confirm import Confirm
from tui.screens.launch_model import Entry, RecipeForm
from tui.widgets.fieldinput import FormPane
from tui.widgets.form import Form


class LaunchEditing(Screen[None]):
    """Mixin of the launch screen. These keys act while the form has the focus."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "edit", "Edit", id="launch.edit", tooltip="Type the value, or choose it from a list"),
        Binding("space", "switch", "Change", show=False, id="launch.switch", tooltip="Switch it, or mark its items"),
        Binding("left", "step(-1)", "Value before", show=False, id="launch.before", tooltip="The value before"),
        Binding("right", "step(1)", "Next value", show=False, id="launch.after", tooltip="The next value"),
        Binding("u", "reset", "Reset", id="launch.reset", tooltip="Give the field what it began as"),
        Binding("U", "reset_all", "Reset all", show=False, id="launch.reset_all", tooltip="Drop every change"),
    ]
    FORM_ACTIONS: ClassVar[frozenset[str]] = frozenset({"edit", "switch", "step", "reset"})

    form: RecipeForm | None = None
    """What the form holds; None until the engine has been loaded."""
    _before: Entry | None = None
    """What stood in the field that is being typed."""

    def values_changed(self) -> None:
        """The values are others: everything that depends on them is to be shown anew."""

    def show_values(self) -> None:
        """Somebody types: the values are to be shown, but not acted upon yet."""

    def _field(self) -> api.RecipeField | None:
        """The field under the cursor; None in a form that is empty yet."""
        return None if self.form is None else self.form.fields.get(self.query_one(Form).key)

    @on(Form.Opened)
    def action_edit(self) -> None:
        """Type the value under the cursor, or choose it from a list; what has two values is switched."""
        form, field = self.form, self._field()
        if form is None or field is None:
            return
        if field.kind == "bool":
            self.action_step(1)
        elif field.kind == "choice":
            self._choose(form, field)
        else:
            self._before = form.entry(field.key)
            self.query_one(FormPane).edit(self._before.text, form.words(field.key) if field.kind == "text" else ())

    def action_switch(self) -> None:
        """Mark items of a list, or take the next value of a choice."""
        field = self._field()
        if self.form is not None and field is not None and field.kind == "list":
            self._choose(self.form, field)
        else:
            self.action_step(1)

    def action_step(self, by: int) -> None:
        """Take the value before (-1) or after (1) the present one, where there are others."""
        field = self._field()
        if self.form is not None and field is not None and self.form.step(field.key, by):
            self.values_changed()

    def _choose(self, form: RecipeForm, field: api.RecipeField) -> None:
        several, value = field.kind == "list", form.entry(field.key).value
        marked = [word for word in field.choices if word in value] if isinstance(value, tuple) else [value]

        def answered(chosen: list[Hashable] | None) -> None:
            if chosen is not None:
                form.type(field.key, ", ".join(word for word in field.choices if word in chosen))
                self.values_changed()

        options = [Option(word, word, "the default" if word == field.default else "") for word in field.choices]
        self.app.push_screen(Choose(field.key, options, chosen=marked, several=several), answered)

    def typed(self, key: str, text: str) -> None:
        """Another text stands over a value."""
        if self.form is not None:
            self.form.type(key, text)
            self.show_values()

    def typing_ended(self, key: str, text: str, keep: bool) -> None:
        """The text over a value is to be kept, or not."""
        if self.form is None or self._before is None:
            return
        before, self._before = self._before, None
        if keep and text != api.one_line(before.text):
            self.form.type(key, text)
        else:
            self.form.restore(key, before)
        self.values_changed()

    def end_typing(self) -> None:
        """What is typed counts."""
        for pane in self.query(FormPane):
            pane.end()

    def action_reset(self) -> None:
        """Give the field under the cursor what it began as."""
        field = self._field()
        if self.form is not None and field is not None:
            self.form.reset(field.key)
            self.values_changed()

    def action_reset_all(self) -> None:
        """Drop every change, after a question."""
        form = self.form
        if form is None or not form.changed_keys():
            return

        def answered(yes: bool | None) -> None:
            if yes:
                form.reset_all()
                self.values_changed()

        question = api.one_line(f"Drop all changes to {form.source.short}?")
        self.app.push_screen(
            Confirm(question, f"Fields that differ: {len(form.changed_keys())}.", "drop them"), answered
        )
