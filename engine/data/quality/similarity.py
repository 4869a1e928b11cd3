"""Near-duplicates: which images show the same picture, shifted, rescaled, brighter, noisier or encoded anew.

Images of one view look alike, and their perceptual hashes too: among 600 different phantoms of two views, drawn with
one sector, a tenth of all pairs lies within 14 bits. So the hash alone decides nothing. A pair counts when

1. its hashes differ in at most `MAX_DISTANCE` bits (compared in blocks, 64 bits at a time),
2. the amplitude spectra of both thumbnails allow the similarity that is asked for: whatever the shift, the correlation
   cannot exceed the sum of the products of the amplitudes (triangle inequality), so this step loses nothing; it is one
   matrix product, and leaves about one pair in a hundred,
3. and their thumbnails, with local brightness and contrast taken out, correlate by at least `MIN_SIMILARITY` at the
   best shift of up to `MAX_SHIFT` pixels of the thumbnail, in steps of half a pixel.

The bounds were measured on phantoms (`tests/benchmarks/near_duplicates.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from engine.data.quality.signature import THUMBNAIL_SIDE, Signature

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

MAX_DISTANCE = 18
"""Bits of 64 in which the hashes of a pair may differ: a shift by 2 % of the width changes up to 18."""
MIN_SIMILARITY = 0.91
"""Correlation after alignment. Copies reach 0.92 and more, different phantoms of one view 0.90 at most."""
MAX_SHIFT = 2
"""Pixels of the thumbnail: 6 % of the image's width."""

BLOCK = 1024
"""Images compared with all others at a time."""
PAIRS = 2048
"""Pairs aligned at a time."""
LOCAL = 3.0
"""Standard deviation, in pixels of the thumbnail, of the window that local brightness and contrast are taken from."""
FAINT = 8.0
"""Grey levels added to the local contrast, so that noise in the black surroundings of a sector isn't blown up."""

Progress = Callable[[int, int], None]


class Match(NamedTuple):
    """Two images that show the same picture, by their places in the list that was searched."""

    first: int
    second: int
    distance: int
    """Bits in which their hashes differ."""
    similarity: float
    """Correlation at the best shift, at most 1."""


def find_matches(signatures: Sequence[Signature], progress: Progress | None = None) -> list[Match]:
    """All pairs of near-duplicates, each once, with `first` before `second`, in order.

    Time grows with the square of the number of images, at about a nanosecond and a half a pair of them.

    Args:
        signatures: of images that decode; those without contrast should be left out, because nothing resembles nothing.
        progress: called with (pairs compared, pairs).
    """
    import numpy as np

    count = len(signatures)
    if count < 2:
        return []
    hashes = np.array([each.phash for each in signatures], np.uint64)
    spectra = _spectra(signatures)
    amplitudes = _amplitudes(spectra)
    matches: list[Match] = []
    for start in range(0, count, BLOCK):
        first, second, distance = _candidates(hashes, amplitudes, start)
        for part in _parts(len(first)):
            similarity = _aligned(spectra[first[part]], spectra[second[part]])
            for place in np.flatnonzero(similarity >= MIN_SIMILARITY).tolist():
                at = part.start + place
                value = min(1.0, float(similarity[place]))
                matches.append(Match(int(first[at]), int(second[at]), int(distance[at]), value))
        if progress is not None:
            done = min(start + BLOCK, count)
            progress(done * (2 * count - done - 1) // 2, count * (count - 1) // 2)
    return sorted(matches)


def _parts(count: int) -> Iterator[slice]:
    return (slice(start, start + PAIRS) for start in range(0, count, PAIRS))


def _candidates(
    hashes: NDArray[np.uint64], amplitudes: NDArray[np.float32], start: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Pairs of one of the images from `start` on with any later one, that may be similar enough: places, distance."""
    import numpy as np

    end = start + BLOCK
    distance = np.bitwise_count(hashes[start:end, None] ^ hashes[None, start:])
    likely = distance <= MAX_DISTANCE
    # A little below the bound: both sides are rounded to seven digits.
    likely &= amplitudes[start:end] @ amplitudes[start:].T >= MIN_SIMILARITY - 1e-4
    rows, columns = np.nonzero(np.triu(likely, 1))
    return rows + start, columns + start, distance[rows, columns]


def _spectra(signatures: Sequence[Signature]) -> NDArray[np.complex64]:
    """(n, 32, 17): Fourier transforms of the thumbnails with local brightness and contrast taken out, of norm 1."""
    import numpy as np

    side = THUMBNAIL_SIDE
    pixels = np.frombuffer(b"".join(each.thumbnail for each in signatures), np.uint8)
    grey = pixels.reshape(len(signatures), side, side).astype(np.float32)
    window = _window()
    detail = grey - window @ grey @ window.T
    contrast = np.sqrt(window @ (detail * detail) @ window.T)
    detail /= contrast + FAINT
    detail -= detail.mean((1, 2), keepdims=True)
    detail /= np.maximum(np.sqrt((detail * detail).sum((1, 2), keepdims=True)), 1e-6)
    return np.asarray(np.fft.rfft2(detail), np.complex64)


@lru_cache(maxsize=1)
def _window() -> NDArray[np.float32]:
    """(32, 32): a Gaussian mean along one axis, mirrored at the edges."""
    import numpy as np
    from scipy.ndimage import gaussian_filter1d

    return np.asarray(gaussian_filter1d(np.eye(THUMBNAIL_SIDE), LOCAL, axis=0), np.float32)


@lru_cache(maxsize=1)
def _weights() -> NDArray[np.float32]:
    """(17,): how often each column of half a spectrum stands in the whole one, over the number of pixels."""
    import numpy as np

    weights = np.full(THUMBNAIL_SIDE // 2 + 1, 2.0, np.float32)
    weights[[0, -1]] = 1.0
    return np.asarray(weights / THUMBNAIL_SIDE**2, np.float32)


def _amplitudes(spectra: NDArray[np.complex64]) -> NDArray[np.float32]:
    """(n, 544): the product of two rows bounds the correlation of both images at any shift."""
    import numpy as np

    return np.asarray(np.abs(spectra) * np.sqrt(_weights()), np.float32).reshape(len(spectra), -1)


@lru_cache(maxsize=1)
def _phases() -> tuple[Any, Any]:
    """(shifts, 32) and (17, shifts): what a shift in half pixels does to each frequency, down and across."""
    import numpy as np

    shifts = np.arange(-2 * MAX_SHIFT, 2 * MAX_SHIFT + 1) / 2
    down = np.exp(2j * np.pi * shifts[:, None] * np.fft.fftfreq(THUMBNAIL_SIDE)[None])
    across = np.exp(2j * np.pi * np.fft.rfftfreq(THUMBNAIL_SIDE)[:, None] * shifts[None])
    return down.astype(np.complex64), (across * _weights()[:, None]).astype(np.complex64)


def _aligned(first: NDArray[np.complex64], second: NDArray[np.complex64]) -> NDArray[np.float32]:
    """Correlation of each pair of images at the best of all shifts."""
    import numpy as np

    down, across = _phases()
    correlation = down @ ((first * np.conj(second)) @ across)
    return np.asarray(correlation.real.max((1, 2)), np.float32)
