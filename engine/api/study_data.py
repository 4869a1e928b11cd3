"""The dataset of a study: whether it is there, whether it is the one that the file asks for, and drawing phantoms."""

from __future__ import annotations

from engine.api.datasets import Progress, import_phantom_dataset
from engine.api.study_files import OpenStudy
from engine.api.study_finding import dataset_record
from engine.errors import DataError
from engine.study.expanding import expand
from engine.types import DatasetRecord
from engine.workspace import Workspace


def dataset_problem(study: OpenStudy, name: str, record: DatasetRecord | None) -> str:
    """Why the dataset of a study cannot be used as it is; "" where it can."""
    if record is None:
        return f"there is no dataset named {name} in this workspace"
    phantoms = study.scaled.scale.phantoms
    if phantoms is None:
        return ""
    if record.kind != "phantoms":
        return f"the dataset {name} is no phantoms: it was imported from {record.kind}"
    wanted = {**phantoms.model_dump(), "shares": list(phantoms.shares)}
    given = {**record.options, "shares": list(_numbers(record.options.get("shares")))}
    other = [f"{key} is {given.get(key)}, not {value}" for key, value in wanted.items() if given.get(key) != value]
    return f"the phantoms of {name} are others: {'; '.join(other)}" if other else ""


def _numbers(value: object) -> tuple[object, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else ()


def ready_dataset(workspace: Workspace, study: OpenStudy, progress: Progress | None = None) -> bool:
    """See to it that the dataset of a study is there; True where phantoms were drawn for it.

    Raises:
        DataError: it is missing and the file says no way to draw it, or the name is taken by other content.
    """
    name = study_dataset(workspace, study)
    record = dataset_record(workspace, name)
    problem = dataset_problem(study, name, record)
    if not problem:
        return False
    phantoms = study.scaled.scale.phantoms
    if record is not None:
        raise DataError(
            f"The study {study.name} cannot use the dataset {name}",
            f"{problem[0].upper()}{problem[1:]}. Figures of other images could not stand beside each other.",
            "Choose another workspace with --workspace, or copy the study file into assets/studies of this one and set "
            f"another data.dataset for [scales.{study.scale}].",
        )
    if phantoms is None:
        raise DataError(
            f"The study {study.name} needs the dataset {name}",
            f"There is none of that name in {workspace.root}, and this scale draws no phantoms.",
            import_hint(name),
        )
    import_phantom_dataset(
        workspace,
        name,
        count=phantoms.count,
        seed=phantoms.seed,
        abnormal_share=phantoms.abnormal_share,
        size=phantoms.size,
        shares=phantoms.shares,
        progress=progress,
    )
    return True


def study_dataset(workspace: Workspace, study: OpenStudy) -> str:
    """Name of the dataset that all arms of a study use."""
    return expand(study.scaled, workspace.root)[0].recipe.data.dataset


def import_hint(name: str) -> str:
    """How to get a dataset of one's own."""
    return f"Import it: `sonotune data import FILE --images FOLDER --name {name}`."
