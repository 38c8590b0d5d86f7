"""Pictures of the simulated provider: small, and of colours that the prompt alone decides. Pure."""

import base64
import hashlib
import struct
import zlib

from gateway.exchange import Body
from gateway.providers.simulated.speech import tokens

SIDE = 64
TOKENS = 64
"""What one picture counts."""

_TILES = 8
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_TRUE_COLOUR = bytes((8, 2, 0, 0, 0))


def images(body: Body, created_s: int) -> Body:
    """Return as many pictures as are asked for, with what they count."""
    prompt, count = body["prompt"], body.get("n") or 1
    pictures = [picture(f"{index} {prompt}") for index in range(count)]
    taken, given = max(1, len(tokens(prompt))), TOKENS * count
    return {
        "created": created_s,
        "output_format": "png",
        "data": [_told(one, body.get("response_format")) for one in pictures],
        "usage": {
            "input_tokens": taken,
            "input_tokens_details": {"text_tokens": taken, "image_tokens": 0},
            "output_tokens": given,
            "total_tokens": taken + given,
        },
    }


def picture(seed: str) -> bytes:
    """Return a PNG of eight times eight tiles."""
    noise = hashlib.shake_256(seed.encode()).digest(3 * _TILES * _TILES)
    wide = SIDE // _TILES
    rows = []
    for row in range(_TILES):
        colours = [noise[3 * at : 3 * at + 3] for at in range(row * _TILES, (row + 1) * _TILES)]
        rows += [b"\0" + b"".join(colour * wide for colour in colours)] * wide
    size = struct.pack(">II", SIDE, SIDE)
    return b"".join(
        (
            _SIGNATURE,
            _chunk(b"IHDR", size + _TRUE_COLOUR),
            _chunk(b"IDAT", zlib.compress(b"".join(rows))),
            _chunk(b"IEND", b""),
        )
    )


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _told(one: bytes, form: object) -> Body:
    """Return a picture in base64, or at an address that holds it: there is no server to keep it."""
    text = base64.b64encode(one).decode()
    return {"url": f"data:image/png;base64,{text}"} if form == "url" else {"b64_json": text}
