"""A few inputs of every fuzz target, and all that ever failed; the full form is `make fuzz`."""

from __future__ import annotations

from typing import Any

import pytest
from fuzzing import Target
from hypothesis import HealthCheck, given, settings
from targets import NAMES, target

QUIET = settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much])


@pytest.fixture(params=NAMES)
def aim(request: pytest.FixtureRequest) -> Target:
    return target(request.param)


def test_hostile_inputs_give_a_result_or_an_error_for_the_user(aim: Target) -> None:
    @QUIET
    @given(aim.inputs)
    def feed(value: Any) -> None:
        aim.check(value)

    feed()


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in NAMES for value in target(name).found])
def test_what_once_failed_does_so_no_more(name: str, value: Any) -> None:
    target(name).check(value)


def test_a_target_notices_what_it_is_there_to_notice(tmp_path: Any) -> None:
    """The watch itself: a file read or written outside fails; one inside does not."""
    from fuzzing import staying_inside

    inside, secret = tmp_path / "inside", tmp_path / "secret"
    inside.mkdir()
    secret.write_text("x")
    (inside / "link").symlink_to(secret)
    with staying_inside(inside):
        (inside / "a").write_text("x")
        (inside / "a").read_text()
    for act in (
        secret.read_text,
        lambda: secret.write_text("y"),
        (inside / "link").read_text,
        lambda: (inside / "a").rename(tmp_path / "b"),
        (tmp_path / "folder").mkdir,
    ):
        with pytest.raises(AssertionError, match="outside its folder"), staying_inside(inside):
            act()
