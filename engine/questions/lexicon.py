"""The words with which answers to Q7 speak: verdicts, findings, negations and doubts. Lower case, ASCII."""

from __future__ import annotations

import re


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


NORMAL = re.compile(r"n+(?:or?|r)m[aeiou]?l{1,2}(?:ly|s)?|nml|nroma?l|norm?aml|wnl|unremarkable|healthy")
"""`normal` with the usual slips; never `normality`, which names the question and not the answer."""

ABNORMAL_QUALIFIER = re.compile(
    r"(?:ab+n?o?r?|an+o?r|abnro|un+or)m[aeiou]?l{1,2}(?:ly|s)?|anomalous|pathologic(?:al)?|unusual|suspicious|concerning"
    r"|remarkable|malformed|abnorm?aml"
)
ABNORMAL_NOUN = re.compile(
    r"ab+n?o?r?m[aeiou]?l{1,2}(?:it|at|t)(?:y|ys|ies)|anomal(?:y|ies)|patholog(?:y|ies)|malformations?|concerns?|issues?"
    r"|problems?|defects?|deformit(?:y|ies)"
)

FINDINGS = _words(
    """
    agenesis anencephaly aneurysm anhydramnios arrhythmia ascites asd atresia avsd bifida bradycardia
    calcification calcifications cardiomegaly cephalocele cleft clubfoot coarctation collapse cyst cystic cysts
    demise dextrocardia dysplasia ectopic edema oedema effusion effusions encephalocele exomphalos fgr fracture
    fractures funneling funnelling gastroschisis haematoma haematomas haemorrhage hematoma hematomas hemorrhage
    hernia holoprosencephaly hydramnios hydrocephalus hydronephrosis hydrops hygroma hypoplasia hypoplastic
    hypotelorism iugr lesion lesions macrocephaly macrosomia mass masses megacystis meningocele microcephaly
    miscarriage myelomeningocele oligohydramnios omphalocele polyhydramnios praevia previa
    pyelectasis regurgitation stenosis tachycardia talipes teratoma tetralogy thrombosis
    transposition tumor tumors tumour tumours ventriculomegaly vsd
    """
)
"""Findings that are abnormal by their name alone."""

STRONG_MODIFIERS = _words(
    """
    bowed bowing dilatation dilated dilation dysplastic enlarged enlargement hydropic shortened shortening
    thickened thickening
    """
)
"""Changes that are abnormal of whatever structure they are said."""

WEAK_MODIFIERS = _words(
    """
    absence absent curved decreased deficient echogenic elevated excessive hyperechoic hyperechogenic increased
    interrupted large low missing narrow narrowed open opened raised reduced restricted short small thick wide
    widened
    """
)
"""Changes that are abnormal only beside a structure: `short cervix`, not `short axis view`."""

ABSENCE = frozenset({"absence", "absent", "missing"})

ANATOMY = _words(
    """
    amniotic aorta bladder bone bowel brain bubble cavum cerebellum cervical cervix cisterna csp diaphragm
    ductus falx femur femurs fluid foci focus growth heart humerus kidney kidneys limb limbs liquor lung lungs
    magna nasal nt nuchal placenta septum septal spine stomach thalami thalamus thorax translucency umbilical
    ventricle ventricles ventricular vermis
    """
)

LINKS = _words(
    """
    is are was were appears appear looks seems remains very markedly mildly slightly clearly thickness length
    canal bubble width size and which that measures measuring mm cm
    """
)
"""Words that may stand between a structure and what is said of it: `the cervix appears short`."""

FINDING_NOUNS = _words(
    """
    finding findings feature features change changes area areas structure structures sign signs appearance
    anatomy morphology variant variants process
    """
)
"""Nouns that make `abnormal ...` a finding which may then be `not seen`."""

NEGATORS = _words(
    """
    no not non without never none nothing neither nor nil cannot cant isnt doesnt arent wasnt dont didnt isn't
    doesn't aren't wasn't weren't don't didn't can't couldn't won't hasn't haven't excludes lack lacks lacking
    devoid
    """
)
NEGATOR_PAIRS = {"free": {"of", "from"}, "negative": {"for"}, "rather": {"than"}, "instead": {"of"}, "ruled": {"out"}}
"""Negators that are so only before one of the words given."""

NO_NEGATION_BEFORE = {
    "no": {"this", "it", "that", "the", "there", "doubt", "question"},
    "not": {"only", "just", "merely", "sure"},
    "without": {"doubt", "question"},
}
"""`no this is abnormal`, `not only abnormal`, `no doubt abnormal` deny nothing."""

OUTSIDE = _words(
    """
    outside beyond above below exceeds exceed exceeding under than from versus vs unlike
    """
)
"""`outside normal limits`, `larger than normal`, `far from normal`."""
RANGE_WORDS = _words("the a upper lower limit limits range of")

BREAKERS = _words(
    """
    but however although though except despite whereas while yet apart aside besides nevertheless because since
    """
)
"""Words at which a negation ends."""

DECIDE = _words(
    """
    determine determined assess assessed evaluate evaluated tell say judge judged confirm confirmed establish
    established exclude excluded rule ruled interpret interpreted comment conclude concluded ascertain
    ascertained diagnose decide decided assessment diagnosis evaluation interpretation determination
    """
)
EXCLUDE = frozenset({"exclude", "excluded", "rule", "ruled", "excluding"})
UNABLE = _words(
    """
    cannot can't cant couldn't not unable difficult impossible hard poor insufficient inadequate isn't don't doesn't
    """
)
"""Before a word of DECIDE these say that the answer cannot be told."""
UNCLEAR = _words(
    """
    unclear indeterminate inconclusive equivocal undetermined uncertain undeterminable ambiguous nondiagnostic
    unsure unknown insufficient inadequate
    """
)
CERTAIN = frozenset({"clear", "sure", "certain"})
"""After `not` these are a doubt."""

SEEN = _words(
    """
    seen identified detected found visible visualized visualised noted observed demonstrated present evident
    appreciated apparent suspected shown recognised recognized there
    """
)
GONE = frozenset({"absent", "excluded", "none", "negative", "nil"})
"""After a finding these deny it: `abnormality: none`, `VSD absent`."""

HEADINGS = _words(
    """
    normality abnormality abnormalities assessment answer verdict classification class result results conclusion
    impression diagnosis finding findings response q label category status evaluation interpretation opinion
    question
    """
)
HEADING_FILLERS = _words(
    """
    normal abnormal and or of the final overall clinical visible any ultrasound image fetal my other model
    """
)
REASONS = _words("reason reasons reasoning because rationale explanation justification due")
