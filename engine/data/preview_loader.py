"""Recent previews, kept: stepping from image to image and back decodes nothing twice."""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from engine.data.preview import Preview, PreviewMode, load_preview


@dataclass(frozen=True, slots=True)
class _Kept:
    stamp: tuple[int, int, int]
    preview: Preview


class PreviewLoader:
    """Previews on demand, the recent ones kept. It may be used from several threads and starts none itself."""

    def __init__(self, capacity: int = 64, max_bytes: int = 8 * 2**20) -> None:
        """Keep at most `capacity` previews, and at most `max_bytes` of pixels (large ones go to sixel or kitty)."""
        self._capacity, self._max_bytes = capacity, max_bytes
        self._kept: OrderedDict[tuple[Path, int, int, PreviewMode], _Kept] = OrderedDict()
        self._bytes = 0
        self._lock = threading.Lock()

    def get(self, file: Path, width: int, height: int, mode: PreviewMode | str = PreviewMode.STRETCHED) -> Preview:
        """See `load_preview`; a file that has changed since is decoded again. Two threads may decode at once."""
        key = (file, width, height, PreviewMode(mode))
        stamp = _stamp(file)
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and kept.stamp == stamp:
                self._kept.move_to_end(key)
                return kept.preview
        preview = load_preview(*key)
        if stamp is not None:
            self._keep(key, _Kept(stamp, preview))
        return preview

    def cached(
        self, file: Path, width: int, height: int, mode: PreviewMode | str = PreviewMode.STRETCHED
    ) -> Preview | None:
        """The preview if it is kept, without a look at the disk: for a screen that must not wait."""
        with self._lock:
            kept = self._kept.get((file, width, height, PreviewMode(mode)))
        return None if kept is None else kept.preview

    def _keep(self, key: tuple[Path, int, int, PreviewMode], new: _Kept) -> None:
        with self._lock:
            old = self._kept.pop(key, None)
            self._kept[key] = new
            self._bytes += len(new.preview.pixels) - (len(old.preview.pixels) if old else 0)
            while len(self._kept) > 1 and (len(self._kept) > self._capacity or self._bytes > self._max_bytes):
                _, oldest = self._kept.popitem(last=False)
                self._bytes -= len(oldest.preview.pixels)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    """What tells one version of a file from the next; None where there is no file."""
    try:
        found = file.stat()
    except OSError:
        return None  # load_preview says why
    return found.st_ino, found.st_size, found.st_mtime_ns
