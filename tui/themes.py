"""Colours: three themes, and the palette that widgets draw with.

Series colours follow Okabe and Ito (2008), which people with any of the common colour blindnesses can tell apart, in a
lighter and a darker version for dark and light grounds. No meaning is carried by colour alone: states have words, marks
have signs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from rich.style import Style
from textual.app import App
from textual.theme import Theme

DARK, LIGHT, CONTRAST = "sonotune-dark", "sonotune-light", "sonotune-contrast"


@dataclass(frozen=True, slots=True)
class Palette:
    """Styles to draw with. All but `selected`, `cursor`, `header` and `bar` leave the ground as it is."""

    text: Style
    dim: Style
    bold: Style
    accent: Style
    """Keys, links, what is active."""
    good: Style
    warn: Style
    bad: Style
    header: Style
    """Heads of tables and panes."""
    cursor: Style
    """The row or cell that the next key acts on."""
    selected: Style
    """That row in a pane without the focus."""
    bar: Style
    """The top and the bottom line of the frame."""
    bar_key: Style
    bar_active: Style
    """The current screen in the top line."""
    track: Style
    """The empty part of bars and gauges."""
    series: tuple[Style, ...]
    """Lines of a chart, in the order in which runs are added."""
    shadow: tuple[Style, ...]
    """The raw values behind each smoothed line, in the same order."""

    def named(self, tone: str) -> Style:
        """The style of that name, such as `bad`."""
        style: Style = getattr(self, tone)
        return style


@dataclass(frozen=True, slots=True)
class _Colours:
    background: str
    surface: str
    panel: str
    text: str
    dim: str
    accent: str
    good: str
    warn: str
    bad: str
    cursor: str
    cursor_text: str
    selected: str
    track: str
    series: tuple[str, ...]
    shadow: tuple[str, ...]
    dark: bool


_SCHEMES = {
    DARK: _Colours(
        background="#14181c",
        surface="#1b2025",
        panel="#242b32",
        text="#d7dce0",
        dim="#8b96a0",
        accent="#56b4e9",
        good="#3fbf97",
        warn="#e69f00",
        bad="#ff7a52",
        cursor="#2f5878",
        cursor_text="#ffffff",
        selected="#2b333b",
        track="#3a434b",
        series=("#56b4e9", "#e69f00", "#3fbf97", "#d98ab8", "#f0e442"),
        shadow=("#31597a", "#73531a", "#2b6152", "#6c4a60", "#75702c"),
        dark=True,
    ),
    LIGHT: _Colours(
        background="#fbfaf7",
        surface="#f3f1ec",
        panel="#e6e3dc",
        text="#1d2327",
        dim="#646c73",
        accent="#00609c",
        good="#006e52",
        warn="#8a5a00",
        bad="#b23c00",
        cursor="#b9d9ef",
        cursor_text="#000000",
        selected="#dedad2",
        track="#cfcac0",
        series=("#0072b2", "#b26a00", "#007a5a", "#a3467a", "#6b6200"),
        shadow=("#a9cbe0", "#e4cba0", "#a3d0c2", "#dcb9cd", "#cfcb93"),
        dark=False,
    ),
    CONTRAST: _Colours(
        background="#000000",
        surface="#000000",
        panel="#1c1c1c",
        text="#ffffff",
        dim="#c8c8c8",
        accent="#66ccff",
        good="#00ff99",
        warn="#ffcc00",
        bad="#ff8866",
        cursor="#ffff00",
        cursor_text="#000000",
        selected="#444444",
        track="#5f5f5f",
        series=("#66ccff", "#ffb000", "#00ff99", "#ff8fd0", "#ffff66"),
        shadow=("#3a6f8a", "#8a6310", "#0f8a58", "#8a4f72", "#8a8a3a"),
        dark=True,
    ),
}


def themes() -> list[Theme]:
    """The themes to register with the app."""
    return [_theme(name, colours) for name, colours in _SCHEMES.items()]


def _theme(name: str, colours: _Colours) -> Theme:
    return Theme(
        name=name,
        primary=colours.accent,
        secondary=colours.good,
        accent=colours.accent,
        foreground=colours.text,
        background=colours.background,
        surface=colours.surface,
        panel=colours.panel,
        success=colours.good,
        warning=colours.warn,
        error=colours.bad,
        dark=colours.dark,
        variables={
            "block-cursor-background": colours.cursor,
            "block-cursor-foreground": colours.cursor_text,
            "input-cursor-background": colours.text,
            "border": colours.track,
            "border-blurred": colours.track,
            "scrollbar": colours.track,
            "scrollbar-background": colours.background,
            "scrollbar-corner-color": colours.background,
            "scrollbar-background-hover": colours.background,
            "scrollbar-background-active": colours.background,
        },
    )


def palette_of(app: App[object]) -> Palette:
    """The palette of the app's current theme; a theme that is not ours gets that of its ground."""
    name = app.theme
    return palette(name if name in _SCHEMES else DARK if app.current_theme.dark else LIGHT)


@cache
def palette(name: str) -> Palette:
    """The palette of one of our themes, by name."""
    colours = _SCHEMES[name]
    return Palette(
        text=Style(color=colours.text),
        dim=Style(color=colours.dim),
        bold=Style(color=colours.text, bold=True),
        accent=Style(color=colours.accent),
        good=Style(color=colours.good),
        warn=Style(color=colours.warn),
        bad=Style(color=colours.bad),
        header=Style(color=colours.dim, bold=True),
        cursor=Style(color=colours.cursor_text, bgcolor=colours.cursor, bold=True),
        selected=Style(color=colours.text, bgcolor=colours.selected),
        bar=Style(color=colours.dim, bgcolor=colours.panel),
        bar_key=Style(color=colours.accent, bgcolor=colours.panel, bold=True),
        bar_active=Style(color=colours.cursor_text, bgcolor=colours.cursor, bold=True),
        track=Style(color=colours.track),
        series=tuple(Style(color=colour) for colour in colours.series),
        shadow=tuple(Style(color=colour) for colour in colours.shadow),
    )
