"""What the check of the images says of a dataset as it is now."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Mapping, Sequence

from engine.data.quality.background import CheckStatus
from engine.data.quality.model import ImageFault, ImageReport, ViewImages
from engine.data.quality.signature import Signature
from engine.types import Case, Problem


def report_images(
    cases: Sequence[Case],
    signatures: Mapping[str, Signature],
    status: CheckStatus,
    changes: Sequence[Problem] | None = None,
) -> ImageReport:
    """Judge the images of all cases by what is known of their content.

    Args:
        signatures: by content hash.
        changes: what a comparison of all files with the import has just found; None where nobody has compared.
    """
    looked = [(case, signatures[case.sha256]) for case in cases if case.sha256 in signatures]
    unreadable = {case.path: signature.fault for case, signature in looked if signature.fault is not None}
    changed = {problem.item: problem.reason for problem in (status.problems if changes is None else changes)}
    return ImageReport(
        status=status,
        checked=len(looked),
        unchecked=len(cases) - len(looked),
        verified=changes is not None,
        unreadable=tuple(ImageFault(path, reason) for path, reason in sorted(unreadable.items())),
        changed=tuple(ImageFault(path, why) for path, why in sorted(changed.items()) if path not in unreadable),
        tiny=tuple(sorted(case.path for case, signature in looked if signature.tiny)),
        blank=tuple(sorted(case.path for case, signature in looked if signature.blank)),
        views=_views(looked),
    )


def _views(looked: Sequence[tuple[Case, Signature]]) -> tuple[ViewImages, ...]:
    by_view: dict[str, list[Signature]] = defaultdict(list)
    for case, signature in looked:
        if signature.fault is None:
            by_view[case.view].append(signature)
    return tuple(
        ViewImages(
            view,
            len(members),
            statistics.median(each.mean for each in members),
            statistics.median(each.deviation for each in members),
            statistics.median(each.sharpness for each in members),
        )
        for view, members in sorted(by_view.items())
    )
