from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from data_helpers import ABNORMAL, ANSWERS, chat_line, eight_lines, make_dataset, png_bytes, write_image, write_lines
from store_helpers import raw

from engine import api
from engine.api.one_image import _case_answers
from engine.data.importers.jsonl import import_jsonl
from engine.data.manifest import CASES, PROBLEMS, open_dataset
from engine.errors import DataError, StoreError, UsageError
from engine.store.reader import Reader
from engine.store.writer import Writer
from engine.types import Split, Verdict
from engine.workspace import Workspace

HOSTILE = (
    "Femur/[bold]x[/] [@click=app.quit]y[/].png",
    "Femur/\x1b[31mred\x1b]0;owned\x07.png",
    "Femur/👩‍👩‍👧‍👦❤️.png",
    "Femur/שלום \u202egnp.exe.png",
    "Femur/" + "x" * 250 + ".png",
    "Femur/50%_' OR '1'='1.png",
    "Femur/line\nbreak.png",
)
THICK = "Abnormal NT thickening"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """30 femurs of which every fifth is abnormal, 12 NT images, one without Q7, and four problems."""
    root, lines = tmp_path / "images", []
    for number in range(1, 31):
        path = write_image(root, f"Femur/Femur_{number}.png")
        lines += eight_lines(path, **({"Q7": ABNORMAL} if number % 5 == 0 else {}))
    for number in range(1, 13):
        path = write_image(root, f"NT-View/NT_{number}.png", png_bytes(1000 + number, 64, 48))
        lines += eight_lines(path, Q7=THICK if number > 8 else "cannot be assessed" if number > 6 else "Normal")
    lines.append(chat_line(write_image(root, "Femur/only_quality.png"), "Q6", "Good"))
    write_image(root, "Femur/cut.png", png_bytes(77)[:-20])
    lines += [chat_line("Femur/cut.png"), chat_line("NT-View/missing.png"), "{broken", chat_line("../../etc/passwd")]
    place = Workspace(tmp_path / "workspace")
    with Writer.open(place) as writer:
        file = write_lines(tmp_path / "fetal.jsonl", lines)
        import_jsonl(place, "fetal", file, root, recorder=writer.record_dataset)
    return place


def paths(workspace: Workspace, **query: object) -> list[str]:
    return [item.path for item in api.browse(workspace, api.ImageQuery("fetal", **query)).items]  # type: ignore[arg-type]


def detail(workspace: Workspace, path: str, dataset: str = "fetal") -> api.ImageDetails:
    items = api.browse(workspace, api.ImageQuery(dataset)).items
    return api.image_details(workspace, next(item.id for item in items if item.path == path))


def forget_answers(workspace: Workspace) -> None:
    connection = raw(workspace)
    connection.execute("UPDATE images SET answers = NULL")
    connection.close()


# ----- lists


def test_a_list_holds_every_match_in_natural_order(workspace: Workspace) -> None:
    found = api.browse(workspace, api.ImageQuery("fetal", view="Femur"))
    assert [item.path for item in found.items][:4] == [
        "Femur/Femur_1.png",
        "Femur/Femur_2.png",
        "Femur/Femur_3.png",
        "Femur/Femur_4.png",
    ]
    assert [item.path for item in found.items][-2:] == ["Femur/cut.png", "Femur/only_quality.png"]
    assert (len(found.items), found.total, found.lacks_answers) == (32, 45, False)
    assert found.root.is_dir()
    assert paths(workspace, view="Femur", descending=True) == [item.path for item in found.items][::-1]


def test_lists_can_be_narrowed_and_sorted(workspace: Workspace) -> None:
    assert paths(workspace, verdict=Verdict.ABNORMAL, view="Femur") == [f"Femur/Femur_{n}.png" for n in range(5, 31, 5)]
    assert paths(workspace, verdict="unanswered") == ["Femur/only_quality.png"]
    assert paths(workspace, problems_only=True) == ["Femur/cut.png", "NT-View/missing.png"]
    by_split = {split: paths(workspace, split=split) for split in Split}
    assert sum(map(len, by_split.values())) == 43
    assert paths(workspace, sort="width", descending=True)[:12] == [
        f"NT-View/NT_{number}.png" for number in range(1, 13)
    ]
    with pytest.raises(UsageError, match="sorted by"):
        paths(workspace, sort="nonsense")


