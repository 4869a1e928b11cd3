"""In what the ways differ in which subjects were measured."""

from __future__ import annotations

import json
from collections.abc import Sequence

from engine.comparison.subjects import protocol_of
from engine.evaluation.protocol import NORMALISATION
from engine.questions.normalise.layers import ALL_LAYERS, layer_names
from engine.store.records import EvaluationRow
from engine.text import one_line

NAMES = {
    "prompt": "prompts",
    "prompt_text": "wordings of the prompt",
    "image_size": "image sizes",
    "max_new_tokens": "limits of tokens",
    "candidates": "candidate answers",
    "answer_form": "forms of answers",
    "decoding": "ways of decoding",
    "error_patterns": "patterns of serving errors",
    NORMALISATION: "layers of normalisation",
}
_NOT_PROTOCOL = {"batch", "case_limit", "dataset", "degradation", "limit", "quantization", "question", "split"}
"""Keys beside the protocol: what is measured, and what changes no answer; the quantization belongs to the subject."""
_SHOWN = 40


def differing_factors(rows: Sequence[EvaluationRow], shorts: Sequence[str]) -> list[str]:
    """A sentence for each factor in which the protocols differ; [] where all are the same.

    Args:
        rows: the evaluations.
        shorts: short names of their subjects; untrusted text.
    """
    if len({row.protocol_fingerprint for row in rows}) < 2:
        return []
    protocols = [_flat(protocol_of(row)) for row in rows]
    keys = dict.fromkeys(key for protocol in protocols for key in protocol)
    found = {key: [protocol.get(key) for protocol in protocols] for key in keys}
    differing = {key: values for key, values in found.items() if len(set(map(_key, values))) > 1}
    if "prompt" in differing:  # its text follows from it
        differing.pop("prompt_text", None)
    if not differing:
        return ["the protocols differ in something that their records do not name"]
    return [_sentence(key, values, shorts) for key, values in differing.items()]


def _flat(protocol: dict[str, object]) -> dict[str, object]:
    """Without the keys that are no protocol, and with the versions one by one."""
    flat = {key: value for key, value in protocol.items() if key not in _NOT_PROTOCOL and key != "versions"}
    versions = protocol.get("versions")
    if isinstance(versions, dict):
        flat |= {f"version of the {key}": value for key, value in versions.items()}
    # By name; a protocol that was stored before layers could be switched off had them all.
    names = flat.get(NORMALISATION, layer_names(ALL_LAYERS))
    flat[NORMALISATION] = (", ".join(map(str, names)) or "none") if isinstance(names, list | tuple) else names
    return flat


def _key(value: object) -> str:
    return json.dumps(value, sort_keys=True)


def _sentence(key: str, values: Sequence[object], shorts: Sequence[str]) -> str:
    shown = (f"{_value(value)} ({one_line(short)})" for value, short in zip(values, shorts, strict=True))
    return f"{NAMES.get(key, one_line(key))} differ: {', '.join(shown)}"


def _value(value: object) -> str:
    if value is None:
        return "not recorded"
    if isinstance(value, list):
        return f"{len(value)} of them"
    text = one_line(value)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
