"""Forms are read strictly, and what is written is read again."""

import contextlib

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.providers import multipart
from gateway.providers.fault import BadRequest
from gateway.providers.multipart import Part

TYPE = "multipart/form-data; boundary=b"
FIELD = b'--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nm\r\n'
FILE = (
    b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.mp3"\r\n'
    b"Content-Type: audio/mpeg\r\n\r\n\x00\xff\r\n--c\r\n"
)
END = b"--b--\r\n"


def test_a_form():
    assert multipart.read(FIELD + FILE + END, TYPE) == [
        Part("model", "", "", b"m"),
        Part("file", "a.mp3", "audio/mpeg", b"\x00\xff\r\n--c"),
    ]


def test_a_form_as_a_usual_client_writes_it():
    request = httpx.Request(
        "POST",
        "http://h",
        data={"model": "m", "timestamp_granularities[]": ["word", "segment"], "prompt": "Zoë"},
        files={"file": ("ä.mp3", b"\x00" * 10, "audio/mpeg")},
    )
    assert multipart.read(request.read(), request.headers["content-type"]) == [
        Part("model", "", "", b"m"),
        Part("timestamp_granularities[]", "", "", b"word"),
        Part("timestamp_granularities[]", "", "", b"segment"),
        Part("prompt", "", "", "Zoë".encode()),
        Part("file", "ä.mp3", "audio/mpeg", b"\x00" * 10),
    ]


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "multipart/form-data", "multipart/form-data; boundary=" + "b" * 71,
     "multipart/form-data; boundary=a b", "multipart/mixed; boundary=b",
     "multipart/form-data; boundary=b; boundary=c"],
)  # fmt: skip
def test_what_is_no_type_of_a_form(content_type):
    assert not multipart.is_form(content_type)
    with pytest.raises(BadRequest):
        multipart.read(FIELD + END, content_type)


def test_a_boundary_may_be_quoted():
    assert multipart.read(FIELD + END, 'multipart/form-data; boundary="b"')


def head(text, data=b"x"):
    return b"--b\r\n" + text.encode() + b"\r\n\r\n" + data + b"\r\n" + END


NAMED = 'Content-Disposition: form-data; name="a"'


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        END,
        FIELD,
        b"preamble\r\n" + FIELD + END,
        b"\r\n" + FIELD + END,
        FIELD + END + b"epilogue",
        FIELD + b"--b- -\r\n",
        FIELD + b"--b--\r\n--b--\r\n",
        FIELD.replace(b"\r\n", b"\n") + END,
        FIELD + b"--bc\r\n" + END,
        FIELD * 2 + END,
        b"".join(FIELD.replace(b"model", b"f%d" % n) for n in range(65)) + END,
        head(""),
        head("Content-Type: text/plain"),
        head("Content-Disposition: attachment; name=a"),
        head('Content-Disposition: form-data; filename="a"'),
        head('Content-Disposition: form-data; name=""'),
        head('Content-Disposition: form-data; name="a\\"b"'),
        head(NAMED + "; filename=\"x\"; filename*=utf-8''y"),
        head(NAMED + '; filename="x"; filename="y"'),
        head(NAMED + "\r\n" + NAMED),
        head(NAMED + "\r\n folded"),
        head(NAMED + "\r\nContent-Transfer-Encoding: base64"),
        head(NAMED + '; filename="x"\r\nContent-Type: audio'),
        head(NAMED + '; filename="x"\r\nContent-Type: audio/a; q="\x01"'),
        head("X: " + "y" * multipart.HEAD_MAX),
        head(NAMED, b"x" * (multipart.FIELD_MAX + 1)),
        b'--b\r\nContent-Disposition: form-data; name="\xff"\r\n\r\nx\r\n' + END,
        b"--b\r\nno blank line\r\n" + END,
    ],
)
def test_what_is_no_plain_form(raw):
    with pytest.raises(BadRequest):
        multipart.read(raw, TYPE)


def test_a_boundary_that_a_part_holds_is_not_used():
    parts = [Part("file", "a", "audio/mpeg", b"\r\n--gatehouse-1\r\n--gatehouse-1--")]
    content_type, raw = multipart.write(parts, "1")
    assert multipart.read(raw, content_type) == parts


NAMES = st.from_regex(r"\A[a-z_]{1,10}(\[[a-z]{1,5}\])?\Z")
FILENAMES = st.from_regex(r"\A[^\"\\\x00-\x1f\x7f]{1,40}\Z").filter(
    lambda text: text.encode(errors="ignore").decode() == text
)


@given(
    st.lists(st.tuples(NAMES, st.binary(max_size=60)), max_size=5, unique_by=lambda pair: pair[0]),
    FILENAMES,
    st.binary(max_size=200),
)
def test_what_is_written_is_read_again(fields, filename, data):
    parts = [Part(name, "", "", value) for name, value in fields]
    parts.append(Part("upload", filename, "audio/wav", data))
    content_type, raw = multipart.write(parts, "seed")
    assert multipart.read(raw, content_type) == parts


@given(st.binary(max_size=300))
def test_no_bytes_are_more_than_refused(raw):
    for body in (raw, FIELD + raw + END, FIELD + b"--b\r\n" + raw):
        with contextlib.suppress(BadRequest):
            assert multipart.read(body, TYPE)
