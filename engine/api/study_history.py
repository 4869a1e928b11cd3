"""What was declared of a study when: a rule, arms or seeds that are changed once results are there must be seen."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from engine.api.study_earlier import EarlierUntuned, earlier_untuned, succeeded
from engine.api.study_files import OpenStudy
from engine.api.study_finding import Standing
from engine.store.reader import Reader
from engine.store.studies import LaunchRow, MemberRun
from engine.study.decisions import rule_hash
from engine.study.found import FoundCell
from engine.study.identity import stored_training_key, training_key
from engine.types import State

MOST_NAMED = 5
"""Arms or runs that a warning names; of more, their number is told."""
NOT_BEFOREHAND = "an answer under it was not declared beforehand."
_CHANGED_AFTER = "What stands there now was not declared beforehand."


def history_warnings(standing: Standing) -> tuple[str, ...]:
    """What must be known of how a study came about before believing an answer; empty for nothing.

    Raises:
        StoreError: runs.db cannot be read.
    """
    study, members = standing.study, _members(standing.study)
    strays = list(_strays(standing.found.cells, members))
    earlier = earlier_untuned(standing)
    present = study.whole.arms
    gone = list(dict.fromkeys(each.arm for each in strays if each.arm not in present and each.measured))
    trained = {each.arm for each in members}
    gone += [arm for arm in earlier.changed if arm not in present and arm not in trained]
    changed = [arm for arm in earlier.changed if arm in present]
    left = [each for each in strays if each.state == State.SUCCEEDED and each.arm not in gone]
    rule = rule_warning(study, _measured_count(standing, earlier))
    found = (rule, _gone_sentence(gone), _changed_arms_sentence(changed), _stray_sentence(left))
    return tuple(sentence for sentence in found if sentence)


def measured_count(standing: Standing) -> int:
    """Evaluations of the study's runs that have ever succeeded, under whatever protocol; controls aside.

    Those of runs that it has used before and those that it would use now, and what its untuned arms are measured by,
    or were by an earlier definition.
    Before the first launch, what other studies have measured counts once two arms could have been compared: a run that
    many studies share, such as the baseline, tells nothing of what is declared between arms.
    """
    return _measured_count(standing, earlier_untuned(standing))


def _measured_count(standing: Standing, earlier: EarlierUntuned) -> int:
    cells, study = standing.found.cells, standing.study
    known = {cell.cell.arm for cell in cells if succeeded(cell)}
    if not study.launches and len(known) < min(2, len(study.scaled.arms)):
        return 0
    untuned = earlier.rows | {row.id for cell in cells if cell.cell.untuned for row in succeeded(cell)}
    runs = {cell.run.id for cell in cells if cell.run is not None} | {each.run_id for each in _members(study)}
    reader = Reader.open_or_none(study.workspace)
    if reader is None:
        return len(untuned)
    with reader:
        return len(untuned) + sum(reader.measured_of_runs(runs).values())


def added_arms(study: OpenStudy) -> tuple[str, ...]:
    """Arms that the file has had since a later launch than its first, or has not been launched with at all."""
    if not study.launches:
        return ()
    return tuple(name for name in study.scaled.arms if name not in study.launches[0].arms)


# ----- the rule


def rule_warning(study: OpenStudy, measured: int) -> str:
    """What must be known of the rule of decision before believing an answer; "" where it stands as it was declared.

    A rule may be changed freely as long as nothing has been measured under it.

    Args:
        study: with its launches.
        measured: evaluations of its runs that have succeeded by now, see `measured_count`.
    """
    if not study.launches:
        already = f"This rule has not been declared by a launch yet, and {_evaluations(measured)} of its runs"
        return f"{already} {_are(measured)} there already: {NOT_BEFOREHAND}" if measured else ""
    declared = study.launches[0]
    for launch in study.launches[1:]:
        if launch.measured == 0:
            declared = launch
    if _is_declared(study, declared):
        return _first_sentence(declared)
    changed = _first_of(study, declared)
    if changed is not None:
        return _changed_sentence(f"on {_day(changed.time)}", changed.measured)
    if not measured:
        return ""
    return _changed_sentence(f"after the launch of {_day(study.launches[-1].time)}", measured)


def _is_declared(study: OpenStudy, launch: LaunchRow) -> bool:
    """Whether the present rule is the one of a launch; arms that were added since change no rule."""
    return launch.rule == rule_hash(study.whole, launch.arms)


def _first_of(study: OpenStudy, declared: LaunchRow) -> LaunchRow | None:
    """The first launch after `declared` from which on the rule was always the present one."""
    found = None
    for launch in study.launches:
        if launch.id > declared.id:
            found = (found or launch) if _is_declared(study, launch) else None
    return found


def _changed_sentence(when: str, measured: int) -> str:
    return (
        f"The rule of decision was changed {when}, when {_evaluations(measured)} of this study had been measured "
        f"already: {NOT_BEFOREHAND}"
    )


def _first_sentence(launch: LaunchRow) -> str:
    """Of a rule whose first launch found something to look at, as a copy of a study under another name does."""
    count = launch.measured
    if not count:
        return ""
    already = f"when {_evaluations(count)} of its runs {_were(count)} there already"
    return f"This rule was first declared on {_day(launch.time)}, {already}: {NOT_BEFOREHAND}"


# ----- arms and seeds


def _members(study: OpenStudy) -> list[MemberRun]:
    reader = Reader.open_or_none(study.workspace)
    if reader is None:
        return []
    with reader:
        return reader.study_runs_at(study.name, study.scale)


def _strays(cells: Sequence[FoundCell], members: Iterable[MemberRun]) -> Iterator[MemberRun]:
    """Runs of the study that train no cell of it any more."""
    here = {cell.run.id for cell in cells if cell.run is not None}
    keys = {training_key(cell.cell.recipe) for cell in cells if not cell.cell.untuned}
    for each in members:
        if each.run_id not in here and stored_training_key(each.recipe) not in keys:
            yield each


def _changed_arms_sentence(arms: Sequence[str]) -> str:
    if not arms:
        return ""
    count = "1 untuned arm was" if len(arms) == 1 else f"{len(arms)} untuned arms were"
    return f"{count} measured and changed or left out since: {_named(arms)}. {_CHANGED_AFTER}"


def _gone_sentence(arms: Sequence[str]) -> str:
    if not arms:
        return ""
    count = "1 arm was" if len(arms) == 1 else f"{len(arms)} arms were"
    return f"{count} measured and taken out since: {_named(arms)}. Tests are adjusted only for the arms that are left."


def _stray_sentence(runs: Sequence[MemberRun]) -> str:
    if not runs:
        return ""
    count = "1 finished run of this study is" if len(runs) == 1 else f"{len(runs)} finished runs of this study are"
    names = [f"run {each.run_id} ({each.arm}, seed {each.seed})" for each in runs]
    return f"{count} in no cell now (their seeds or recipes were changed): {_named(names)}."


def _named(names: Sequence[str]) -> str:
    more = len(names) - MOST_NAMED
    return ", ".join(names[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def _evaluations(count: int) -> str:
    return "1 evaluation" if count == 1 else f"{count} evaluations"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"


def _were(count: int) -> str:
    return "was" if count == 1 else "were"


def _day(time: float) -> str:
    return datetime.fromtimestamp(time).astimezone().strftime("%Y-%m-%d %H:%M")