def test_the_filter_language_reaches_answers_and_columns(workspace: Workspace) -> None:
    thick = paths(workspace, filter="Q7 contains thickening")
    assert thick == [f"NT-View/NT_{number}.png" for number in range(9, 13)]
    test = set(paths(workspace, split="test"))
    assert set(paths(workspace, filter="Q7 contains Normal and split = test and view = Femur")) <= test
    assert paths(workspace, filter="Q7 contains THICKENING and not split = test") == [
        path for path in thick if path not in test
    ]
    assert paths(workspace, filter="Femur_3") == ["Femur/Femur_3.png", "Femur/Femur_30.png"], "a word: in the path"
    assert paths(workspace, filter="width > 50 and verdict = unclear") == ["NT-View/NT_7.png", "NT-View/NT_8.png"]
    assert paths(workspace, filter="problem is set") == ["Femur/cut.png", "NT-View/missing.png"]
    assert paths(workspace, filter="verdict = unanswered") == ["Femur/only_quality.png"]
    assert paths(workspace, filter="Q1 is none and problem is none") == ["Femur/only_quality.png"]
    assert paths(workspace, filter="  ") == paths(workspace)
    assert paths(workspace, filter="GRÖSSE") == []
    with pytest.raises(UsageError) as caught:
        paths(workspace, filter="Q9 = x")
    assert "Q9" in caught.value.reason
    assert set(api.IMAGE_FILTER_COLUMNS) >= {
        "path",
        "view",
        "split",
        "verdict",
        "width",
        "height",
        "problem",
        "Q1",
        "Q8",
    }


def test_a_reader_a_live_and_a_workspace_answer_alike_and_an_open_one_stays_open(workspace: Workspace) -> None:
    query = api.ImageQuery("fetal", view="Femur")
    expected = api.browse(workspace, query)
    live = api.Live(workspace)
    with Reader(workspace) as reader:
        for source in (reader, live, reader, live):
            assert api.browse(source, query) == expected
            assert api.view_summary(source, "fetal") == api.view_summary(workspace, "fetal")
    live.close()


def test_a_workspace_without_records_or_without_the_dataset_says_so(tmp_path: Path, workspace: Workspace) -> None:
    for source in (Workspace(tmp_path / "empty"), api.Live(Workspace(tmp_path / "empty"))):
        with pytest.raises(StoreError, match="recorded"):
            api.browse(source, api.ImageQuery("fetal"))
    for ask in (
        lambda: api.browse(workspace, api.ImageQuery("other")),
        lambda: api.view_summary(workspace, "other"),
        lambda: api.answer_counts(workspace, "other", "Q7"),
        lambda: api.dataset_problems(workspace, "other"),
    ):
        with pytest.raises(DataError, match="no dataset named other") as caught:
            ask()
        assert "fetal" in caught.value.reason


# ----- views and answers


def test_the_summary_of_views_agrees_with_the_lists_and_with_the_manifest(workspace: Workspace) -> None:
    summary = api.view_summary(workspace, "fetal")
    assert [row.view for row in summary] == ["Femur", "NT-View"]
    femur, nuchal = summary
    assert (femur.normal, femur.abnormal, femur.unclear, femur.unanswered, femur.problems) == (24, 6, 0, 1, 1)
    assert (nuchal.normal, nuchal.abnormal, nuchal.unclear, nuchal.problems, nuchal.images) == (6, 4, 2, 1, 12)
    counts = open_dataset(workspace, "fetal").counts()
    for row in summary:
        for split in Split:
            listed = paths(workspace, view=row.view, split=split)
            assert getattr(row, split) == len(listed)
            assert len(listed) == sum(each.total for each in counts if (each.view, each.split) == (row.view, split))
        for verdict in (*Verdict, "unanswered"):
            assert getattr(row, verdict) == len(paths(workspace, view=row.view, verdict=verdict))


