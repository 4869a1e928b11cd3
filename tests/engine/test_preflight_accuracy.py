from __future__ import annotations

from engine.preflight.accuracy import judge
from engine.preflight.rows import shipped_rows


def test_eight_measured_peaks_foretell_all_others_within_ten_percent() -> None:
    rows = judge(list(shipped_rows()))
    fitted = [each for each in rows if each.calibrated_on]
    others = [each for each in rows if not each.calibrated_on]
    assert len(fitted) == 8
    assert len(others) >= 20
    assert {each.row.model for each in others} == {"2b", "4b", "8b"}
    assert {each.row.layout.backend for each in others} == {"transformers", "unsloth"}
    assert {each.row.layout.checkpointing for each in others} == {True, False}
    assert max(abs(each.error) for each in others) < 0.10
