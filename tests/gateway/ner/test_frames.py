"""Frames: what goes in comes out, and what is none is refused without a word of its content."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.ner import frames
from gateway.ner.frames import Ask, Cancel, Found, FrameError, Hello, Refused

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)


def body_of(frame):
    size = frames.size_of(frame[: frames.HEAD_BYTES])
    body = frame[frames.HEAD_BYTES :]
    assert len(body) == size
    return body


@given(st.lists(TEXTS, max_size=5))
def test_questions_come_out_as_they_went_in(texts):
    ask = Ask(1, 500, tuple(texts))
    assert frames.question(body_of(frames.encode(ask))) == ask


@pytest.mark.parametrize(
    "message",
    [
        Hello(1, "version", ("en: tiny",)),
        Found(7, ((("PERSON", 0.85, 0, 5),), ())),
        Refused(7, "busy"),
    ],
)
def test_answers_come_out_as_they_went_in(message):
    assert frames.answer(body_of(frames.encode(message))) == message


@pytest.mark.parametrize(
    "body",
    [b"", b"\xc1", b"canary", body_of(frames.encode(Refused(1, "busy"))), b"\x93\xa3ask\x01\x02"],
)
def test_what_is_no_question_is_refused_and_not_repeated(body):
    with pytest.raises(FrameError) as caught:
        frames.question(body)
    assert "canary" not in str(caught.value)


def test_an_answer_is_no_question_and_a_question_no_answer():
    with pytest.raises(FrameError):
        frames.answer(body_of(frames.encode(Cancel(1))))


def test_too_much_is_refused_on_both_sides():
    with pytest.raises(FrameError, match="more than"):
        frames.encode(Ask(1, 1, ("a" * (frames.FRAME_MAX + 1),)))
    with pytest.raises(FrameError, match="more than"):
        frames.size_of(b"\xff\xff\xff\xff")


def test_half_a_surrogate_pair_is_no_text():
    with pytest.raises(FrameError, match="surrogate"):
        frames.encode(Ask(1, 1, ("\ud800",)))