def test_answers_are_counted_with_spellings_brought_together(tmp_path: Path) -> None:
    root, place = tmp_path / "images", Workspace(tmp_path)
    said = ["Good", "good ", "Good.", "Good", "Low", "Medium  quality", "medium quality"]
    lines = [chat_line(write_image(root, f"Femur/{n}.png"), "Q6", answer) for n, answer in enumerate(said)]
    lines += [chat_line(write_image(root, "Aorta/x.png"), "Q6", "Low"), chat_line(write_image(root, "Aorta/y.png"))]
    with Writer.open(place) as writer:
        import_jsonl(place, "x", write_lines(tmp_path / "x.jsonl", lines), root, recorder=writer.record_dataset)
    found = api.answer_counts(place, "x", "Q6")
    assert found.answers == [("Good", 4), ("Low", 2), ("Medium  quality", 2)]
    assert (found.question, found.distinct, found.answered, found.unanswered) == ("Q6", 3, 8, 1)
    assert api.answer_counts(place, "x", "Q6", limit=1).answers == [("Good", 4)]
    assert api.answer_counts(place, "x", "Q6", limit=1).distinct == 3
    aorta = api.answer_counts(place, "x", "Q6", view="Aorta")
    assert (aorta.answers, aorta.answered, aorta.unanswered) == ([("Low", 1)], 1, 1)
    forget_answers(place)
    assert api.answer_counts(place, "x", "Q6") == found, "from the case file of an older import"
    assert api.answer_counts(place, "x", "Q6", view="Aorta") == aorta
    with pytest.raises(UsageError, match="no question"):
        api.answer_counts(place, "x", "report")


# ----- one image


def test_the_details_of_an_image_hold_all_eight_questions(workspace: Workspace) -> None:
    found = detail(workspace, "Femur/Femur_10.png")
    assert [(each.question, each.title) for each in found.answers][:2] == [
        ("Q1", "Anatomical Structures"),
        ("Q2", "Fetal Orientation"),
    ]
    assert {each.question: each.answer for each in found.answers} == {**ANSWERS, "Q7": ABNORMAL}
    assert (found.dataset, found.view, found.verdict, found.width, found.height) == (
        "fetal",
        "Femur",
        "abnormal",
        40,
        30,
    )
    assert found.file is not None
    assert found.file.read_bytes().startswith(b"\x89PNG")
    assert (found.problem, found.file_problem, found.answers_problem) == (None, None, None)
    assert isinstance(found.split, Split)
    partial = detail(workspace, "Femur/only_quality.png")
    assert [each.answer for each in partial.answers] == [None] * 5 + ["Good", None, None]
    assert partial.verdict is None


def test_an_image_that_was_left_out_says_why(workspace: Workspace) -> None:
    cut = detail(workspace, "Femur/cut.png")
    assert cut.problem is not None
    assert "truncated PNG" in cut.problem
    assert cut.file is not None
    assert (cut.split, cut.sha256, [each.answer for each in cut.answers]) == (None, None, [None] * 8)
    missing = detail(workspace, "NT-View/missing.png")
    assert (missing.file, missing.file_problem) == (None, "the image file is missing")


def test_a_link_that_leads_out_of_the_root_after_the_import_is_not_followed(
    tmp_path: Path, workspace: Workspace
) -> None:
    secret = tmp_path / "secret.png"
    secret.write_bytes(png_bytes(5))
    root = api.browse(workspace, api.ImageQuery("fetal")).root
    for name in ("Femur_1.png", "Femur_2.png"):
        (root / "Femur" / name).unlink()
    (root / "Femur/Femur_1.png").symlink_to(secret)
    (root / "Femur/Femur_2.png").symlink_to(root / "Femur/Femur_3.png")
    found = detail(workspace, "Femur/Femur_1.png")
    assert found.file is None
    assert found.file_problem == "a link leads out of the image root"
    assert detail(workspace, "Femur/Femur_2.png").file == (root / "Femur/Femur_3.png").resolve()
    for path in ("Femur/Femur_1.png", "../../secret.png", str(secret), "Femur", "Femur/\0.png", "x" * 5000):
        with pytest.raises(DataError) as caught:
            api.locate_image(root, path)
        assert caught.value.reason


def test_rows_of_another_program_cannot_lead_out_of_the_root(tmp_path: Path, workspace: Workspace) -> None:
    (tmp_path / "secret.png").write_bytes(png_bytes(5))
    connection = raw(workspace)
    for number, path in enumerate(("../secret.png", str(tmp_path / "secret.png")), 1):
        connection.execute("UPDATE images SET path = ? WHERE path = ?", (path, f"Femur/Femur_{number}.png"))
    connection.close()
    for path in ("../secret.png", str(tmp_path / "secret.png")):
        assert detail(workspace, path).file is None


def test_the_image_root_follows_a_workspace_that_moves(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "before")
    api.import_phantom_dataset(place, "phantoms", count=6, size=32)
    place.root.rename(tmp_path / "after")
    moved = Workspace(tmp_path / "after")
    item = api.browse(moved, api.ImageQuery("phantoms")).items[0]
    file = api.image_details(moved, item.id).file
    assert file is not None
    assert file.is_relative_to(tmp_path / "after")


