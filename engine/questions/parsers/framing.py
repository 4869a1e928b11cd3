"""What stands around an answer: echoes of the question, headings, wrappers, and clauses that say that nothing can be
said.
"""

from __future__ import annotations

import re
from functools import lru_cache

from engine.questions.prompts import QUESTIONS

LABELS = {
    "Q1": ("anatomical structures identification", "anatomical structures identified", "anatomical structures",
           "anatomical structure", "visible structures", "structures visible", "structures identified",
           "structures seen",
           "identified structures", "structures", "anatomy"),
    "Q2": ("fetal orientation", "scan orientation", "orientation of the fetus", "orientation of the scan",
               "orientation"),
    "Q3": ("imaging plane", "plane evaluation", "scan plane", "standard plane", "ultrasound plane", "plane of imaging",
           "view", "plane"),
    "Q4": ("biometric measurements", "biometric measurement", "biometric parameters", "biometric parameter",
           "measurable parameters", "fetal biometry", "biometry", "measurements", "parameters"),
    "Q5": ("gestational age", "estimated gestational age", "gestational age estimation", "gestational age estimate",
           "estimated ga", "ga"),
    "Q6": ("image quality", "quality assessment", "image quality assessment", "quality of the image",
               "technical quality",
           "quality"),
    "Q7": ("normality assessment", "normality / abnormality", "normality/abnormality", "normality and abnormality",
           "normality", "abnormality assessment"),
    "Q8": ("clinical recommendations", "clinical recommendation", "recommendations", "recommendation", "next step",
           "next clinical step", "clinical next step", "recommended action", "management", "plan"),
}  # fmt: skip
"""How a question is named in headings, lower case; the titles of the report are among them."""

_ANSWER = re.compile(
    r"\b(?:final|my|the|correct|short)?\s?answer\b(?:\s(?:is|would be))?['\"]?\s?[:=-]\s?|\bassistant\s?:\s?"
    r"|\banswer is\b:?\s?|\bfinal (?:classification|assessment)\s?:\s?",
    re.IGNORECASE,
)
_THINKING = re.compile(r"<think>.*?</think>|<\|[^|<>]{1,30}\|>|</?s>", re.DOTALL | re.IGNORECASE)
_CUT_THOUGHT = re.compile(r"<think>.*\Z", re.DOTALL | re.IGNORECASE)
_JSON_KEY = re.compile(r"\A\s*\{?\s*[\"'][\w :/-]{1,60}[\"']\s*:\s*")
_JSON_ENDS = re.compile(r"\A[\s{}\[\]\"',:]+|[\s{}\[\]\"',:]+\Z")
_ADVERSATIVE = re.compile(r"\b(?:but|however|although|though|nevertheless|whereas|while)\b", re.IGNORECASE)
_CLAUSE = re.compile(r"(?:[^.;,\n!?]|(?<=\d)\.(?=\d))+")
_REFUSAL = re.compile(
    r"\b(?:can ?not|can'?t|could not|couldn'?t|un(?:able|certain|sure)|not (?:possible|able|sure|certain"
    r"|clear enough)|impossible"
    r"|insufficient|difficult|hard|cannot be|not (?:be )?(?:reliably|accurately|definitively))\b.{0,60}?"
    r"\b(?:determin\w*|assess\w*|estimat\w*|evaluat\w*|tell|say|judg\w*|identif\w*|confirm\w*|establish\w*|provid\w*|giv\w*"
    r"|nam\w*|classif\w*|measur\w*|answer\w*|rat\w*|interpret\w*|stat\w*|recommend\w*|information|which|what|about|recogni\w*"
    r"|visuali\w*|see|seen|made|make|help|assist)\b"
    r"|\b(?:un(?:determined|determinable|known|certain|clear)|indeterminate|inconclusive"
    r"|not (?:applicable|determinable|assessable"
    r"|determined|assessed|specified|available|provided|certain|sure|known|given|stated|evaluable|evaluated|reported|mentioned)"
    r"|n/a|no (?:information|answer|idea)|as an ai|i'?m sorry|sorry|i am sorry)\b",
    re.IGNORECASE,
)
_NOTHING_SEEN = re.compile(
    r"\A\W*(?:it is |is |are )?(?:not (?:clearly )?(?:visible|seen|visuali[sz]ed|discernible"
    r"|identifiable)|na|nil|nan|null)\W*\Z",
    re.IGNORECASE,
)


def answer_part(question: str, text: str) -> str:
    """`text` without thoughts, wrappers, echoes and headings; what follows the last `Answer:` if any."""
    text = _CUT_THOUGHT.sub("", _THINKING.sub(" ", text))
    text = _after_the_last_marker(text)
    text = _echoes(question).sub("", _JSON_KEY.sub("", text, count=1), count=1)
    text = _heading(question).sub("", text, count=1)
    return _JSON_ENDS.sub("", text)


def _after_the_last_marker(text: str) -> str:
    last = None
    for match in _ANSWER.finditer(text):
        if text[match.end() :].strip(" \n\"'}:."):
            last = match
    return text if last is None else text[last.end() :]


@lru_cache(maxsize=16)
def _echoes(question: str) -> re.Pattern[str]:
    wordings = sorted(QUESTIONS[question].prompts.values(), key=len, reverse=True)
    return re.compile(
        r"\A\s*(?:question|user)?\s?:?\s*(?:" + "|".join(_loose(each) for each in wordings) + r")[\s:?.-]*",
        re.IGNORECASE,
    )


@lru_cache(maxsize=16)
def _heading(question: str) -> re.Pattern[str]:
    number = question[1:]
    labels = sorted((*LABELS[question], QUESTIONS[question].title.lower()), key=len, reverse=True)
    return re.compile(
        rf"\A\s*(?:(?:section|question|q)\s?{number}\s?[.:)-]*\s*|{number}\s?[.:)]\s*(?=\D))?"
        rf"(?:(?:the|a|estimated|fetal|final|overall)\s)?(?:{'|'.join(_loose(each) for each in labels)})"
        r"(?:\s\([^()\n]{1,30}\))?['\"]?\s*(?::|=|\s-|\n|\bis\b|\bare\b|\bwould be\b)[\s:-]*"
        rf"|\A\s*q\s?{number}\s?[.:)-]\s*",
        re.IGNORECASE,
    )


def _loose(words: str) -> str:
    """A pattern for the words of a label or prompt, whatever stands between them."""
    return r"[\s\W]{1,3}".join(re.escape(word) for word in re.findall(r"\w+", words))


def split_refusals(text: str) -> tuple[str, bool]:
    """`text` without the clauses that say that something cannot be told, and whether there was one.

    `but`, `however` and the like end a clause, so "cannot be determined exactly but about 22 weeks" keeps its answer.
    """
    text = _ADVERSATIVE.sub(";", text)
    if _NOTHING_SEEN.match(text):
        return "", True
    refused = False

    def keep(match: re.Match[str]) -> str:
        nonlocal refused
        if _REFUSAL.search(match.group()):
            refused = True
            return " "
        return match.group()

    return _CLAUSE.sub(keep, text), refused
