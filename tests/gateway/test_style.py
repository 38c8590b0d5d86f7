"""WCAG AA: what is read stands out from what it stands on, in light and in dark."""

import re
from pathlib import Path

import pytest

SOURCES = Path(__file__).parents[2] / "gateway/static_src"
TOKENS = (SOURCES / "tokens.css").read_text()
RULES = "".join((SOURCES / f"{name}.css").read_text() for name in ("shell", "parts", "calls"))
READ = {
    "text": ["ground", "surface", "sunken", "accent-ground", "calm-ground", "bad-ground"],
    "soft": ["ground", "surface", "sunken", "accent-ground", "calm-ground", "bad-ground"],
    "accent-text": ["ground", "surface", "sunken", "accent-ground"],
    "on-solid": ["solid"],
    "good": ["surface", "sunken", "good-ground"],
    "bad": ["surface", "sunken", "bad-ground"],
    "warn": ["surface", "sunken", "warn-ground"],
    "calm": ["surface", "sunken", "calm-ground"],
}
SEEN = {"strong-line": ["ground", "surface"], "focus": ["ground", "surface", "sunken"]}


def palettes():
    pairs = re.findall(r"--([\w-]+): light-dark\(#([0-9a-f]{6}), #([0-9a-f]{6})\);", TOKENS)
    return {
        "light": {name: light for name, light, _ in pairs},
        "dark": {name: dark for name, _, dark in pairs},
    }


def luminance(colour):
    parts = [int(colour[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (
        part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one, other):
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_contrast_is_computed_as_the_guidelines_say():
    assert contrast("ffffff", "000000") == pytest.approx(21)
    assert contrast("767676", "ffffff") == pytest.approx(4.54, abs=0.01)


@pytest.mark.parametrize(("pairs", "least"), [(READ, 4.5), (SEEN, 3.0)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_stand_out(scheme, pairs, least):
    palette = palettes()[scheme]
    for front, grounds in pairs.items():
        for ground in grounds:
            assert contrast(palette[front], palette[ground]) >= least, (front, ground)


def test_every_colour_is_a_name():
    assert not re.search(r"#[0-9a-fA-F]{3,8}\b|rgba\(|hsla?\(", RULES)
    named = set(re.findall(r"var\(--([\w-]+)\)", RULES))
    assert named <= {*palettes()["dark"], "radius", "mono"}


def test_our_own_layer_stays_small():
    shared = [(SOURCES / f"{name}.css").read_text().count("\n") for name in ("shell", "parts")]
    assert sum(shared) <= 300
