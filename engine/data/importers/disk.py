"""From image paths as a source writes them to files on disk: exact names first, then names that mean the same.

Each folder is listed once. Nothing outside the image root is listed: a path that cannot be found here is left as it
stands, and the check of the image (`engine.data.paths.locate`) says why it cannot be used.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from engine.data.importers.naming import IMAGE_EXTENSIONS, differences, file_key, loose_key, name_key, split_extension
from engine.data.paths import is_encodable, storable

EXACT, SAME_EXTENSION, OTHER_EXTENSION, NO_ZEROS = range(4)
"""How much had to be forgiven in a file's name, from nothing on."""

ROOT_REPEATED = "name of the image folder in front"

Difference = tuple[str, str, str]
"""(kind, what the source says, what the disk has)."""


@dataclass(frozen=True, slots=True)
class Match:
    """What became of one path of a source."""

    path: str
    """The path on disk; the source's own where nothing fits."""
    level: int = EXACT
    differences: tuple[Difference, ...] = ()
    """What had to be forgiven; empty for an exact name."""
    fault: str | None = None
    """Why the path cannot be used although something on disk resembles it."""


@dataclass(slots=True)
class _Folder:
    """Names in one folder, and the keys under which they are found."""

    folders: frozenset[str] = frozenset()
    files: frozenset[str] = frozenset()
    _keys: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def named(self, how: str, key: str) -> list[str]:
        """Names whose key is `key`, in alphabetical order; `how` names the kind of key."""
        if how not in self._keys:
            make, names = _KEYS[how], self.folders if how == "folder" else self.files
            table: dict[str, list[str]] = defaultdict(list)
            for name in sorted(names):
                table[make(name)].append(name)
            self._keys[how] = dict(table)
        return self._keys[how].get(key, [])


_KEYS: Mapping[str, Callable[[str], str]] = {
    "folder": name_key,
    "same extension": file_key,
    "stem": lambda name: name_key(split_extension(name)[0]),
    "no zeros": lambda name: loose_key(split_extension(name)[0]),
}


class DiskIndex:
    """Looks paths up under one image root."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folders: dict[str, _Folder] = {}
        self._found: dict[str, Match] = {}

    @cached_property
    def _real_root(self) -> Path:
        return self._root.resolve()

    def match(self, said: str) -> Match:
        """The file that `said` (a normalised path) means."""
        folder, _, name = said.rpartition("/")
        first, _, rest = said.partition("/")
        listing = self._list("")
        # A path that begins with the image folder itself was written one level higher.
        if "/" in rest and not _has_folder(listing, first) and name_key(first) == name_key(self._root.name):
            inner = self.match(rest)
            return Match(inner.path, inner.level, ((ROOT_REPEATED, first, ""), *inner.differences), inner.fault)
        place = self._folder(folder)
        return place if place.fault else self._file(said, place, name)

    def _folder(self, said: str) -> Match:
        """The folder that `said` means; remembered, because all images of a view share it."""
        if said not in self._found:
            self._found[said] = self._walk(said)
        return self._found[said]

    def _walk(self, said: str) -> Match:
        found: list[str] = []
        seen: list[Difference] = []
        for part in said.split("/") if said else []:
            listing = self._list("/".join(found))
            names = [part] if part in listing.folders else listing.named("folder", name_key(part))
            if len(names) > 1:
                return Match(said, fault=f"{len(names)} folders fit {part!r}: {_quoted(names)}")
            found.append(names[0] if names else part)
            seen += [(kind, part, found[-1]) for kind in differences(part, found[-1], is_file=False)]
        return Match("/".join(found), differences=tuple(seen))

    def _file(self, said: str, place: Match, name: str) -> Match:
        listing = self._list(place.path)
        if name in listing.files:
            return Match(_joined(place.path, name), EXACT, place.differences)
        stem, extension = split_extension(name)
        tries = [(OTHER_EXTENSION, "stem", name_key(stem)), (NO_ZEROS, "no zeros", loose_key(stem))]
        if extension:
            tries.insert(0, (SAME_EXTENSION, "same extension", file_key(name)))
        for level, how, key in tries:
            names = listing.named(how, key)
            if len(names) > 1:
                return Match(said, level, fault=f"{len(names)} files fit this name: {_quoted(names)}")
            if names:
                seen = tuple((kind, name, names[0]) for kind in differences(name, names[0], is_file=True))
                return Match(_joined(place.path, names[0]), level, place.differences + seen)
        return Match(said)

    def _list(self, folder: str) -> _Folder:
        if folder not in self._folders:
            self._folders[folder] = self._read(folder)
        return self._folders[folder]

    def _read(self, folder: str) -> _Folder:
        folders: set[str] = set()
        files: set[str] = set()
        try:
            real = (self._root / folder).resolve(strict=True)
            if not real.is_relative_to(self._real_root):
                return _Folder()
            with os.scandir(real) as entries:
                for entry in entries:
                    if not is_encodable(entry.name):
                        continue  # bytes that are no UTF-8: such a name cannot be stored, nor meant by any text
                    (folders if entry.is_dir() else files).add(entry.name)
        except (OSError, ValueError, RuntimeError):
            return _Folder()  # the check of the image asks for the same folder, and tells the reason
        return _Folder(frozenset(folders), frozenset(files))

    def unnamed(self, named: Iterable[str]) -> Iterator[tuple[str, list[str]]]:
        """Image files that no path of `named` means: (folder, names) of the folders in use and of those beside them."""
        by_folder: dict[str, set[str]] = defaultdict(set)
        for path in named:
            folder, _, name = path.rpartition("/")
            by_folder[folder].add(name)
        places = set(by_folder)
        for folder in by_folder:
            above = folder.rpartition("/")[0]
            places |= {_joined(above, name) for name in self._list(above).folders if not name.startswith(".")}
        for folder in sorted(places - {""}):
            left = [name for name in self._list(folder).files - by_folder[folder] if _is_image(name)]
            if left:
                yield folder, sorted(left)


def match_all(index: DiskIndex, paths: Iterable[str]) -> dict[str, Match]:
    """A match for each path of a source.

    Where several names reach one file, those that fit it best keep it: a row for `A_1.jpg` must not take the place of
    the row that names `A_1.png` exactly.
    """
    matches = {said: index.match(said) for said in paths}
    best: dict[str, tuple[int, str]] = {}
    for said, match in matches.items():
        if match.fault is None:
            best[match.path] = min(best.get(match.path, (match.level, said)), (match.level, said))
    for said, match in matches.items():
        level, owner = best.get(match.path, (match.level, said))
        if match.fault is None and match.level > level:
            reason = f"it resembles {match.path}, which another row names better ({owner})"
            matches[said] = Match(said, match.level, fault=storable(reason))
    return matches


def _has_folder(listing: _Folder, name: str) -> bool:
    return name in listing.folders or bool(listing.named("folder", name_key(name)))


def _is_image(name: str) -> bool:
    return name.casefold().endswith(IMAGE_EXTENSIONS) and not name.startswith(".")


def _joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def _quoted(names: list[str]) -> str:
    shown = ", ".join(storable(name, 80) for name in names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more"
