"""A form is a body with a file beside it, and is written again from it."""

import pytest

from gateway.providers import form, multipart
from gateway.providers.fault import BadRequest
from gateway.providers.multipart import Part

PARTS = [
    Part("model", "", "", b"m"),
    Part("granularities[]", "", "", b"word"),
    Part("granularities[]", "", "", b"segment"),
    Part("chunking_strategy[type]", "", "", b"server_vad"),
    Part("file", "a.mp3", "", b"\x00\xff"),
]
BODY = {
    "model": "m",
    "granularities[]": ["word", "segment"],
    "chunking_strategy[type]": "server_vad",
    "file": {"filename": "a.mp3", "content_type": "application/octet-stream"},
}


def read(*parts):
    content_type, raw = multipart.write(parts, "1")
    return form.read(raw, content_type)


def test_there_and_back():
    assert read(*PARTS) == (BODY, b"\x00\xff")
    content_type, raw = form.written(BODY, b"\x00\xff", "2")
    assert form.read(raw, content_type) == (BODY, b"\x00\xff")
    assert [form.plain(name) for name in BODY] == [
        "model",
        "granularities",
        "chunking_strategy",
        "file",
    ]


def test_without_a_file():
    assert read(*PARTS[:1]) == ({"model": "m"}, b"")


@pytest.mark.parametrize(
    ("part", "param"),
    [
        (Part("image", "a.png", "image/png", b""), "image"),
        (Part("prompt", "", "", b"\xff"), "prompt"),
    ],
)
def test_what_is_wrong_is_named(part, param):
    with pytest.raises(BadRequest) as caught:
        read(part)
    assert caught.value.param == param


@pytest.mark.parametrize("name", ['a"b', "a\nb", ""])
def test_a_name_that_would_end_its_head_is_not_written(name):
    with pytest.raises(BadRequest):
        form.written({name: "x"}, b"", "1")
