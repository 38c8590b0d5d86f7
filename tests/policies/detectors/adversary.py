"""Texts made to tell two scanners apart: near-matches of every pattern, and numbers that pass."""

import random
import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

import regex

_codes = import_module("re._constants")
_parse = import_module("re._parser").parse

VALID = """
    4111 1111 1111 1111|4012888888881881|5500-0000-0000-0004|1111111111111|378282246310005
    DE89370400440532013000|GB82 WEST 1234 5698 7654 32|FR1420041010050500013M02606
    de89370400440532013000|943 476 5919|9434765919|AB123456C|QQ 12 34 56 C|MORGA657054SM9IJ
    1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa|bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq|925665416
    +1 (212) 555-0147|+44 20 7946 0958|020 7946 0958|(02) 9374 4000|030 901820|+49 30 901820
    06 12 34 56 78|98765 43210|11 91234-5678|+972-3-123-4567|02-123-4567 ext. 12|1-800-555-0199
    0011 44 20 7946 0958|00 1 212 555 0147|212/555/0147|2125550147|+0 30 901820
    651-234-2345/332-445-1234|4 # 250.1.2.3 9/X8|10.0.0.1/24|192.168.14.22|::|::ffff:10.0.0.1
    2001:db8::1|fe80::1%eth0|2001:db8:0:0:0:ff00:42:8329|a@b.co|a@b.local|user@bücher.de
    john.doe+x@mail.example.co.uk|x@xn--80ak6aa92e.com|жук@при.рф
    536-22-8726|536228726|536 22 8726|536.22.8726|912-70-1234|912701234|1EG4-TE5-MK73|A12345678
    3c:22:fb:7a:11:0e|3c-22-fb-7a-11-0e|1234.5678.9abc|ff:ff:ff:ff:ff:ff
    86095742719|L01X00T47|T22000129|65170839J003|65 170839 J 003|DE123456788|13/815/08152
    12345678Z|X1234567L|RSSMRA85T10A562S|IT12345678901|85010112345|44051401359|131052-308T
    S1234567D|T1234567J|53125226D|900101-1234567|900101-5234567|M123A4567|123456782|C01X00T47
    234567890124|2345 6789 0124|ABCPE1234F|22AAAAA0000A1Z5|A2190457|ABC1234567|51824753556
    123456789|1234567890|12345678901|123456789012|2951-4|811218-9876|19811218-9876|10000000146
    1103700000003|8001015009087|0111-1234567-8|123-456-789-000|P1234567A|046 454 286|53004085616
"""
FILL = """
    the be a:b x_y — … ( ) # ref no $ % € é naïve 字 user_ssn İstanbul straße _ :: ...
    please call about order total 2024-01-12 12:30 v1.2.3 http://a.io/x?y=1 of and when 𖄰
"""
_VALUES = [value for line in VALID.split("\n") for value in line.strip().split("|") if value]
_FILL = [*FILL.split(), "\n", "\t", "\r\n", "\u200b", "\u00a0", "x" * 40]
_JOINTS = (" ", " ", " ", " ", "", ", ", "\n", "\u00a0", ":", "/", "_", "-", ".")
_ODD = "0129 -.:aK_@+\u212a\u017f\u0130\u0131\u200b\u00ad"
_ALIKE = {
    "s": "\u017f",
    "k": "\u212a",
    "i": "\u0131",
    "S": "\u017f",
    "K": "\u212a",
    "I": "\u0130",
    " ": "\u00a0",
    "-": "\u2010",
    ".": "\uff0e",
    "+": "\uff0b",
}


def _tree(pattern: str) -> Any:
    try:
        return _parse(pattern.replace("(?i)", ""))
    except re.error:
        return None


DIGITS = regex.findall(r"\d", "".join(map(chr, (*range(0xD800), *range(0xE000, 0x20000)))))
_ZEROS = (0x660, 0xFF10, 0x966)


