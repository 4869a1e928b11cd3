"""Error texts of a server, and answers that only look like them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UsageError
from engine.questions.answers import read_answer
from engine.questions.reading import Status
from engine.questions.serving_errors import DEFAULT_PATTERNS, LOOKED_AT, compile_patterns, is_serving_error
from engine.types import QUESTION_IDS

ERRORS = """
ERROR: API error 500
ERROR: API error - connection reset
Error: 429 Too Many Requests
error code: 502
Error processing image
[ERROR] Request timed out.
API error: overloaded
API Error 503
HTTP 500
HTTP/1.1 503 Service Unavailable
HTTP 502 Bad Gateway
500 Internal Server Error
503 Service Unavailable
429 Too Many Requests
Status code: 504
Internal Server Error
Bad Gateway
Gateway Timeout
Service Unavailable
Too many requests, slow down
Request timed out
Request failed: model is loading
Timeout
Timed out after 60 s
The server has timed out
Connection refused
ConnectionError: HTTPConnectionPool(host='x', port=1): Max retries exceeded
requests.exceptions.ReadTimeout: read timed out
openai.RateLimitError: Rate limit reached for model
Rate limit exceeded
You have exceeded your quota: quota exceeded
[Errno 111] Connection refused
Traceback (most recent call last): File "serve.py"
RuntimeError: CUDA out of memory
torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB
ValueError: image is empty
{"error": {"message": "overloaded", "code": 503}}
{'error': 'bad request'}
{"object": "error", "message": "too long"}
```json {"error": "x"}
<html><head><title>502 Bad Gateway</title></head>
Failed to connect to server
Could not connect to the model
Inference failed
"""
ANSWERS = """
Normal for gestational age
no error in measurement; normal
No error
Error margin of the measurement is small, normal
Measurement error is possible, 20-25 weeks
Good
500 g estimated weight
429 images
503
Follow up
The image shows a connection between the aorta and the ductus
Abnormal connection of the ventricles
Poor image quality, limited by acoustic shadowing
Failed to visualise the stomach
The fetal heart rate is limited
{"error": null, "answer": "Good"}
{"answer": "Good"}
The time of delivery
Termination
I cannot determine this
Exceptional image quality
aorta, inferior vena cava, liver, stomach
"""


@pytest.mark.parametrize("text", ERRORS.strip().splitlines())
def test_errors_are_known(text: str) -> None:
    assert is_serving_error(text)
    assert is_serving_error(f"  {text}\n")


@pytest.mark.parametrize("text", [line for line in ANSWERS.strip().splitlines() if line != "503"])
def test_answers_are_no_errors(text: str) -> None:
    assert not is_serving_error(text)


@pytest.mark.parametrize("question", [*QUESTION_IDS, "report"])
@pytest.mark.parametrize(
    "text", ["ERROR: API error 500", "Traceback (most recent call last): File", "HTTP 503 Service Unavailable"]
)
def test_errors_are_an_answer_to_no_question(question: str, text: str) -> None:
    assert read_answer(question, text).status is Status.UNPARSEABLE


def test_patterns_of_the_user_take_the_place_of_the_list() -> None:
    compiled = compile_patterns(["# ours", "", r"  ^oops\b  "])
    assert is_serving_error("Oops, no answer", compiled)
    assert not is_serving_error("ERROR: API error 500", compiled)
    assert not is_serving_error("ERROR: API error 500", compile_patterns([]))


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(", "is no regular expression"),
        ("*", "is no regular expression"),
        ("a" * 501, "is too long"),
        ("a*", "fits everything"),
    ],
)
def test_a_bad_pattern_is_refused_with_its_line(pattern: str, why: str) -> None:
    with pytest.raises(UsageError) as refused:
        compile_patterns(["fine", pattern])
    assert refused.value.title.startswith("Line 2")
    assert why in refused.value.title
    assert refused.value.next_step
    assert refused.value.exit_code == 2


def test_only_the_start_of_a_text_is_looked_at() -> None:
    assert is_serving_error(" " * (LOOKED_AT - 40) + "connection refused")
    assert not is_serving_error("x" * LOOKED_AT + " connection refused")


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=80) | st.lists(st.sampled_from([*ERRORS.split(), *ANSWERS.split()]), max_size=12).map(" ".join))
def test_no_text_raises(text: str) -> None:
    assert is_serving_error(text) in {True, False}


def test_the_list_compiles_in_its_own_order() -> None:
    assert len(compile_patterns(DEFAULT_PATTERNS)) == len(DEFAULT_PATTERNS)
