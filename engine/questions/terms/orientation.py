"""Words of Q2: how the fetus lies, which way the section is cut, through what, and which side a part is on."""

from __future__ import annotations

from collections.abc import Mapping

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "axial": ("transverse", "cross sectional", "cross section", "transversal", "transaxial"),
    "mid-sagittal": ("midsagittal", "mid sagittal", "median sagittal"),
    "parasagittal": ("para sagittal",),
    "sagittal": (),
    "coronal": (),
    "longitudinal": ("long axis",),
    "oblique": (),
}

PRESENTATIONS: Mapping[str, tuple[str, ...]] = {
    "cephalic presentation": (
        "cephalic",
        "vertex",
        "vertex presentation",
        "head down",
        "cephalic position",
        "cephalic lie",
        "head first",
        "cephalic orientation",
        "vertex position",
        "head downward",
        "head down position",
        "head presentation",
        "presenting part head",
    ),
    "breech presentation": (
        "breech",
        "breech position",
        "breech lie",
        "head up",
        "pelvic presentation",
        "buttock down",
        "podalic",
        "bottom down",
        "podalic presentation",
    ),
    "transverse lie": ("transverse presentation", "transverse position", "shoulder presentation", "lying transversely"),
    "oblique lie": ("oblique presentation", "oblique position"),
    "longitudinal lie": ("longitudinal presentation", "longitudinal position"),
    "supine": (
        "face up",
        "facing up",
        "facing upward",
        "facing upwards",
        "fetus supine",
        "supine position",
        "spine down",
        "on its back",
        "lying on back",
        "on back",
        "back down",
    ),
    "prone": ("face down", "prone position", "spine up", "back up"),
}

PARTS: Mapping[str, tuple[str, ...]] = {
    "head": ("fetal head", "crown", "cephalic end", "head of the fetus", "skull"),
    "rump": ("breech end", "buttock", "caudal end", "pelvis"),
    "vertebral column": ("spine", "back", "vertebra", "fetal spine", "spinal column", "vertebral body", "fetal back"),
    "occiput": ("occipital bone", "back of the head", "occipital"),
    "forehead": ("frontal bone", "sinciput", "frontal"),
    "face": ("profile", "fetal face"),
    "nose": ("nasal bone",),
    "stomach": ("stomach bubble", "gastric bubble"),
    "heart": ("fetal heart",),
    "heart apex": ("apex", "cardiac apex", "apex of the heart"),
    "liver": (),
    "cerebellum": (),
    "placenta": (),
    "external os": (),
    "internal os": (),
    "cervix": ("cervical canal",),
    "pubic symphysis": ("symphysis", "symphysis pubis"),
    "femur": ("femoral shaft",),
    "knee": ("distal femur",),
    "hip": ("proximal femur",),
    "abdomen": ("fetal abdomen",),
    "upper abdomen": (),
    "chest": ("thorax", "thoracic", "fetal chest", "fetal thorax"),
    "aortic arch": (),
    "aorta": (),
    "fetus": ("foetus", "baby", "fetal body"),
}

SIDES: Mapping[str, tuple[str, ...]] = {
    "right": ("right sided", "right side", "rightward", "right hand side", "rt"),
    "left": ("left sided", "left side", "leftward", "left hand side", "lt"),
    "anterior": ("anteriorly", "toward the probe", "toward probe", "toward the transducer"),
    "posterior": ("posteriorly", "away from the probe"),
    "superior": ("superiorly", "top", "upward", "up"),
    "inferior": ("inferiorly", "bottom", "downward", "down"),
}

TILTS: Mapping[str, tuple[str, ...]] = {
    "horizontal": ("horizontally", "horizontal position"),
    "vertical": ("vertically",),
    "tilted": ("tilt", "tilted down", "tilted downward", "slanted", "inclined", "angled"),
}

EXCLUSIVE = (
    frozenset({"cephalic presentation", "breech presentation", "transverse lie", "oblique lie"}),
    frozenset({"longitudinal lie", "transverse lie", "oblique lie"}),
    frozenset({"supine", "prone"}),
)
"""Presentations of which a fetus can have one."""

OPPOSITES = (frozenset({"left", "right"}), frozenset({"anterior", "posterior"}), frozenset({"superior", "inferior"}))
"""Sides that exclude each other when they are said of one part."""
