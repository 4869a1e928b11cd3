"""The presets as a list beside the form."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import ClassVar

from textual.binding import Binding, BindingType

from engine import api
from tui.dialogs.choose import Option
from tui.widgets.table import Cell, Column, Table

COLUMNS = (Column("mark", "", 1), Column("name", "preset", 14, flex=1))


class PresetsModel:
    """The rows of the list."""

    def __init__(self, table: Callable[[], Table]) -> None:
        self._table = table
        self.presets: tuple[api.Preset, ...] = ()
        self.current = ""
        """Name of the preset that stands in the form."""

    def row_count(self) -> int:
        """Presets of the workspace and of the repository."""
        return len(self.presets)

    def row_key(self, row: int) -> Hashable:
        """Name of a preset."""
        return self.presets[row].name

    def row_cells(self, row: int, columns: Sequence[Column], _widths: Sequence[int]) -> list[Cell]:
        """One preset."""
        preset, palette = self.presets[row], self._table().palette
        cells = {
            "mark": ("●" if preset.name == self.current else " ", palette.accent),
            "name": (preset.name if preset.recipe is not None else f"{preset.name} (broken)", palette.text),
        }
        return [cells[column.key] for column in columns]


class PresetTable(Table, inherit_bindings=False):
    """A table without the keys for columns: `l` launches from here too."""

    HELP_TITLE = "Presets"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", "Load", id="presets.load", tooltip="Load this preset into the form"),
        *Table.bindings_but("table.left", "table.right", "table.open"),
    ]


def preset_options(presets: Sequence[api.Preset]) -> list[Option]:
    """The presets for a dialog."""
    return [Option(preset.name, preset.name, preset.words) for preset in presets]


def first_preset(presets: Sequence[api.Preset]) -> api.Preset | None:
    """What to begin with: the recipe that runs on any machine, else the first sound one."""
    sound = [preset for preset in presets if preset.recipe is not None]
    return next((preset for preset in sound if preset.name == "demo"), sound[0] if sound else None)
