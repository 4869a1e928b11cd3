from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.ask.pieces import MOST_HELD, Pieces
from engine.ask.wire import Answered, Ask, Cancel, Failed, Load, Loaded, Token, WireError, decode, encode
from engine.text import plain

texts = st.text(st.characters(), max_size=60)


@given(texts, texts)
def test_every_message_comes_back_as_it_was(one: str, other: str) -> None:
    messages = (
        Load(one, "4bit", other, None),
        Ask(3, one, 160, other, 64, (one, other)),
        Cancel(3),
        Loaded(1.5, one),
        Token(3, one),
        Answered(3, one, 5, True, False, 0.5, None, 0.25, {one: 0.25, other + "x": 0.75}),
        Failed(None, one, other),
    )
    for message in messages:
        line = encode(message)
        assert decode(line) == message
        assert line.isascii() and line.count(b"\n") == 1 and line.endswith(b"\n")
        assert all(byte >= 0x20 for byte in line[:-1])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"no json",
        b"[1]",
        b"3",
        b'{"type": "exec"}',
        b'{"type": ["cancel"]}',
        b'{"ask": 1}',
        b'{"type": "cancel"}',
        b'{"type": "cancel", "ask": 1, "more": 2}',
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_line_that_is_no_message_is_refused(line: bytes) -> None:
    with pytest.raises(WireError):
        decode(line)


def test_the_speed_counts_the_tokens_after_the_first() -> None:
    answer = Answered(1, "x", 11, False, False, 2.5, 0.5)
    assert answer.tokens_per_second == pytest.approx(5.0)
    assert Answered(1, "x", 1, False, False, 0.5, 0.5).tokens_per_second is None
    assert Answered(1, "", 0, False, True, 0.0, None).tokens_per_second is None


def decoded(tokens: list[bytes]) -> tuple[list[str], list[int]]:
    """Pieces of a text that comes as tokens of bytes, and how many tokens each decoding looked at."""
    looked: list[int] = []

    def decode_ids(ids: object) -> str:
        chosen = list(ids)  # type: ignore[call-overload]
        looked.append(len(chosen))
        return b"".join(tokens[each] for each in chosen).decode("utf-8", "replace")

    pieces: list[str] = []
    stream = Pieces(decode_ids, pieces.append)
    for number in range(len(tokens)):
        stream.add(number)
    stream.finish()
    return pieces, looked


@settings(max_examples=200)
@given(st.text(max_size=40), st.lists(st.integers(1, 5), min_size=1, max_size=8))
def test_pieces_are_the_answer_however_its_bytes_are_cut(text: str, lengths: list[int]) -> None:
    data, tokens = text.encode("utf-8", "ignore"), []
    while data:
        length = lengths[len(tokens) % len(lengths)]
        tokens.append(data[:length])
        data = data[length:]
    pieces, _ = decoded(tokens)
    assert "".join(pieces) == text.encode("utf-8", "ignore").decode().strip()
    assert all(pieces)


def test_bytes_that_are_no_text_are_not_held_back_for_ever() -> None:
    pieces, looked = decoded([b"\xff"] * 500)
    assert max(looked) <= MOST_HELD
    assert set("".join(pieces)) == {"\N{REPLACEMENT CHARACTER}"}


@given(st.lists(st.text(st.characters(), max_size=10), max_size=8))
def test_shown_piece_by_piece_an_answer_is_as_harmless_as_shown_whole(pieces: list[str]) -> None:
    assert "".join(plain(piece) for piece in pieces) == plain("".join(pieces))


def test_the_wire_has_no_field_that_json_cannot_hold() -> None:
    text = json.loads(encode(Token(1, "\ud800\x1b")))["token"]
    assert text == "\ud800\x1b"
