"""Near-duplicates and the image check: `.venv/bin/python tests/benchmarks/near_duplicates.py [--images N]`.

Search: N phantoms of six views (15,446 by default, 96 pixels) and copies of 200 of them: shifted, noisy, darker or
scaled. Ours in one run beside two plain ways of comparing all pairs: the hashes one pair at a time, and the aligned
thumbnails of a sample of pairs, scaled up to all of them. Also counted: copies that are found, and different phantoms
that are taken for copies.

Check: images a second of a dataset of 1,200 larger PNG files with our pool, beside one process.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
import random
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np
from PIL import Image

from engine.data.manifest import Dataset
from engine.data.phantoms import VIEWS, render
from engine.data.quality import similarity
from engine.data.quality.checking import check_all
from engine.data.quality.signature import Signature, sign_bytes
from engine.data.quality.similarity import Match, find_matches
from engine.types import Case, DatasetRecord, Split

IMAGES = 15_446
COPIED = 200
SIDE = 96
CHECKED, DISTINCT = 1200, 40
SIZE = (800, 600)
SAMPLE = 20_000
"""Pairs of thumbnails that are aligned for the estimate of aligning them all."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=IMAGES)
    count = parser.parse_args().images
    with ProcessPoolExecutor() as pool:
        signatures = list(pool.map(sign_phantom, range(count), chunksize=64))
        copies = list(pool.map(sign_copy, range(COPIED), chunksize=16))
    search(signatures, copies)
    with tempfile.TemporaryDirectory() as folder:
        check(Path(folder))
    return 0


def search(signatures: list[Signature], copies: list[Signature]) -> None:
    """Our search beside all pairs, on the same signatures."""
    everything = [*signatures, *copies]
    seconds, found = timed(everything)
    planted = {(number, len(signatures) + number) for number in range(COPIED)}
    pairs = {(match.first, match.second) for match in found}
    copied = {place for pair in planted for place in pair}
    false = sorted(pair for pair in pairs - planted if not copied & set(pair))
    hashes, exact = hash_pairs([each.phash for each in everything]), align_pairs(everything)
    total = len(everything) * (len(everything) - 1) // 2
    print(f"RESULT search among {len(everything):,} images {seconds:.2f} s ({total / 1e6:.0f} million pairs)")
    print(f"RESULT hashes of all pairs, one at a time {hashes:.1f} s, ratio {hashes / seconds:.1f}")
    print(f"RESULT thumbnails of all pairs aligned (from {SAMPLE:,}) {exact:.0f} s, ratio {exact / seconds:.0f}")
    print(f"RESULT copies found {len(planted & pairs)} of {COPIED}; different phantoms taken for copies {len(false)}")


def timed(signatures: list[Signature]) -> tuple[float, list[Match]]:
    started = time.perf_counter()
    found = find_matches(signatures)
    return time.perf_counter() - started, found


def hash_pairs(hashes: list[int]) -> float:
    """Seconds to compare every hash with every later one in plain Python, as most tools do."""
    started = time.perf_counter()
    near = 0
    for place, one in enumerate(hashes):
        near += sum((one ^ other).bit_count() <= similarity.MAX_DISTANCE for other in hashes[place + 1 :])
    print(f"  {near:,} pairs of hashes within {similarity.MAX_DISTANCE} bits")
    return time.perf_counter() - started


def align_pairs(signatures: list[Signature]) -> float:
    """Seconds to align the thumbnails of every pair, measured on a sample."""
    draw = np.random.default_rng(0)
    first, second = draw.integers(0, len(signatures), (2, SAMPLE))
    spectra = similarity._spectra(signatures)
    started = time.perf_counter()
    for start in range(0, SAMPLE, similarity.PAIRS):
        part = slice(start, start + similarity.PAIRS)
        similarity._aligned(spectra[first[part]], spectra[second[part]])
    return (time.perf_counter() - started) / SAMPLE * len(signatures) * (len(signatures) - 1) / 2


def sign_phantom(seed: int) -> Signature:
    return sign(picture(seed))


def sign_copy(seed: int) -> Signature:
    """A copy in one of four ways."""
    image = picture(seed)
    if seed % 4 == 0:
        moved = Image.new("L", image.size)
        moved.paste(image, (2, -1))
        return sign(moved)
    if seed % 4 == 1:
        noise = np.random.default_rng(seed).normal(0, 12, (SIDE, SIDE))
        return sign(Image.fromarray(np.clip(np.asarray(image) + noise, 0, 255).astype(np.uint8)))
    if seed % 4 == 2:
        return sign(image.point(lambda level: int(level * 0.8)))
    return sign(image.resize((140, 140), Image.Resampling.BICUBIC))


def picture(seed: int) -> Image.Image:
    return Image.fromarray(render(seed, view=VIEWS[seed % len(VIEWS)], size=SIDE)[0])


def sign(image: Image.Image) -> Signature:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=1)
    data = stream.getvalue()
    return sign_bytes(data, hashlib.sha256(data).hexdigest())


def check(folder: Path) -> None:
    """Images a second of the whole check: reading, hashing, decoding, signature, keeping."""
    dataset = write_dataset(folder)
    speeds = {}
    for processes in (1, os.cpu_count() or 1):
        (folder / "checks.arrows").unlink(missing_ok=True)
        speeds[processes] = check_all(dataset, processes=processes).images_per_second
    again = time.perf_counter()
    check_all(dataset)
    again = time.perf_counter() - again
    one, many = speeds[1], speeds[max(speeds)]
    print(f"RESULT check {many:.0f} images/s with {max(speeds)} processes, {one:.0f} with one, ratio {many / one:.2f}")
    print(f"RESULT check of {CHECKED:,} images of which all are known {again:.2f} s")


def write_dataset(folder: Path) -> Dataset:
    """Distinct files of 800 x 600 from a few phantoms, each with a comment of its own, without an import."""
    from PIL.PngImagePlugin import PngInfo

    pictures = [Image.fromarray(render(seed, size=600)[0]).resize(SIZE) for seed in range(DISTINCT)]
    for image in pictures:
        image.load()
    cases = []
    for number in range(CHECKED):
        path, stream, comment = f"View/{number:05}.png", io.BytesIO(), PngInfo()
        comment.add_text("number", str(number))
        pictures[number % DISTINCT].save(stream, "PNG", compress_level=1, pnginfo=comment)
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(stream.getvalue())
        digest = hashlib.sha256(stream.getvalue()).hexdigest()
        cases.append(Case(number, path, folder / path, "View", Split.TRAIN, {}, digest, *SIZE))
    random.Random(0).shuffle(cases)
    record = DatasetRecord("bench", "jsonl", "", "", 0, str(folder), CHECKED, 0, 0.0)
    return _Given(record, folder, folder, (), cases)


class _Given(Dataset):
    """A dataset whose cases are here already."""

    def __init__(self, *parts: object) -> None:
        *common, cases = parts
        super().__init__(*common)  # type: ignore[arg-type]
        object.__setattr__(self, "_cases", cases)

    def cases(self, split: object = None, question: object = None) -> list[Case]:
        """All of them."""
        del split, question
        return list(self._cases)  # type: ignore[attr-defined]


if __name__ == "__main__":
    sys.exit(main())
