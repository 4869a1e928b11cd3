"""A workspace with data like the user's (14 views, a sheet, 2 % abnormal), on which each test makes one mistake."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from cli_helpers import CommandLine
from clinical_data import Clinical, build_clinical
from mistake_helpers import DATASET

from engine import api
from engine.workspace import Workspace

IMAGES = 700


@pytest.fixture(scope="session")
def clinical(tmp_path_factory: pytest.TempPathFactory) -> Clinical:
    return build_clinical(tmp_path_factory.mktemp("clinical"), images=IMAGES, seed=3)


@pytest.fixture(scope="session")
def imported(clinical: Clinical, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mistakes") / "workspace"
    root.mkdir()
    api.import_source(Workspace(root), clinical.sheet, name=DATASET, images=clinical.root)
    return root


@pytest.fixture
def workspace(imported: Path, tmp_path: Path) -> Workspace:
    return Workspace(Path(shutil.copytree(imported, tmp_path / "workspace")))


@pytest.fixture
def command(workspace: Workspace, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    return CommandLine(workspace.root, capsys)
