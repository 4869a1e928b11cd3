from __future__ import annotations

import json
import re
import struct
import subprocess
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
MEGABYTE = 1_000_000

# Written in pieces, so that this file does not find itself.
INDEX_HOST = re.compile(
    "|".join(
        ["pypi" + r"\.org", "python" + r"hosted\.", "download" + r"\.pytorch\.org", r"https?://\S+/simple" + r"\b"]
    ),
    re.IGNORECASE,
)
INDEX_OPTION = re.compile(r"--?(?:extra-)?(?:index-url|find-links|trusted-host|no-index)\b|(?m:^\s*(?:#\s*)?-[if]\s)")
MACHINE_PATH = re.compile(r"(?<![\w.~$}*/-])/" + r"(?:work|root|home|Users|tmp|var|opt)" + r"/[\w.][\w./-]*")
MADE_UP = ("/" + "home/me",)
"""Folders of invented people in tests."""
WEIGHTS = {".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".npy", ".npz", ".h5", ".onnx", ".gguf", ".msgpack"}
LOCKS = ("requirements.lock", "requirements-gpu.lock")


@cache
def repository_files() -> list[Path]:
    """Everything that git tracks, and what it would track with the next `git add`."""
    if not (REPOSITORY / ".git").exists():
        pytest.skip("not a git checkout: there is no list of tracked files")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    found = [REPOSITORY / name for name in listing.split("\0") if name]
    return [file for file in found if file.is_file()]


@cache
def texts() -> dict[str, str]:
    contents = {file.relative_to(REPOSITORY).as_posix(): file.read_bytes() for file in repository_files()}
    return {name: data.decode("utf-8", "replace") for name, data in contents.items() if b"\0" not in data[:8192]}


def index_hosts(text: str) -> list[str]:
    return [found[0] for found in INDEX_HOST.finditer(text)]


def machine_paths(text: str) -> list[str]:
    return [found[0] for found in MACHINE_PATH.finditer(text) if not found[0].startswith(MADE_UP)]


def test_no_file_names_a_package_index() -> None:
    assert len(texts()) > 100
    assert {name: found for name, text in texts().items() if (found := index_hosts(text))} == {}


def test_no_file_holds_an_absolute_path_of_a_machine() -> None:
    assert {name: found for name, text in texts().items() if (found := machine_paths(text))} == {}


def test_the_patterns_find_what_they_are_for() -> None:
    slash = "/"
    assert index_hosts("https://mirror.example" + "/simple/torch") != []
    assert index_hosts("files.python" + "hosted.org") != []
    assert index_hosts("keep it simple, from the package index") == []
    for folder in ("work/main", "root/.cache", "home/anna/images", "Users/anna", "tmp/demo"):
        assert machine_paths(f"see {slash}{folder} there") == [f"{slash}{folder}"]
        assert machine_paths(f'open("{slash}{folder}")') == [f"{slash}{folder}"]
    assert machine_paths(f"outputs/work/1, ~/work/2, https://host.example{slash}home/3, $HOME{slash}tmp/x") == []


@pytest.mark.parametrize("name", LOCKS)
def test_locks_hold_exact_pins_and_no_index(name: str) -> None:
    lock = (REPOSITORY / name).read_text()
    assert [found[0] for found in INDEX_OPTION.finditer(lock)] == []
    lines = [line.strip() for line in lock.splitlines()]
    pins = [line for line in lines if line and not line.startswith(("#", "--hash="))]
    assert len(pins) > 20
    assert [line for line in pins if not re.match(r"[\w.-]+(\[[\w.,-]+\])?==\S+", line)] == []


def test_index_options_are_found_in_every_spelling() -> None:
    host = "https://mirror.example"
    for line in (f"--index-url {host}", f"--extra-index-url={host}", f"-i {host}", f"-f {host}", f"#   -i {host}"):
        assert INDEX_OPTION.search(f"a==1\n{line}\nb==2\n"), line
    assert not INDEX_OPTION.search("a==1\n    # via -r requirements.in\nscikit-learn==1.6\n")


@pytest.mark.parametrize(("folder", "limit"), [("base-model", 6 * MEGABYTE), ("base-model-large", 10 * MEGABYTE)])
def test_a_base_model_stays_under_its_limit(folder: str, limit: int) -> None:
    assert MEGABYTE < folder_size(folder) < limit


def test_the_base_models_together_stay_small() -> None:
    assert folder_size("base-model") + folder_size("base-model-large") < 14 * MEGABYTE


def folder_size(folder: str) -> int:
    return sum(file.stat().st_size for file in (REPOSITORY / "assets" / folder).rglob("*") if file.is_file())


def test_weights_are_safetensors_only() -> None:
    files = [file.relative_to(REPOSITORY) for file in repository_files()]
    assert [str(file) for file in files if file.suffix.lower() in WEIGHTS] == []
    weights = {file.as_posix() for file in files if file.suffix == ".safetensors"}
    assert {"assets/base-model/model.safetensors", "assets/base-model-large/model.safetensors"} <= weights
    for name in weights:
        assert is_safetensors(REPOSITORY / name), name


def is_safetensors(file: Path) -> bool:
    """Whether it is a header of JSON and tensors that fill the rest, as the format demands."""
    data = file.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    header = json.loads(data[8 : 8 + length])
    ends = [entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"]
    return bool(ends) and 8 + length + max(ends) == len(data)


@pytest.mark.parametrize("folder", ["base-model", "base-model-large"])
def test_base_models_need_no_code_of_their_own(folder: str) -> None:
    files = sorted((REPOSITORY / "assets" / folder).iterdir())
    assert not [file.name for file in files if file.suffix == ".py"]
    assert not [file.name for file in files if file.suffix == ".json" and "auto_map" in file.read_text()]


def test_recipes_point_to_nothing_outside_the_repository() -> None:
    from engine.recipe import load_recipe

    presets = sorted((REPOSITORY / "assets" / "recipes").glob("*.toml"))
    assert len(presets) >= 4
    for preset in presets:
        model = load_recipe(preset).model.id
        assert (REPOSITORY / model / "config.json").is_file() or re.fullmatch(r"Qwen/Qwen3-VL-\w+-Instruct", model)
