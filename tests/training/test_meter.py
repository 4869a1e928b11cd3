from __future__ import annotations

import pytest

from engine.training.meter import StepMeter, rates


def test_a_step_lasts_from_mark_to_finish() -> None:
    now = [10.0]
    meter = StepMeter(clock=lambda: now[0])
    meter.mark()
    with meter.waiting():
        now[0] = 10.5
    meter.count(3, 30)
    meter.count(1, 10)
    now[0] = 12.0
    figures = meter.finish_step()
    assert figures == {
        "step_seconds": 2.0,
        "data_seconds": 0.5,
        "samples_per_second": 2.0,
        "tokens_per_second": 20.0,
    }
    now[0] = 13.0
    after = meter.finish_step()
    assert (after["samples_per_second"], after["data_seconds"]) == (0.0, 0.0)


def test_what_was_tried_out_is_forgotten() -> None:
    now = [10.0]
    meter = StepMeter(clock=lambda: now[0])
    meter.mark()
    with meter.waiting():
        meter.count(8, 800)
        now[0] = 50.0
    meter.forget()
    meter.count(2, 20)
    now[0] = 51.0
    assert meter.finish_step() == {
        "step_seconds": 1.0,
        "data_seconds": 0.0,
        "samples_per_second": 2.0,
        "tokens_per_second": 20.0,
    }


def test_data_that_fails_to_come_was_waited_for_too() -> None:
    now = [0.0]
    meter = StepMeter(clock=lambda: now[0])
    with pytest.raises(OSError), meter.waiting():
        now[0] = 3.0
        raise OSError
    assert meter.waited == 3.0


def test_a_pause_is_no_part_of_the_step_and_the_step_keeps_its_time() -> None:
    now = [10.0]
    meter = StepMeter(clock=lambda: now[0])
    meter.mark()
    meter.count(4, 40)
    now[0] = 12.0
    with pytest.raises(RuntimeError), meter.paused():
        now[0] = 20.0
        raise RuntimeError
    assert meter.finish_step()["step_seconds"] == 2.0


def test_rates_of_a_run_weigh_each_step_by_its_time() -> None:
    slow = {"step_seconds": 3.0, "samples_per_second": 1.0, "tokens_per_second": 10.0}
    fast = {"step_seconds": 1.0, "samples_per_second": 5.0, "tokens_per_second": 50.0}
    history = [slow, {"eval_loss": 0.1}, fast]
    assert rates(history) == pytest.approx({"samples_per_second": 2.0, "tokens_per_second": 20.0})
    assert rates([{"eval_loss": 0.1}]) == {}
