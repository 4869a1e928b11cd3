"""One painter a view. Each draws into a `BeamField` and says what it drew."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from engine.data.phantoms.anatomy import abdomen, cervix, femur, head, nuchal, thorax
from engine.data.phantoms.anatomy.common import Drawn
from engine.data.phantoms.field import BeamField

PAINTERS: Mapping[str, Callable[[BeamField, bool], Drawn]] = {
    "Trans-ventricular": head.paint,
    "Abdomen": abdomen.paint,
    "Femur": femur.paint,
    "NT-View": nuchal.paint,
    "Thorax": thorax.paint,
    "Cervix": cervix.paint,
}