def test_a_number_that_is_gone_after_another_import_is_explained(workspace: Workspace) -> None:
    with pytest.raises(DataError, match="no image with the number") as caught:
        api.image_details(workspace, 10_000)
    assert "imported again" in caught.value.reason


def test_answers_of_an_older_import_come_from_its_case_file(workspace: Workspace) -> None:
    expected = detail(workspace, "Femur/Femur_10.png")
    forget_answers(workspace)
    assert api.browse(workspace, api.ImageQuery("fetal")).lacks_answers
    _case_answers.cache_clear()
    assert detail(workspace, "Femur/Femur_10.png") == expected
    detail(workspace, "Femur/Femur_11.png")
    assert _case_answers.cache_info().misses == 1, "the case file is read once"


def test_a_damaged_case_file_leaves_everything_else(workspace: Workspace) -> None:
    expected = detail(workspace, "Femur/Femur_10.png")
    forget_answers(workspace)
    (workspace.dataset("fetal") / CASES).write_bytes(b"nonsense")
    _case_answers.cache_clear()
    found = detail(workspace, "Femur/Femur_10.png")
    assert found.answers_problem is not None
    assert "cannot be used" in found.answers_problem
    assert [each.answer for each in found.answers] == [None] * 8
    assert dataclasses.replace(found, answers=expected.answers, answers_problem=None) == expected


# ----- problems


def test_problems_hold_lines_and_images_with_reason_and_source(workspace: Workspace) -> None:
    found = api.dataset_problems(workspace, "fetal")
    assert {problem.item: problem.reason.split(" (")[0] for problem in found if problem.item.endswith("png")} == {
        "Femur/cut.png": "truncated PNG: its end is missing",
        "NT-View/missing.png": "the image file is missing",
    }
    assert len(found) == 4 == open_dataset(workspace, "fetal").record.problems
    assert all(problem.source.startswith("fetal.jsonl:") and problem.reason for problem in found)


def test_a_damaged_list_of_problems_is_one_itself_and_images_stay_listed(workspace: Workspace) -> None:
    (workspace.dataset("fetal") / PROBLEMS).write_text("[")
    found = api.dataset_problems(workspace, "fetal")
    assert "damaged" in found[0].reason
    assert [problem.item for problem in found[1:]] == ["Femur/cut.png", "NT-View/missing.png"]


def test_a_path_of_any_length_is_one_problem(tmp_path: Path) -> None:
    root, place = tmp_path / "images", Workspace(tmp_path)
    lines = [chat_line(write_image(root, "Femur/1.png")), chat_line("Femur/" + "y" * 400 + ".png")]
    with Writer.open(place) as writer:
        import_jsonl(place, "x", write_lines(tmp_path / "x.jsonl", lines), root, recorder=writer.record_dataset)
    assert len(api.dataset_problems(place, "x")) == 1


# ----- hostile names


def test_hostile_names_are_listed_found_and_opened_like_any_other(tmp_path: Path) -> None:
    root, place = tmp_path / "images", Workspace(tmp_path)
    lines = [line for path in HOSTILE for line in eight_lines(write_image(root, path), Q1=path)]
    with Writer.open(place) as writer:
        import_jsonl(place, "x", write_lines(tmp_path / "x.jsonl", lines), root, recorder=writer.record_dataset)
    items = api.browse(place, api.ImageQuery("x")).items
    assert {item.path for item in items} == set(HOSTILE)
    loader = api.PreviewLoader()
    for item in items:
        found = api.image_details(place, item.id)
        assert found.answers[0].answer == item.path
        assert found.file is not None
        assert loader.get(found.file, 20, 20).width == 20
    assert [item.path for item in api.browse(place, api.ImageQuery("x", filter='path contains "50%_\'"')).items] == [
        HOSTILE[5]
    ]
    assert [item.path for item in api.browse(place, api.ImageQuery("x", filter="שלום")).items] == [HOSTILE[3]]


def test_a_dataset_without_problems_has_none(tmp_path: Path) -> None:
    place = Workspace(tmp_path / "workspace")
    with Writer.open(place) as writer:
        make_dataset(tmp_path, {"Femur": 3}, recorder=writer.record_dataset)
    assert api.dataset_problems(place, "fetal") == []
    assert [row.problems for row in api.view_summary(place, "fetal")] == [0]
