"""Phone numbers: the walk shared by all regions finds what a walk for each would."""

import random

import phonenumbers
import pytest
from phonenumbers import Leniency, PhoneNumberMatcher
from phonenumbers.phonemetadata import PhoneMetadata

from policies.detectors import phones
from policies.detectors.gate import Gate
from policies.detectors.phones import SUPPORTED_REGIONS, Phones
from tests.thorough import times

# Regions with an area code that is added, with short numbers, with odd prefixes, and plain ones.
REGIONS = ("AR", "AU", "BR", "BS", "DE", "GB", "IT", "JP", "KR", "RU", "SM", "US")
TEXTS = (
    "call (212) 555-0147 or 020 7946 0958",
    "+49 30 901820, 030 901820, 0049 30 901820",
    "651-234-2345/332-445-1234",
    "11 15 2345-6789 and 322 1234",
    "+0 30 901820 or +1 (242) 322-1234",
    "4 # 250.50.239.253 9/X8.1",
    "12 ext. 2125550147, 212 555 0147 ext 12",
    "2024-01-02 12:30, 2024/01/02, 211-227 (2003)",
    "a2125550147 2125550147b $2125550147",
    "\uff0b\uff14\uff19 \uff13\uff10 \uff19\uff10\uff11\uff18\uff12\uff10",
    "\u0660\u0663\u0660 \u0669\u0660\u0661\u0668\u0662\u0660",
    "((((212 555 0147 [ 030 901820",
    "1 " * 30 + "212 555 0147",
    "0x7F 12x34 99~12 2125550147#12",
)


def _stock(text, regions):
    return sorted(
        {
            (match.start, match.end)
            for region in regions
            for match in PhoneNumberMatcher(text, region, leniency=Leniency.VALID)
        }
    )


@pytest.mark.parametrize("text", TEXTS)
def test_the_numbers_are_those_of_the_stock_matcher(text):
    assert Phones(REGIONS).spans(text) == _stock(text, REGIONS)
    for region in REGIONS:
        assert Phones([region]).spans(text) == _stock(text, [region])


def test_random_texts_have_the_numbers_of_the_stock_matcher():
    draw = random.Random(11)
    finder = Phones(REGIONS)
    found = 0
    for _ in range(times(600)):
        text = "".join(
            draw.choice(
                "0123456789012345678901234567890123456789 -.()/+#x~,ab\u00a0\u2010\uff0b\u0663"
            )
            for _ in range(draw.randint(5, 60))
        )
        spans = finder.spans(text)
        assert spans == _stock(text, REGIONS), text
        found += len(spans)
    assert found > 100


def test_every_example_number_passes_the_gate_and_is_found():
    """For each region, in national and international form."""
    formats = (
        phonenumbers.PhoneNumberFormat.NATIONAL,
        phonenumbers.PhoneNumberFormat.E164,
        phonenumbers.PhoneNumberFormat.INTERNATIONAL,
    )
    checked = 0
    for region in sorted(SUPPORTED_REGIONS):
        finder = Phones([region])
        gate = Gate([finder.wide()])
        for kind in range(11):
            number = phonenumbers.example_number_for_type(region, kind)
            if number is None:
                continue
            written = [phonenumbers.format_number(number, form) for form in formats]
            for form in (*written, phonenumbers.national_significant_number(number)):
                text = f"it is {form} today"
                expected = _stock(text, [region])
                assert not expected or gate.hits(text), text
                assert finder.spans(text) == expected, text
                checked += len(expected)
    assert checked > 1500


def test_no_valid_number_has_fewer_digits_than_a_region_asks_for():
    for code in REGIONS:
        least = phones._region(code).least
        metadata = PhoneMetadata.metadata_for_region(code)
        lengths = [length for length in metadata.general_desc.possible_length if length > 0]
        assert least <= min(lengths)


def test_ordinary_numbers_do_not_open_the_gate_of_the_united_states():
    gate = Gate([Phones(["US"]).wide()])
    assert (
        gate.hits("In 2023 it rose from 41 to 18 minutes, 12 regions, 17.5 % of 1,240,500") == set()
    )


def test_a_text_of_nothing_but_numbers_is_given_up_with_an_error(monkeypatch):
    monkeypatch.setattr(phones, "_MOST_PARSED", 50)
    assert len(Phones(["US"]).spans("212 555 0147, " * 40)) == 40
    with pytest.raises(phones.TooManyNumbersError):
        Phones(["US"]).spans("212 555 0147, " * 60)


@pytest.mark.parametrize("regions", [(), ("XX",), ("US", "us")])
def test_regions_nobody_knows_are_refused(regions):
    with pytest.raises(ValueError, match="no phone numbers known"):
        Phones(regions)
