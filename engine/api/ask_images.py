"""The image that somebody wants to ask about: a file, or one of an imported dataset."""

from __future__ import annotations

from pathlib import Path

from engine.api.browsing import Source, reading
from engine.api.one_image import image_details
from engine.ask.inputs import AskImage
from engine.data.check import check_image
from engine.data.manifest import dataset_names
from engine.data.paths import RejectedError, normalise_path, storable
from engine.errors import DataError
from engine.store.images import image_condition
from engine.workspace import Workspace


def ask_image(workspace: Workspace, text: str) -> AskImage:
    """The image that a text names: a FILE, or DATASET:PATH of an imported dataset.

    A file that is there wins; its name may hold a colon.

    Raises:
        DataError: there is no such file or image, or a link leads out of the image root.
    """
    file = Path(text).expanduser()
    dataset, colon, path = text.partition(":")
    if colon and not _exists(file) and dataset in dataset_names(workspace):
        return dataset_image(workspace, dataset, path)
    return _plain_file(file, text)


def dataset_image(source: Source, dataset: str, path: str) -> AskImage:
    """An image of an imported dataset by its path, with its split and its answers.

    Raises:
        DataError: the dataset has no such image, or its file cannot be reached.
    """
    try:
        wanted = normalise_path(path)
    except RejectedError as rejected:
        raise DataError(
            "There is no such image", f"{rejected.reason}.", "Paths are as in Abdomen/Abdomen_001.png."
        ) from None
    with reading(source) as reader:
        found = reader.image_items(dataset, [image_condition("path", wanted)])
        if not found:
            raise DataError(
                f"The dataset {dataset} has no image {storable(wanted, 200)}",
                "No path of it is spelled like that.",
                "Paths begin with the folder of the view, as in Abdomen/Abdomen_001.png.",
            )
        return listed_image(reader, found[0].id)


def listed_image(source: Source, image_id: int) -> AskImage:
    """An image by the id of its line in a list.

    Raises:
        DataError: there is none of that id any more, the import left it out, or its file cannot be reached.
    """
    with reading(source) as reader:
        details = image_details(reader, image_id)
        record = reader.dataset(details.dataset)
    if details.file is None or details.problem is not None:
        raise DataError(
            f"The image {storable(details.path, 200)} cannot be used",
            f"{details.problem or details.file_problem}.",
            "Choose another image; `sonotune data check` finds all that are damaged.",
        )
    answers = {each.question: each.answer for each in details.answers if each.answer is not None}
    split_fingerprint = "" if record is None else record.split_fingerprint
    return AskImage(
        details.file, details.dataset, details.path, details.view, details.split, split_fingerprint, answers
    )


def _exists(file: Path) -> bool:
    try:
        return file.exists()
    except OSError:  # a name that is too long, for one
        return False


def _plain_file(file: Path, text: str) -> AskImage:
    try:
        found = file.resolve(strict=True)
        regular = found.is_file()
    except (OSError, RuntimeError, ValueError) as error:
        raise DataError(
            f"There is no image {storable(text, 200)}",
            f"{getattr(error, 'strerror', None) or error}.",
            "Name a PNG or JPEG file, or DATASET:PATH of an imported dataset.",
        ) from error
    # Now, and not only after a model has been loaded; the asking process checks once more, before it decodes.
    checked = check_image(found.parent, found.name) if regular else "not a regular file"
    if isinstance(checked, str):
        raise DataError(
            f"{storable(found.name, 200)} is no image to ask about", f"{checked}.", "Name a whole PNG or JPEG."
        )
    return AskImage(found, path=found.name)
