"""The dataset: its views, its images, and one image with everything that is known about it."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, ClassVar

from textual import on
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widget import Widget

from engine import api
from tui.dialogs.choose import Choose
from tui.screens.base import WorkbenchScreen
from tui.screens.dataset_answers import Answers
from tui.screens.dataset_check import CHECK_SECONDS, DatasetCheck, OneLine
from tui.screens.dataset_image import ImagePane
from tui.screens.dataset_lists import IMAGE_COLUMNS, SORTS, ImagesModel, columns_for, dataset_option, why_empty
from tui.screens.dataset_reading import DatasetData, DatasetFeed, Wanted
from tui.screens.dataset_tasks import DatasetTasks
from tui.screens.dataset_text import NOTHING_HERE, facts
from tui.screens.dataset_views import ALL_VIEWS, VIEW_COLUMNS, ViewsModel, view_columns_for, view_option
from tui.widgets.filterbar import FilterBar
from tui.widgets.lines import Lines
from tui.widgets.table import Table

NEEDS_IMAGES = (
    *("filter", "views", "view", "answers", "problems", "enlarge", "raw", "changes"),
    *("sort", "reverse", "datasets", "check_files", "list_problems", "check_images", "quality"),
)
"""Actions without a meaning where there is no dataset."""
EXAMPLE = "Q7 contains thickening and split = test"


class DatasetScreen(DatasetTasks, DatasetCheck, WorkbenchScreen):
    """Views, images and answers of a dataset. A preview helps to find one's way; it is not for judging an image."""

    TAB = "Dataset"
    CHECK_WORDS = (("Q quality", "dim"),)
    CSS_PATH = "dataset.tcss"
    AUTO_FOCUS = "#images"
    HORIZONTAL_BREAKPOINTS = [(0, "-tiny"), (64, "-narrow"), (100, "-medium"), (160, "-wide")]  # noqa: RUF012 - Textual's
    VERTICAL_BREAKPOINTS = [(0, "-low"), (18, "-tall")]  # noqa: RUF012 - likewise
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "filter", "Filter", id="dataset.filter", tooltip=EXAMPLE),
        Binding("v", "views", "View", id="dataset.views", tooltip="Choose a view"),
        Binding("b", "answers", "Answers", id="dataset.answers", tooltip="How often each answer occurs, Q1 to Q8"),
        Binding("p", "problems", "Problems", id="dataset.problems", tooltip="Only images that cannot be used, or all"),
        Binding("e", "changes", "Effects", id="dataset.changes", tooltip="What augmentation makes of this image"),
        Binding("z", "enlarge", "Enlarge", id="dataset.enlarge", tooltip="The picture alone, and back"),
        Binding("w", "raw", "Raw", id="dataset.raw", tooltip="Grey levels as in the file, or stretched"),
        Binding("escape", "shrink", "Back", show=False, id="dataset.shrink", tooltip="From the picture to the list"),
        Binding("left_square_bracket", "view(-1)", "View before", show=False, id="dataset.view_before"),
        Binding("right_square_bracket", "view(1)", "Next view", show=False, id="dataset.next_view"),
        Binding("s", "sort", "Sort", show=False, id="dataset.sort", tooltip="By the next column"),
        Binding("S", "reverse", "Reverse", show=False, id="dataset.reverse", tooltip="Turn the order round"),
        Binding("Q", "quality", "Quality", show=False, id="dataset.quality", tooltip="What is wrong with this dataset"),
        Binding("d", "datasets", "Datasets", show=False, id="dataset.choose", tooltip="Choose another dataset"),
        Binding("up,left,k,h", "step(-1)", "Image before", show=False, id="dataset.before"),
        Binding("down,right,j,l", "step(1)", "Next image", show=False, id="dataset.next"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._views = ViewsModel(lambda: self.query_one("#views", Table))
        self._images = ImagesModel(lambda: self.query_one("#images", Table))
        self._feed = DatasetFeed()
        self._data = DatasetData()
        self._asked = Wanted()
        self._at, self._forward = 0, True
        self._change = ""

    def body(self) -> Iterable[Widget]:
        """Views, images and the chosen one beside each other, and the line of the filter."""
        nothing = Lines(id="nothing")
        nothing.show_paragraphs(NOTHING_HERE)
        yield nothing
        with Horizontal(id="panes"):
            with Vertical(id="views-pane"):
                yield Table(VIEW_COLUMNS, self._views, id="views")
            yield Table(IMAGE_COLUMNS, self._images, frozen_columns=2, moved=self._show_image, id="images")
            yield ImagePane(self.workbench.settings.images, id="image")
        yield OneLine(id="check")
        yield FilterBar(api.IMAGE_FILTER_COLUMNS, EXAMPLE)

    def on_mount(self) -> None:
        """Ask for the newest dataset."""
        self._show_columns()
        self._ask()

    # ----- data

    def _ask(self, **changes: Any) -> None:
        """Ask for something else."""
        self._asked = asked = replace(self._asked, **changes)
        feed = self._feed
        self.forget_data()
        self.watch_data(lambda live: feed.read(live, asked), self._show)
        self.watch_data(feed.read_check, self.hear_check, every=CHECK_SECONDS)

    def _show(self, data: DatasetData) -> None:
        self.query_one(FilterBar).show_problem(data.problem)
        if data.current != self._data.current:
            self._other_dataset()
        elif data.problem is not None:  # the list stays while somebody is still typing
            data = replace(data, images=self._data.images)
        self._data = data
        self.set_class(data.current is None, "-empty")
        self.refresh_bindings()
        self._views.show(data.views)
        self._views_table.set_columns(view_columns_for(data.views))
        self._views_table.rows_changed()
        self._show_columns()
        self._images.items = () if data.images is None else data.images.items
        self._images_table.empty = why_empty(self._asked)
        self._images_table.rows_changed()
        self._show_image()
        self._show_facts()

    def _other_dataset(self) -> None:
        """Another dataset, or another import of the same: what was known of its files holds no more."""
        self._pane.forget()
        self._images.found.clear()

    def _show_facts(self) -> None:
        self.show_facts(
            facts(self._data, self._asked, self._problem_count(), len(self._images.found.flags), self._busy)
        )

    @property
    def _views_table(self) -> Table:
        return self.query_one("#views", Table)

    @property
    def _images_table(self) -> Table:
        return self.query_one("#images", Table)

    @property
    def _pane(self) -> ImagePane:
        return self.query_one(ImagePane)

    # ----- the image under the cursor

    def _show_image(self) -> None:
        items, images, at = self._images.items, self._data.images, self._images_table.cursor
        if images is None or at >= len(items):
            self._pane.show_item(None)
            return
        if at != self._at:
            self._forward, self._at = at > self._at, at
        ahead = (at + 1, at - 1) if self._forward else (at - 1, at + 1)
        around = [items[place] for place in ahead if 0 <= place < len(items)]
        path, found = items[at].path, self._images.found
        known = found.by_check.get(path) or found.by_decoding.get(path, "")
        self._pane.show_item(items[at], images.root, around, known, found.flags.get(path))

    @on(ImagePane.Looked)
    def _looked(self, message: ImagePane.Looked) -> None:
        if message.item.problem is None and self._images.found.look(message.item.path, message.reason):
            self._show_columns()
            self._show_facts()

    @on(ImagePane.Outdated)
    def _read_again(self) -> None:
        self._feed = DatasetFeed()
        self._ask()

    @on(Table.Opened, "#images")
    def action_enlarge(self) -> None:
        """The picture alone, or everything again."""
        if self.has_class("enlarged"):
            self.action_shrink()
        elif self._images.items:
            self.add_class("enlarged")
            self.set_focus(None)
            self.refresh_bindings()

    def action_shrink(self) -> None:
        """Everything again."""
        self.remove_class("enlarged")
        self._images_table.focus()
        self.refresh_bindings()

    def action_step(self, by: int) -> None:
        """To a neighbour, while the picture stands alone."""
        self._images_table.action_move(by)

    def action_raw(self) -> None:
        """Grey levels as they are in the file, or stretched."""
        self._pane.toggle_raw()

    def action_changes(self) -> None:
        """What augmentation and degradation make of this image, beginning with the change looked at last."""
        items, images, at = self._images.items, self._data.images, self._images_table.cursor
        if images is not None and at < len(items):
            from tui.screens.dataset_changes import ChangesScreen

            self.app.push_screen(ChangesScreen(items[at], images.root, self._change, self._remember_change))

    def _remember_change(self, choice: str) -> None:
        self._change = choice

    # ----- views

    @on(Table.Highlighted, "#views")
    def _other_view(self) -> None:
        key = self._views_table.cursor_key()  # not the message's: the cursor may have gone on since
        view = None if key is None or key == ALL_VIEWS else str(key)
        if view != self._asked.view:
            self._ask(view=view)
            self._show_columns()
            self._show_facts()

    @on(Table.Opened, "#views")
    def _to_the_images(self) -> None:
        self._images_table.focus()

    def action_view(self, by: int) -> None:
        """To the view before or after this one."""
        self._views_table.action_move(by)

    def action_views(self) -> None:
        """To the pane of the views, or a list of them where the window has no room for it."""
        if self._views_table.is_on_screen:
            (self._images_table if self._views_table.has_focus else self._views_table).focus()
            return
        options = [view_option(row, key) for row, key in zip(self._views.rows, self._views.keys(), strict=True)]
        chosen = [ALL_VIEWS if self._asked.view is None else self._asked.view]
        self.app.push_screen(Choose("views", options, chosen=chosen), self._view_chosen)

    def _view_chosen(self, keys: list[Hashable] | None) -> None:
        if keys:
            self._views_table.move_to_key(keys[0])

    # ----- which images, in which order

    def action_filter(self) -> None:
        """Type a filter."""
        if self.has_class("enlarged"):
            self.action_shrink()
        self.query_one(FilterBar).open()

    @on(FilterBar.Asked)
    def _filtered(self, message: FilterBar.Asked) -> None:
        self._ask(filter=message.text)

    @on(FilterBar.Left)
    def _typed(self) -> None:
        self._images_table.focus()

    def action_problems(self) -> None:
        """Only problems, or everything again."""
        self._ask(problems_only=not self._asked.problems_only, found=self._images.found.all_paths())
        self._show_columns()

    def action_sort(self) -> None:
        """By the next column."""
        place = SORTS.index(self._asked.sort)
        self._sort(SORTS[(place + 1) % len(SORTS)], False)

    def action_reverse(self) -> None:
        """The other way round."""
        self._sort(self._asked.sort, not self._asked.descending)

    @on(Table.HeadClicked, "#images")
    def _head_clicked(self, message: Table.HeadClicked) -> None:
        column = "problem" if message.column == "mark" else message.column
        self._sort(column, column == self._asked.sort and not self._asked.descending)

    def _sort(self, column: str, descending: bool) -> None:
        self._ask(sort=column, descending=descending)
        self._show_columns()

    def _show_columns(self) -> None:
        """The columns that have something to say, and the mark of the order."""
        table, asked = self._images_table, self._asked
        table.sort = (asked.sort, asked.descending)
        marked = self._problem_count() + len(self._images.found.flags)
        columns = columns_for(asked.view, asked.problems_only, marked)
        if columns != table.columns:
            table.set_columns(columns)
        table.repaint()

    def _problem_count(self) -> int:
        """Images and lines left out by the import, and images that turned out to be unusable since."""
        current = self._data.current
        return len(self._images.found.paths()) + (0 if current is None else current.problems)

    # ----- datasets and answers

    def chosen_dataset(self) -> str | None:
        """The dataset on the screen."""
        return None if self._data.current is None else self._data.current.name

    def action_datasets(self) -> None:
        """Choose another dataset."""
        options = [dataset_option(entry) for entry in self._data.datasets]
        if len(options) > 1:
            self.app.push_screen(Choose("datasets", options, chosen=[self.chosen_dataset()]), self._dataset_chosen)
        elif options:
            self.notify("There is one dataset in this workspace.", markup=False)

    def _dataset_chosen(self, keys: list[Hashable] | None) -> None:
        if keys and keys[0] != self.chosen_dataset():
            self.open_dataset(str(keys[0]))

    def open_dataset(self, name: str) -> None:
        """Show another dataset, all of its views."""
        self._views_table.move_to_key(ALL_VIEWS)
        self._ask(dataset=name, view=None)
        self._show_columns()

    def action_answers(self) -> None:
        """How often each answer occurs, question by question."""
        dataset = self.chosen_dataset()
        if dataset is not None:
            self.app.push_screen(Answers(dataset, self._asked.view), self._answer_chosen)

    def _answer_chosen(self, text: str | None) -> None:
        if text is not None:
            bar = self.query_one(FilterBar)
            bar.value = text
            bar.action_keep()

    # ----- see DatasetTasks

    def show_busy(self, words: str) -> None:
        """In the facts line."""
        super().show_busy(words)
        self._show_facts()

    def show_check(self, dataset: str, problems: list[api.Problem]) -> None:
        """Images that are not what they were are marked in the list."""
        if dataset == self.chosen_dataset():
            self._images.found.by_check = {each.item: each.reason for each in problems if "/" in each.item}
            self._show_columns()
            self._show_image()
            self._show_facts()

    # ----- see DatasetCheck

    def show_flags(self, flags: api.ImageFlags | None) -> None:
        """Images with which something is the matter are marked in the list."""
        self._images.found.flag({} if flags is None else flags.by_path)
        if self._asked.problems_only:
            self._ask(found=self._images.found.all_paths())
        self._show_columns()
        self._show_image()
        self._show_facts()

    def action_quality(self) -> None:
        """The quality report."""
        if self.chosen_dataset() is not None:
            from tui.screens.quality import QualityScreen

            self.app.push_screen(QualityScreen(str(self.chosen_dataset()), self._answer_chosen))

    # ----- the frame

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Keys that act only where a picture stands alone, only where there is no dataset, or only where there is."""
        empty = self.has_class("-empty")
        if action == "import_phantoms":
            return empty and not self._busy
        if action in ("step", "shrink"):
            return self.has_class("enlarged")
        return not empty or action not in NEEDS_IMAGES

    def commands(self) -> Iterable[tuple[str, str, Callable[[], Any]]]:
        """Every view and every dataset can be chosen from the palette."""
        for row, key in zip(self._views.rows, self._views.keys(), strict=True):
            yield f"View: {api.one_line(row.view)}", f"{row.images:,} images", partial(self._view_chosen, [key])
        for entry in self._data.datasets:
            yield f"Dataset: {api.one_line(entry.name)}", "show it", partial(self._dataset_chosen, [entry.name])
