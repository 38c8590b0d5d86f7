"""The mock provider's images and sound."""

import base64
import email.parser
import email.policy
from typing import Any

Body = dict[str, Any]
PIXEL = base64.b64encode(b"\x89PNG a picture").decode()
SOUND = b"\xff\xf3 a sound "


def images(body: Body, usage: str) -> Body:
    """Return as many pictures as are asked for, in the form that they are asked for."""
    told = {"url": "https://pictures.example/1.png"}
    if body.get("response_format") != "url":
        told = {"b64_json": PIXEL}
    count = body.get("n") or 1
    answer: Body = {
        "created": 1767225600,
        "data": [{**told, "revised_prompt": body["prompt"]}] * count,
    }
    if usage != "absent":
        answer["usage"] = {
            "input_tokens": 10,
            "output_tokens": 1000 * count,
            "total_tokens": 10 + 1000 * count,
            "input_tokens_details": {"text_tokens": 10, "image_tokens": 0},
        }
    return answer


def form(content_type: str, raw: bytes) -> Body:
    """Return the fields of a form, read by another reader than the one under test."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode()
    parser = email.parser.BytesParser(policy=email.policy.HTTP)
    found: Body = {}
    for part in parser.parsebytes(head + raw).iter_parts():
        disposition = part["content-disposition"].params
        data: Any = part.get_payload(decode=True)
        if "filename" in disposition:
            found[disposition["name"]] = {
                "filename": disposition["filename"],
                "content_type": part.get_content_type(),
                "bytes": len(data),
            }
        elif disposition["name"].endswith("[]"):
            found.setdefault(disposition["name"], []).append(data.decode())
        else:
            found[disposition["name"]] = data.decode()
    return found


def transcription(text: str, form_of_answer: str, usage: str) -> str | Body:
    """Return a text in one of the forms of the API."""
    if form_of_answer == "text":
        return f"{text}\n"
    if form_of_answer == "srt":
        return f"1\n00:00:00,000 --> 00:00:01,000\n{text}\n\n"
    if form_of_answer == "vtt":
        return f"WEBVTT\n\n00:00.000 --> 00:01.000\n{text}\n\n"
    tokens = {"type": "tokens", "input_tokens": 20, "output_tokens": 5, "total_tokens": 25}
    told: Body = {"text": text}
    if form_of_answer == "verbose_json":
        return verbose(text)
    return told if usage == "absent" else {**told, "usage": tokens}


def verbose(text: str) -> Body:
    """Return a text with its words, and with two halves, which cut it anywhere."""
    half = len(text) // 2
    figures = {"seek": 0, "start": 0.0, "end": 1.0, "tokens": [1, 2], "temperature": 0.0}
    figures |= {"avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.1}
    halves = (text[:half], text[half:])
    return {
        "text": text,
        "task": "transcribe",
        "language": "english",
        "duration": 1.0,
        "words": [{"word": word, "start": 0.0, "end": 1.0} for word in text.split()],
        "segments": [{"id": at, "text": part, **figures} for at, part in enumerate(halves)],
        "usage": {"type": "duration", "seconds": 1},
    }