class Adversary:
    """Makes texts for recognizers (patterns, context words), the same ones for the same seed."""

    def __init__(
        self, seed: int, recognizers: Iterable[tuple[Sequence[str], Sequence[str]]]
    ) -> None:
        self._random = random.Random(seed)
        self._known = []
        for patterns, words in recognizers:
            trees = [tree for pattern in patterns if (tree := _tree(pattern)) is not None]
            self._known.append((trees, words or ["reference"]))

    def text(self) -> str:
        """Return one more text."""
        choice = self._random.choice
        return "".join(self._part() + choice(_JOINTS) for _ in range(self._random.randint(1, 9)))

    def _part(self) -> str:
        draw = self._random.random()
        choice = self._random.choice
        if draw < 0.25:
            return choice(_FILL)
        if draw < 0.5:
            return self._bent(choice(_VALUES))
        if draw < 0.78:
            trees, words = choice(self._known)
            value = self._bent(self._of(choice(trees), {})[:120]) if trees else choice(_VALUES)
            return value if draw < 0.65 else f"{choice(words)} {choice(_FILL)} {value}"
        if draw < 0.93:
            return choice(choice(self._known)[1])
        length = self._random.randint(1, 22)
        return "".join(choice("0123456789 -().+/xX") for _ in range(length))

    def _bent(self, value: str) -> str:
        characters = list(value)
        for _ in range(self._random.choice((0, 0, 0, 1, 1, 2))):
            if characters:
                self._bend(characters, self._random.randrange(len(characters)))
        return "".join(characters)

    def _bend(self, characters: list[str], place: int) -> None:
        old = characters[place]
        draw = self._random.random()
        choice = self._random.choice
        if draw < 0.2:
            characters[place] = choice("0123456789abcXYZ -./:@é٣")
        elif draw < 0.35:
            del characters[place]
        elif draw < 0.5:
            characters.insert(place, choice(_ODD))
        elif draw < 0.6:
            characters[place] = old.swapcase()
        elif old.isascii() and old.isdigit():
            known = chr(choice(_ZEROS) + int(old))
            characters[place] = choice(DIGITS) if draw > 0.9 else known
        else:
            characters[place] = _ALIKE.get(old, old)

    def _of(self, tree: Any, groups: dict[int, str]) -> str:
        return "".join(self._node(code.name, argument, groups) for code, argument in tree)

    def _node(self, name: str, argument: Any, groups: dict[int, str]) -> str:
        choice = self._random.choice
        makers = {
            "LITERAL": lambda: chr(argument),
            "ANY": lambda: choice("aZ5 .-"),
            "NOT_LITERAL": lambda: choice("aZ5 .-"),
            "IN": lambda: self._member(argument),
            "BRANCH": lambda: self._of(choice(argument[1]), groups),
            "SUBPATTERN": lambda: self._group(argument[0], argument[3], groups),
            "MAX_REPEAT": lambda: self._repeated(*argument, groups=groups),
            "GROUPREF": lambda: groups.get(argument, ""),
        }
        return makers.get(name, str)()

    def _group(self, number: int, body: Any, groups: dict[int, str]) -> str:
        groups[number] = self._of(body, groups)
        return groups[number]

    def _repeated(self, low: int, high: int, body: Any, *, groups: dict[int, str]) -> str:
        count = self._random.randint(low, min(high, low + self._random.choice((0, 1, 3, 8))))
        return "".join(self._of(body, groups) for _ in range(count))

    def _member(self, items: Any) -> str:
        choice = self._random.choice
        if any(code.name == "NEGATE" for code, _ in items):
            return choice("q7~")
        code, value = choice(items)
        match code.name:
            case "LITERAL":
                return chr(value)
            case "RANGE":
                return chr(self._random.randint(*value))
            case _:
                return choice(_SAMPLES.get(value.name, "x"))


_SAMPLES = {
    "CATEGORY_DIGIT": "01234567890123456789\u0663\uff14",
    "CATEGORY_WORD": "azAZ09_éЖ字",
    "CATEGORY_SPACE": " \t\n\x0b\x1c\u00a0\u2003",
}
