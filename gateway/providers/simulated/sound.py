"""Sound of the simulated provider: a tone for each token, and what it hears. Pure."""

import struct
import zlib

from gateway.exchange import Body
from gateway.providers import form
from gateway.providers.simulated.speech import tokens

RATE = 24_000
FORMATS = {"wav": "audio/wav", "pcm": "audio/pcm"}
_TONE_SAMPLES = RATE // 20
_TOKENS_MAX = 200
_LOUD = 4000
_LOWEST_HZ, _STEPS, _STEP_HZ = 220, 24, 20
_BYTES_A_SECOND = 16_000
_BYTES_A_TOKEN = 1000


class NotSpoken(ValueError):
    """A form of sound that a simulation does not have."""


def spoken(body: Body) -> tuple[str, bytes]:
    """Return the media type and the bytes of a text in tones; WAV unless PCM is asked for."""
    kind = body.get("response_format") or "wav"
    if kind not in FORMATS:
        raise NotSpoken(f"a simulation speaks in {' or '.join(FORMATS)}, not in {kind}")
    samples = b"".join(_tone(token) for token in tokens(body["input"])[:_TOKENS_MAX])
    return FORMATS[kind], samples if kind == "pcm" else _wav(samples)


def transcription(body: Body, file: bytes) -> Body | str:
    """Return what is heard in a recording, which is what it is: in the form that is asked for."""
    text = f"This is {body[form.FILE]['filename']}, a recording of {len(file)} bytes."
    if body.get("prompt"):
        text += f' You said of it: "{body["prompt"]}".'
    seconds = max(1, len(file) // _BYTES_A_SECOND)
    kind = body.get("response_format") or "json"
    if kind in _PLAIN:
        return _PLAIN[kind].format(text=text, minutes=seconds // 60, seconds=seconds % 60)
    return {"text": text, **_more(kind, text, seconds), "usage": _usage(body, file, text, kind)}


def _tone(token: str) -> bytes:
    """Return a short tone whose pitch the token decides: full waves, so that none clicks."""
    pitch = _LOWEST_HZ + _STEP_HZ * (zlib.crc32(token.encode()) % _STEPS)
    half = RATE // pitch // 2
    wave = struct.pack("<h", _LOUD) * half + struct.pack("<h", -_LOUD) * half
    return wave * (_TONE_SAMPLES // (2 * half))


def _wav(samples: bytes) -> bytes:
    head = struct.pack("<4sI4s4sI", b"RIFF", 36 + len(samples), b"WAVE", b"fmt ", 16)
    kind = struct.pack("<HHIIHH", 1, 1, RATE, 2 * RATE, 2, 16)
    return head + kind + struct.pack("<4sI", b"data", len(samples)) + samples


_PLAIN = {
    "text": "{text}\n",
    "srt": "1\n00:00:00,000 --> 00:{minutes:02}:{seconds:02},000\n{text}\n\n",
    "vtt": "WEBVTT\n\n00:00.000 --> {minutes:02}:{seconds:02}.000\n{text}\n\n",
}


def _more(kind: str, text: str, seconds: int) -> Body:
    """Return what the longer forms tell beside the text: one segment, and who speaks in it."""
    span = {"start": 0.0, "end": float(seconds), "text": text}
    if kind == "diarized_json":
        segment = {"id": "seg_0", "type": "transcript.text.segment", "speaker": "A", **span}
        return {"task": "transcribe", "duration": float(seconds), "segments": [segment]}
    if kind == "verbose_json":
        figures = {"avg_logprob": -0.1, "compression_ratio": 1.0, "no_speech_prob": 0.0}
        segment = {"id": 0, "seek": 0, "tokens": [], "temperature": 0.0, **span, **figures}
        told = {"task": "transcribe", "language": "english", "duration": float(seconds)}
        return {**told, "segments": [segment]}
    return {}


def _usage(body: Body, file: bytes, text: str, kind: str) -> Body:
    if kind in ("verbose_json", "diarized_json"):
        return {"type": "duration", "seconds": max(1, len(file) // _BYTES_A_SECOND)}
    heard, read = len(file) // _BYTES_A_TOKEN, len(tokens(body.get("prompt") or ""))
    taken, given = max(1, heard + read), len(tokens(text))
    return {
        "type": "tokens",
        "input_tokens": taken,
        "input_token_details": {"text_tokens": read, "audio_tokens": taken - read},
        "output_tokens": given,
        "total_tokens": taken + given,
    }
