"""From names that a side file uses (a split, a list) to the images of a dataset; `disk` does this for files on disk."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

from engine.data.importers.naming import differences, loose_key, name_key, split_extension
from engine.data.paths import MAX_PATH

FOLDER_MISSING = "folder missing"
FOLDERS_IN_FRONT = "folders in front"


class PathLookup:
    """Finds the image that a name means: exactly, as `naming` forgives, or by its file name alone."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Over `paths`, the images of a dataset."""
        self._exact = frozenset(paths)
        self._tables: dict[Callable[[str], str], Mapping[str, list[str]]] = {}

    def find(self, said: str) -> tuple[str, list[str]] | None:
        """(path, what had to be forgiven) of the one image that `said` means; None where there is none, or several.

        A name with a folder means an image in such a folder; folders in front of it (`/data/set/Femur/1.png`) are cut
        off one by one. A bare file name will do where only one image has it.
        """
        if len(said) > MAX_PATH:
            return None
        parts = [part for part in said.replace("\\", "/").strip().split("/") if part not in {"", "."}]
        if len(parts) == 1:
            path = self._by_key(parts[0], (_base, _loose_base))
            return (path, [FOLDER_MISSING, *_kinds(parts[0], path.rpartition("/")[2])]) if path else None
        for start in range(max(0, len(parts) - 1)):
            rest = "/".join(parts[start:])
            if path := rest if rest in self._exact else self._by_key(rest, (_key, _loose_key)):
                return path, [FOLDERS_IN_FRONT] * bool(start) + _kinds(rest, path)
        return None

    def _by_key(self, said: str, keys: Sequence[Callable[[str], str]]) -> str | None:
        for key in keys:
            found = self._table(key).get(key(said), [])
            if found:
                return found[0] if len(found) == 1 else None  # a looser key has them all too
        return None

    def _table(self, key: Callable[[str], str]) -> Mapping[str, list[str]]:
        if key not in self._tables:
            table: dict[str, list[str]] = defaultdict(list)
            for path in self._exact:
                table[key(path)].append(path)
            self._tables[key] = dict(table)
        return self._tables[key]


def _key(path: str) -> str:
    folder, _, name = path.rpartition("/")
    return "/".join(name_key(part) for part in [*folder.split("/"), split_extension(name)[0]])


def _loose_key(path: str) -> str:
    return "/".join(loose_key(part) for part in _key(path).split("/"))


def _base(path: str) -> str:
    return name_key(split_extension(path.rpartition("/")[2])[0])


def _loose_base(path: str) -> str:
    return loose_key(_base(path))


def _kinds(said: str, path: str) -> list[str]:
    """What had to be forgiven for `said` to mean `path`; both with folders, or both without."""
    kinds: list[str] = []
    ours, theirs = said.split("/"), path.split("/")
    for one, other in zip(ours[:-1], theirs[:-1], strict=True):
        kinds += differences(one, other, is_file=False)
    return list(dict.fromkeys(kinds + differences(ours[-1], theirs[-1], is_file=True)))
