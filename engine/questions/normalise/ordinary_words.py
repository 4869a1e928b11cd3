"""Ordinary words that answers hold: they are right as they stand, and nothing is corrected into them."""

from __future__ import annotations

from engine.questions.words import word_set

ORDINARY = word_set(
    """
    about above absence absent according account across action added additional adequate adjacent advised after
    again against ago all along alongside also although always among and angle another answer any apart apparent
    appear appearance appears appreciated approximate approximately are area areas around artefact artefacts
    artifact artifacts aspect assess assessed assigned assistance available based because been before behind being
    below beside best better between beyond both bottom bright but can cannot care case center centre central
    certain change changes chart clear clearly close closed combined common complete compared concern condition
    confirm confirmed considered consistent consult contained contains content contour contours contrast could
    course cross current curved dark data day days decided decision deep deeper definite demonstrate demonstrated
    demonstrates depth describe described details detected determine determined difficult diagnosis direct directed
    directly discussed distal distance distinct does done doubt down due during each early echo echoes edge either
    element elements end ensure entire especially estimate estimated evaluate evaluated evaluation even evident
    exact exactly exam examination example excellent excluded expected expert explain face facing fair fairly far
    features field final finding findings first five fluid focus form format formed found four free from full
    further general given gives good gray great grey group grown guide half has have having health healthy hence
    here high higher however identified identify image images imaging impossible included including incomplete
    indeterminate index indicate indicated indicates individual information inside instead intact into its itself
    just keep known label large larger last late later lateral layer least less level levels like likely limited
    line lines list located location long longer lower main maintain make making male many mark marked marker
    markers material mature mean means measurable measure measured measurement measurements measures measuring
    medial median midline might mild mildly model moderate month months more most mother mothers move much name
    named named near nearly need needed needs neither never next none nor note noted nothing number numbers object
    observed obtained obscured obvious of off often only open opening or order other others out outcome outline
    outside over overall page pair paper part partial partially partly parts pass past patient patients perform
    performed perhaps period person photo picture pictured place placed planned plans point pointing points poorly
    position positioned positive possible possibly prefer presence present presented presenting presents pressure
    prevent previous probably problem proceed process proper properly provide provided provides proximal radiologist
    range rather reading reason reasons recent recognised recognized record recording reduce refer referred reflect
    region regular related remain remains report reported reports request required requires resolution respond
    response result results review rotated row said same sample satisfactory scale scanned scanning scans score
    second section sections see seem seems seen segment separate series set several shadow shadowing shape sharp
    short shorter should show showing shown shows side sides sign signs similar since single site size slight
    slightly small smaller some space specific stable stage standard state stated status step still straight
    structure structures study style subject such sufficient suggest suggested suggests suitable support sure
    surface taken target technical technique test text than thank that the their them then there these they thick
    thicker thin thing third this those though three through thus time tissue today together too top total toward
    towards trace trimester true two type typical unable unclear under understand unknown unlikely until update upon
    upper used uses using usual usually value values various very viable viewed viewing visible visibility visual
    visualised visualization visualize visualized vital wall was way well were what when where whether which while
    white who whole whose wide widely width will with within without word work worth would written year years yes
    yet your zero alive animal animals beam beat birth block blood bone border brief caption cavity cell chance
    channel chapter charter check chose circle class clean color colour comment correct count cover create cycle
    definition degree delivered density detail device differ dimension disease display division dose double drive
    effect effort enough entry error event exist factor failure fast feature fever fiber figure file film filter
    flow foot force formal frame front function future gain gender general gentle glass grade ground growth hand
    handle hard heard hearing heat heavy height help hospital hour house human idea illness impact import infant
    inner input insert inspect intense interest internal issue join journal keen kind large laser late layout lead
    leaf learn left letter lever lively living local loud machine manual margin matter meaning medical member metal
    method middle minor minute modern moment morning motion mouth muscle native nature nausea negative nerve neutral
    night noise normality note novel nurse offer office online option oral organ origin outer oxygen pain panel
    parent pattern perfect phase phone physical pixel planet plenty plus pole pool portal post power practice
    pregnancy pregnant print prior private produce product program prompt proof protein public pulse quick quiet
    quite radio random rapid rate ratio reach read ready real rest return ring risk role room root rough round rule
    safe sale save school screen sector sense sensor sentence serious serum service severe sharp shift shoulder
    signal silent simple skill skin sleep slice slide slow smooth social soft solid source spare speech speed split
    spot spread spring square staff stand star start station stay stem stock stone stool store stream strong
    structural surgery switch symptom symptoms system table tail task team tech tension term theory throat tide
    tight tilted tiny title tone tool touch tract trade train transfer transform transit transparent transport
    travel treat treatment trend trial trip triplet triple trust truth tube turn twice twin twins unit urgent usage
    user valid valley valve vary vector venous verify version vertical vessel vessels video vision visit voice
    volume wait walk warm warn waste watch water wave weight west wind window winter wire woman women wonder world
    worry worse wrist write wrong young fatal plain spin plan hart breach beech vain cave longs flax camber feta
    weak imag plans interval intervals internal external interior exterior posterior anterior superior inferior
    horizontal vertical hyperechoic hypoechoic anechoic isoechoic hyperechogenic hypoechogenic echogenic hypertrophy
    hypotrophy hyperplasia hypoplasia hypertension hypotension macrocephaly microcephaly polyhydramnios
    oligohydramnios prenatal postnatal perinatal preterm postterm supine prone intra extra intrauterine extrauterine
    viable nonviable typical atypical symmetric asymmetric symmetrical asymmetrical regular irregular complete
    incomplete adequate inadequate optimal suboptimal raises generic literal causal caudal intersection routing
    router evaluating preserving curves closer finder inspection assets reducer descendant specialize preservation
    elimination misses messes recommends intercepted attenuation intern qualify delivers deliver delivered
    portability imagine corona interrupts enlarge clarification progressive boring messing pretending farther
    specialised specialized trickiness spline profiler splice spacer attentive visualizer outlive evaluates assesses
    assessing estimating estimates measures indicates presenting interpret interpreted interpretation intervention
    """
)

NEVER_TARGETS = word_set(
    """
    normal abnormal normally abnormally normality abnormality abnormalities left right anterior posterior superior
    inferior upper lower internal external increased decreased high low good poor medium present absent open closed
    first second third
    """
)
"""Words whose opposite is near or whose sense decides an answer: corrected by the table alone, never by a guess."""

OPPOSING_PREFIXES = (
    "hyper",
    "hypo",
    "macro",
    "micro",
    "oligo",
    "poly",
    "ab",
    "an",
    "un",
    "non",
    "in",
    "im",
    "ir",
    "dis",
    "dys",
    "sub",
    "supra",
    "inter",
    "intra",
    "infra",
    "pre",
    "post",
    "ante",
    "anti",
    "extra",
    "endo",
    "exo",
    "ecto",
    "bi",
    "mono",
    "para",
)
"""A guess never adds, takes or exchanges one of these at the start of a word."""
