"""Fuzz target: files of predictions that other tools have written."""

from __future__ import annotations

import atexit
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from fuzzing import SCRATCH, Target, staying_inside
from hostile import DAMAGE, TEXT, VALUES, damaged, joined, json_bytes, usually
from hypothesis import strategies as st

from engine.errors import SonotuneError
from engine.evaluation.imported.matching import match_predictions
from engine.evaluation.imported.reading import (
    ANSWER_KEYS,
    IMAGE_KEYS,
    PROBABILITY_KEYS,
    QUESTION_KEYS,
    read_predictions,
)
from engine.types import QUESTION_IDS, Split

sys.path.append(str(Path(__file__).resolve().parents[1] / "engine"))
from data_helpers import case

CASES = [
    case(path, split=split)
    for path, split in (("Femur/a_1.png", Split.TEST), ("Thorax/b 01.png", Split.VALIDATION), ("NT/c.png", Split.TRAIN))
]
PATHS = (
    *(each.path for each in CASES),
    "/data/set/Femur/a_1.png",
    "femur\\A_1.PNG",
    "../../etc/passwd",
    "C:\\x\\Femur\\a_1.png",
    "a_1.png",
)
ENTRY = st.builds(
    lambda keys, values, more: {**dict(zip(keys, values, strict=True)), **more},
    st.tuples(*(st.sampled_from(each) for each in (IMAGE_KEYS, QUESTION_KEYS, ANSWER_KEYS))),
    st.tuples(
        usually(st.sampled_from(PATHS), st.one_of(joined(), VALUES)),
        usually(st.sampled_from((*QUESTION_IDS, "q7", 7, "report", "Is this ultrasound normal?"))),
        usually(st.one_of(st.sampled_from(("Normal", "abnormal", "ERROR: API error")), TEXT)),
    ),
    st.dictionaries(
        st.one_of(st.sampled_from((*PROBABILITY_KEYS, "error", "finish_reason", "cut_off")), TEXT), VALUES, max_size=2
    ),
)
FILE = st.one_of(
    st.lists(json_bytes(usually(ENTRY, of=15)), max_size=4).map(b"\n".join),
    json_bytes(st.lists(usually(ENTRY, of=15), max_size=3)),
    st.builds(
        damaged, st.lists(json_bytes(ENTRY), min_size=1, max_size=2).map(b"\n".join), st.integers(0, 300), DAMAGE
    ),
)


@cache
def _folder() -> Path:
    folder = Path(tempfile.mkdtemp(prefix="sonotune-fuzz-", dir=SCRATCH))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def check(given: tuple[bytes, Any]) -> None:
    """Read a file and match it to cases; what cannot be used is told, and what is used belongs to a case."""
    data, question = given
    file = _folder() / "predictions.jsonl"
    file.write_bytes(data)
    try:
        with staying_inside(readable=(_folder(),)):
            matched = match_predictions(read_predictions(file, question), CASES, None)
    except SonotuneError as error:
        assert error.title
        str(error).encode("utf-8")
        return
    known = {each.path for each in CASES}
    for (asked, split), rows in matched.predictions.items():
        assert asked in QUESTION_IDS
        assert split is not Split.TRAIN
        for found, said in rows:
            assert found.path in known
            assert said.p_abnormal is None or 0 <= said.p_abnormal <= 1
            said.raw_output.encode("utf-8")
    for rejected in matched.rejected:
        f"{rejected.item}{rejected.reason}".encode()
        assert len(rejected.item) <= 400
        assert len(rejected.reason) <= 400


FOUND: tuple[tuple[bytes, Any], ...] = (
    # Half a surrogate pair in the output of an entry that says it is an error: the database holds no such text.
    (b'[{"path": "Femur/a_1.png", "task": "Q7", "prediction": "\\ud800", "error": [[]]}]', None),
    # A whole number that becomes no float.
    (b'{"file": "Femur/a_1.png", "task": "Q6", "answer": "Good", "p_abnormal": 1' + b"0" * 400 + b"}", None),
)
TARGET = Target("predictions", st.tuples(FILE, st.sampled_from((None, "Q7"))), check, FOUND)
