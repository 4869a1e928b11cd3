from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cli_helpers import CommandLine
from data_helpers import eight_lines, write_image, write_lines

from engine.data.phantoms import VIEWS

SMALL = ("data", "import", "phantoms", "--size", "32")


@pytest.fixture
def command(tmp_path: Path, capfd: Any) -> CommandLine:
    return CommandLine(tmp_path / "workspace", capfd)


def totals(summary: Any, verdict: str) -> int:
    return sum(count[verdict] for count in summary["counts"])


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), 50),
        (("--preset", "clinical"), 6),
        (("--abnormal", "0.5"), 100),
        (("--preset", "clinical", "--abnormal", "0"), 0),
    ],
)
def test_the_share_of_abnormal_phantoms_is_an_option(
    command: CommandLine, words: tuple[str, ...], expected: int
) -> None:
    summary = command(*SMALL, "--count", "200", *words, "--json").json
    assert (totals(summary, "abnormal"), totals(summary, "normal")) == (expected, 200 - expected)
    assert {count["view"] for count in summary["counts"]} == set(VIEWS)
    assert {count["split"] for count in summary["counts"]} == {"train", "validation", "test"}


def test_the_seed_decides_images_and_split(command: CommandLine) -> None:
    def record(name: str, *words: str) -> Any:
        return command(*SMALL, "--count", "24", "--name", name, *words, "--json").json["record"]

    first, same, other, resplit = (
        record("a", "--seed", "5"),
        record("b", "--seed", "5"),
        record("c", "--seed", "6"),
        record("d", "--seed", "5", "--split-seed", "9"),
    )
    prints = ("fingerprint", "split_fingerprint")
    assert [first[each] for each in prints] == [same[each] for each in prints]
    assert first["fingerprint"] != other["fingerprint"]
    assert first["fingerprint"] == resplit["fingerprint"]
    assert first["split_fingerprint"] != resplit["split_fingerprint"]
    assert [each["name"] for each in command("data", "show", "--json").json] == ["a", "b", "c", "d"]


def test_names_and_images_default_to_the_place_of_the_file(command: CommandLine, tmp_path: Path) -> None:
    path = write_image(tmp_path / "study", "Femur/one.png")
    file = write_lines(tmp_path / "study" / "answers-2026.jsonl", eight_lines(path))
    assert command("data", "import", str(file)).code == 0
    record = command("data", "show", "answers-2026", "--json").json["record"]
    assert record["image_root"] == str(tmp_path / "study")
    assert record["images"] == 1


def test_an_import_reports_its_progress_in_lines_where_no_terminal_is(command: CommandLine) -> None:
    done = command(*SMALL, "--count", "40")
    lines = [line for line in done.err.splitlines() if line.startswith("Drawing phantoms")]
    assert lines[-1] == "Drawing phantoms: 40/40"
    assert len(lines) <= 12
    assert "Drawing" not in done.out


def test_check_finds_what_was_changed_and_what_is_gone(command: CommandLine) -> None:
    assert command(*SMALL, "--count", "12").code == 0
    done = command("data", "check", "phantoms")
    assert done.code == 0
    assert "12 images, 12 of them decoded, files compared with the import" in done.out
    images = sorted((command.folder / "datasets" / "phantoms" / "images").rglob("*.png"))
    images[0].unlink()
    images[1].write_bytes(images[2].read_bytes())
    done = command("data", "check", "phantoms", "--json")
    assert done.code == 1
    changed = done.json["checks"]["changed"]
    assert [fault["path"] for fault in changed] == [f"{image.parent.name}/{image.name}" for image in images[:2]]
    assert "missing" in changed[0]["reason"]
