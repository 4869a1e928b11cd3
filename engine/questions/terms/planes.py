"""Imaging planes of Q3: canonical name, synonyms, and the directions that go without saying."""

from __future__ import annotations

from collections.abc import Mapping

PLANES: Mapping[str, tuple[str, ...]] = {
    "transthalamic": (
        "trans thalamic",
        "thalamic",
        "thalami level",
        "level of thalamus",
        "level of the thalamus",
        "bpd",
        "hc",
        "biparietal",
        "biparietal diameter",
        "transthalamus",
        "trans thalamus",
        "head circumference",
    ),
    "transventricular": (
        "trans ventricular",
        "lateral ventricle",
        "level of the lateral ventricle",
        "transventricle",
        "trans ventricle",
        "ventricular",
    ),
    "transcerebellar": (
        "trans cerebellar",
        "trans cerebellum",
        "transcerebellum",
        "cerebellar",
        "suboccipitobregmatic",
        "level of the cerebellum",
        "cerebellum",
        "tcd",
        "posterior fossa",
    ),
    "transabdominal": (
        "trans abdominal",
        "abdominal",
        "upper abdominal",
        "upper abdomen",
        "abdomen",
        "abdominal circumference",
        "ac",
        "level of the stomach",
        "level of the stomach bubble",
        "level of the umbilical vein",
    ),
    "four-chamber heart": (
        "four chamber",
        "4 chamber",
        "four chamber heart",
        "4 chamber heart",
        "4ch",
        "4cv",
        "4c",
        "four chamber cardiac",
        "4 chamber cardiac",
        "apical four chamber",
        "apical 4 chamber",
        "four chamber of the heart",
        "four chamber view of the heart",
        "4 chamber view of the heart",
        "fourchamber",
    ),
    "left ventricular outflow tract": ("lvot", "left outflow tract", "five chamber", "5 chamber"),
    "right ventricular outflow tract": ("rvot", "right outflow tract"),
    "three-vessel": (
        "three vessel",
        "3 vessel",
        "3vv",
        "3vt",
        "three vessel trachea",
        "3 vessel trachea",
        "three vessel and trachea",
    ),
    "aortic arch": (
        "arch of the aorta",
        "aortic",
        "aorta",
        "long axis of the aorta",
        "aorta long axis",
        "descending aorta",
    ),
    "ductal arch": ("ductal",),
    "bicaval": (),
    "thoracic": ("thorax", "chest", "transthoracic", "trans thoracic"),
    "femur": (
        "femoral",
        "femur length",
        "fl",
        "femur long axis",
        "femoral long axis",
        "long axis of the femur",
        "femur diaphysis",
        "femoral diaphysis",
        "thigh",
    ),
    "humerus": ("humeral",),
    "nuchal translucency": ("nt", "nuchal", "nt measurement"),
    "crown-rump length": ("crl", "crown rump", "crown rump length"),
    "cervix": ("cervical", "cervical length", "endocervical canal", "uterine cervix", "cervical canal"),
    "pubic symphysis and fetal head": (
        "symphysis fetal head",
        "pubic symphysis fetal head",
        "symphysis",
        "pubic symphysis",
        "symphysis pubis and fetal head",
        "fetal head and pubic symphysis",
        "pubic symphysis and head",
        "aop",
        "angle of progression",
        "fetal head and symphysis",
        "symphysis and fetal head",
    ),
    "head": ("fetal head", "cranial", "brain"),
    "face": ("facial", "nose lip", "lip", "nose and lip"),
    "profile": ("facial profile", "fetal profile"),
    "spine": ("spinal", "vertebral column"),
    "kidney": ("renal",),
    "cord insertion": ("umbilical cord insertion", "abdominal cord insertion"),
}
"""Planes by name. The noun (plane, view, section) is no part of the name."""

DIRECTIONS: Mapping[str, tuple[str, ...]] = {
    "transverse": ("axial", "cross sectional", "cross section", "transversal", "transaxial", "short axis"),
    "mid-sagittal": (
        "midsagittal",
        "mid sagittal",
        "median",
        "median sagittal",
        "midline sagittal",
        "sagittal midline",
    ),
    "parasagittal": ("para sagittal",),
    "sagittal": (),
    "coronal": ("frontal",),
    "longitudinal": ("long axis", "long axis"),
    "oblique": (),
    "non-standard": ("nonstandard", "not a standard", "not standard"),
}
"""Directions of a cut; they are the answer where no plane is named."""

IMPLIED: Mapping[str, frozenset[str]] = {
    **dict.fromkeys(
        (
            "transthalamic",
            "transventricular",
            "transcerebellar",
            "transabdominal",
            "four-chamber heart",
            "three-vessel",
        ),
        frozenset({"transverse"}),
    ),
    "femur": frozenset({"longitudinal", "sagittal", "coronal"}),
    "humerus": frozenset({"longitudinal"}),
    "cervix": frozenset({"sagittal", "mid-sagittal", "longitudinal"}),
    "nuchal translucency": frozenset({"mid-sagittal", "sagittal"}),
    "crown-rump length": frozenset({"mid-sagittal", "sagittal"}),
    "pubic symphysis and fetal head": frozenset({"mid-sagittal", "sagittal"}),
    "profile": frozenset({"mid-sagittal", "sagittal"}),
    "aortic arch": frozenset({"longitudinal", "sagittal"}),
    "thoracic": frozenset({"transverse"}),
    "bicaval": frozenset({"sagittal", "longitudinal"}),
}
"""Directions that the name of a plane already says."""

NOUNS = ("plane", "view", "section", "scan", "slice", "cut", "image", "level", "imaging")
"""`Trans-thalamic view` and `Trans-thalamic plane` are one."""

APPROACHES = ("ultrasound", "approach", "probe", "sonography", "sonogram", "transducer", "examination", "us")
"""After `trans-abdominal` these name the way of scanning, not the plane."""
