"""Import of synthetic phantoms: rendered here, then handled like any other images."""

from __future__ import annotations

from engine.data.check import ImageFacts, check_image
from engine.data.files import check_name, import_lock
from engine.data.importers.assemble import assemble
from engine.data.importers.phantom_rendering import generator_fingerprint, plan_phantoms, render_phantoms
from engine.data.importers.publish import (
    Recorder,
    existing_record,
    image_rows,
    publish,
    replacement_refused,
    require_replaceable,
)
from engine.data.importers.request import ImportRequest, Progress
from engine.data.importers.staging import staging_folder, swap_folders
from engine.data.manifest import open_dataset
from engine.data.split import DEFAULT_SHARES
from engine.errors import DataError
from engine.types import DatasetRecord
from engine.workspace import Workspace

IMAGES = "images"
"""Folder of the rendered images within the dataset's folder."""


def import_phantoms(
    workspace: Workspace,
    name: str = "phantoms",
    *,
    count: int,
    seed: int = 0,
    abnormal_share: float = 0.25,
    size: int = 192,
    split_seed: int = 0,
    shares: tuple[float, float, float] = DEFAULT_SHARES,
    replace: bool = False,
    processes: int | None = None,
    progress: Progress | None = None,
    recorder: Recorder | None = None,
) -> DatasetRecord:
    """Render `count` phantoms into `datasets/<name>/images/` and import them.

    Views come in equal numbers, and each has its exact share of abnormal ones (largest remainder). The same arguments
    give the same bytes whatever the number of processes. When the dataset is already there, with the same options and
    with undamaged files, nothing is rendered.

    Args:
        count: images of all views together.
        abnormal_share: 0 to 1.
        size: side of the square images in pixels, 32 to 2048.
        replace: whether a dataset of this name with other content may be replaced.
        processes: how many render; None for one a core.
        progress: called with (done, total) while rendering.

    Raises:
        DataError: an option is out of range, or the name is taken by other content.
    """
    _check_options(count, abnormal_share, size)
    options: dict[str, object] = {
        "count": count,
        "seed": seed,
        "abnormal_share": abnormal_share,
        "size": size,
        "generator": generator_fingerprint(),
    }
    request = ImportRequest(check_name(name), "phantoms", split_seed, shares, replace, options)
    with import_lock(workspace, name):
        found = _already_there(workspace, request, recorder)
        if found is not None:
            return found
        _refuse_other_options(workspace, request)
        with staging_folder(workspace.dataset(name), IMAGES) as staging:
            entries = render_phantoms(plan_phantoms(count, seed, abnormal_share, size), staging, processes, progress)
            final = workspace.dataset(name) / IMAGES
            new = assemble(workspace, request, entries, [], root=staging, recorded_root=final)
            require_replaceable(workspace, request, new)
            return publish(workspace, new, recorder, install=lambda: swap_folders(staging, final))


def _check_options(count: int, abnormal_share: float, size: int) -> None:
    faults = []
    if count < 1:
        faults.append(f"count is {count}; at least 1 is needed")
    if not 0 <= abnormal_share <= 1:
        faults.append(f"abnormal_share is {abnormal_share}; 0 to 1 is possible")
    if not 32 <= size <= 2048:
        faults.append(f"size is {size}; 32 to 2048 pixels are possible")
    if faults:
        raise DataError("These phantoms cannot be rendered.", "\n".join(faults), "Change the options named above.")


def _already_there(workspace: Workspace, request: ImportRequest, recorder: Recorder | None) -> DatasetRecord | None:
    """The existing record when it answers the request and every file is still what it was."""
    record = existing_record(workspace, request.name)
    if record is None or record.kind != request.kind or record.split_seed != request.split_seed:
        return None
    wanted = {**request.options, "shares": list(request.split_rule(None)[1])}
    if any(record.options.get(key) != value for key, value in wanted.items()):
        return None
    dataset = open_dataset(workspace, request.name)
    try:
        cases = dataset.cases()
    except DataError:
        return None  # the case file is damaged: rendering again mends it, and says so if the content differs
    for case in cases:
        facts = check_image(dataset.image_root, case.path)
        if not isinstance(facts, ImageFacts) or facts.sha256 != case.sha256:
            return None
    if recorder is not None:
        recorder(record, image_rows(cases))
    return record


def _refuse_other_options(workspace: Workspace, request: ImportRequest) -> None:
    """Say at once, before rendering, that the name is taken; the code's own fingerprint is left to the outcome."""
    old = existing_record(workspace, request.name)
    if old is None or request.replace:
        return
    changed = [
        f"{key} is {old.options.get(key)!r} there, {value!r} now"
        for key, value in request.options.items()
        if key != "generator" and old.options.get(key) != value
    ]
    if old.kind != request.kind:
        changed = [f"It was imported from {old.kind}"]
    if changed:
        raise replacement_refused(request.name, "; ".join(changed) + ".")
