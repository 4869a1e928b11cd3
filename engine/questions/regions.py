"""What each region of the fetus is viewed as, shows, and is measured by: the knowledge behind the coherence rules.

After the ISUOG guidelines for the routine mid-trimester scan (2022), the 11 to 14 week scan (2023) and intrapartum
ultrasound (2018).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.questions.terms.planes import IMPLIED, PLANES

HEADS = frozenset({"transthalamic", "transventricular", "transcerebellar"})

_REGION_OF_PLANE: Mapping[str, str] = {
    **{name: name for name in HEADS},
    "transabdominal": "abdomen",
    "cord insertion": "abdomen",
    "four-chamber heart": "thorax",
    "left ventricular outflow tract": "thorax",
    "right ventricular outflow tract": "thorax",
    "three-vessel": "thorax",
    "thoracic": "thorax",
    "aortic arch": "aorta",
    "ductal arch": "aorta",
    "femur": "femur",
    "nuchal translucency": "nt",
    "crown-rump length": "crl",
    "cervix": "cervix",
    "pubic symphysis and fetal head": "symphysis",
}

_REGION_OF_VIEW = (
    ("symphysis", "symphysis"), ("thalam", "transthalamic"), ("ventric", "transventricular"), ("cerebell",
    "transcerebellar"),
    ("abdom", "abdomen"), ("aort", "aorta"), ("femur", "femur"), ("femor", "femur"), ("thora", "thorax"), ("heart",
    "thorax"),
    ("cerv", "cervix"), ("crl", "crl"),
)  # fmt: skip
_NT = re.compile(r"(?:^|[^a-z])nt(?:$|[^a-z])|nuchal")

EARLY = frozenset({"nt", "crl"})
LATE = frozenset({"symphysis"})
SECOND_HALF = HEADS | {"abdomen", "thorax", "femur"}

_HEART = frozenset(
    {
        "four heart chambers", "heart", "left atrium", "right atrium", "left ventricle", "right ventricle",
        "ventricular septum", "atrial septum", "mitral valve", "tricuspid valve", "foramen ovale",
    }
)  # fmt: skip
_BRAIN = frozenset(
    {
        "thalamus", "cavum septi pellucidi", "lateral ventricle", "choroid plexus", "cerebellum", "cisterna magna",
        "third ventricle",
    }
)  # fmt: skip
_BELLY = frozenset({"stomach", "liver", "umbilical vein", "portal vein", "gallbladder", "kidney", "bladder"})
_CERVIX = frozenset(
    {
        "cervix", "cervical canal", "internal os", "external os", "anterior cervical lip", "posterior cervical lip",
        "pubic symphysis",
    }
)  # fmt: skip
_THIGH = frozenset({"femur", "femoral head", "femoral metaphysis", "femoral epiphysis", "femoral condyle"})

SHOWS: Mapping[str, frozenset[str]] = {
    "transthalamic": frozenset({"thalamus", "cavum septi pellucidi"}),
    "transventricular": frozenset({"lateral ventricle", "choroid plexus"}),
    "transcerebellar": frozenset({"cerebellum", "cerebellar vermis", "cisterna magna"}),
    "abdomen": _BELLY | {"abdomen"},
    "thorax": _HEART | {"thorax", "lung"},
    "aorta": frozenset({"aorta", "descending aorta", "ascending aorta", "aortic arch", "ductal arch"}),
    "femur": _THIGH,
    "nt": frozenset({"nuchal translucency", "neck"}),
    "crl": frozenset({"head", "crown", "rump", "fetal body", "fetus", "embryo"}),
    "cervix": _CERVIX - {"pubic symphysis"},
    "symphysis": frozenset({"pubic symphysis"}),
}
"""Structures of which at least one must be listed."""

FOREIGN: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(HEADS, _HEART | _BELLY | _CERVIX | _THIGH),
    "abdomen": _BRAIN | _CERVIX | _THIGH,
    "thorax": _BRAIN | _CERVIX | _THIGH,
    "aorta": _BRAIN | _CERVIX | _THIGH,
    "femur": _BRAIN | _HEART | _CERVIX,
    "cervix": _HEART | _THIGH | (_BELLY - {"bladder"}),
    "symphysis": _HEART | _THIGH | (_BELLY - {"bladder"}),
}
"""Structures that the region cannot show; the bladder beside the cervix is the mother's."""

MEASURED: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        HEADS,
        frozenset(
            {
                "BPD",
                "HC",
                "OFD",
                "cephalic index",
                "TCD",
                "cisterna magna width",
                "lateral ventricle width",
                "CSP width",
                "nuchal fold thickness",
                "IOD",
            }
        ),
    ),
    "abdomen": frozenset({"AC", "APAD", "TAD", "aortic diameter"}),
    "thorax": frozenset(
        {"CTR", "cardiac circumference", "thoracic circumference", "thoracic diameter", "aortic diameter"}
    ),
    "aorta": frozenset({"aortic diameter", "AC", "CTR"}),
    "femur": frozenset({"FL"}),
    "nt": frozenset({"NT", "CRL", "NBL", "BPD", "HC", "nuchal fold thickness"}),
    "crl": frozenset({"CRL", "NT", "NBL", "BPD", "HC", "gestational sac diameter"}),
    "cervix": frozenset({"CL"}),
    "symphysis": frozenset({"AOP", "HPD", "HSD"}),
}

_LONGWAYS = frozenset({"sagittal", "mid-sagittal", "parasagittal", "longitudinal", "coronal"})


def region_of_view(view: str) -> str | None:
    """The region of a folder name, whatever its case and separators; None for a view that is not known."""
    name = view.lower()
    for part, region in _REGION_OF_VIEW:
        if part in name:
            return region
    return "nt" if _NT.search(name.replace("_", " ")) else None


def region_of_plane(plane: str) -> str | None:
    """The region of a canonical Q3 value; None where it names a direction only, or a plane without rules."""
    named = _named(plane)
    return _REGION_OF_PLANE.get(named) if named else None


def section_of(value: str) -> str | None:
    """`transverse` or `longitudinal` for a canonical value of Q2 or Q3; None where it says neither, or a mixture."""
    words = set(re.findall(r"[a-z-]+", value))
    across = bool({"axial", "transverse"} & words) and "lie" not in words
    along = bool(_LONGWAYS & words) and "lie" not in words
    implied = IMPLIED.get(_named(value) or "", frozenset())
    across = across or implied == {"transverse"}
    along = along or bool(implied and "transverse" not in implied)
    if across is along:
        return None
    return "transverse" if across else "longitudinal"


def _named(plane: str) -> str | None:
    words = plane.removesuffix(" plane")
    return (
        next((name for name in PLANES if words == name or words.endswith(f" {name}")), None)
        if plane.endswith(" plane")
        else None
    )
