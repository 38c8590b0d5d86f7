"""Which of Presidio's recognizers run: those for everybody, and the pack of each country. Pure.

Left out are the kinds that say little of a person (dates, links, places, plates, companies) and
those whose check digit lets every tenth number pass although any number could be meant (bank
routing, provider, medical licence and driving licence numbers).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final


@dataclass(frozen=True, slots=True)
class Pick:
    """One stock recognizer: its module and class, and what of it is narrowed.

    `patterns`: the indexes of the patterns to keep (empty: all); `context`: words in place of its
    own (empty: its own).
    """

    module: str
    name: str
    patterns: tuple[int, ...] = ()
    context: tuple[str, ...] = ()


def _of(folder: str, *recognizers: tuple[str, str]) -> tuple[Pick, ...]:
    return tuple(Pick(f"{folder}.{module}", name) for module, name in recognizers)


EVERYWHERE: Final = (
    *_of(
        "generic",
        ("email_recognizer", "EmailRecognizer"),
        ("credit_card_recognizer", "CreditCardRecognizer"),
        ("iban_recognizer", "IbanRecognizer"),
        ("crypto_recognizer", "CryptoRecognizer"),
        ("mac_recognizer", "MacAddressRecognizer"),
    ),
    # The last pattern is `::`, the address of no host, and an operator in many languages.
    Pick("generic.ip_recognizer", "IpRecognizer", patterns=(0, 1, 2, 3)),
    *_of("country_specific.us", ("us_ssn_recognizer", "UsSsnRecognizer")),
)

_PASSPORT: Final = ("passport",)

COUNTRIES: Final[Mapping[str, tuple[Pick, ...]]] = MappingProxyType(
    {
        "AU": _of(
            "country_specific.australia",
            ("au_abn_recognizer", "AuAbnRecognizer"),
            ("au_medicare_recognizer", "AuMedicareRecognizer"),
            ("au_tfn_recognizer", "AuTfnRecognizer"),
        ),
        "CA": _of("country_specific.canada", ("ca_sin_recognizer", "CaSinRecognizer")),
        "DE": _of(
            "country_specific.germany",
            ("de_fuehrerschein_recognizer", "DeFuehrerscheinRecognizer"),
            ("de_health_insurance_recognizer", "DeHealthInsuranceRecognizer"),
            ("de_id_card_recognizer", "DeIdCardRecognizer"),
            ("de_passport_recognizer", "DePassportRecognizer"),
            ("de_social_security_recognizer", "DeSocialSecurityRecognizer"),
            ("de_tax_id_recognizer", "DeTaxIdRecognizer"),
            ("de_tax_number_recognizer", "DeTaxNumberRecognizer"),
            ("de_vat_id_recognizer", "DeVatIdRecognizer"),
        ),
        "ES": _of(
            "country_specific.spain",
            ("es_nie_recognizer", "EsNieRecognizer"),
            ("es_nif_recognizer", "EsNifRecognizer"),
            ("es_passport_recognizer", "EsPassportRecognizer"),
        ),
        "FI": _of(
            "country_specific.finland",
            ("fi_personal_identity_code_recognizer", "FiPersonalIdentityCodeRecognizer"),
        ),
        "GB": _of(
            "country_specific.uk",
            ("uk_driving_licence_recognizer", "UkDrivingLicenceRecognizer"),
            ("uk_nhs_recognizer", "NhsRecognizer"),
            ("uk_nino_recognizer", "UkNinoRecognizer"),
            ("uk_passport_recognizer", "UkPassportRecognizer"),
        ),
        "IN": (
            *_of(
                "country_specific.india",
                ("in_aadhaar_recognizer", "InAadhaarRecognizer"),
                ("in_gstin_recognizer", "InGstinRecognizer"),
                ("in_passport_recognizer", "InPassportRecognizer"),
            ),
            # The last pattern looks ahead to the end of the text from each word: quadratic.
            Pick("country_specific.india.in_pan_recognizer", "InPanRecognizer", patterns=(0, 1)),
            # The first pattern alone would pass ticket numbers such as INC0012345.
            Pick("country_specific.india.in_voter_recognizer", "InVoterRecognizer", patterns=(1,)),
        ),
        "IT": _of(
            "country_specific.italy",
            ("it_driver_license_recognizer", "ItDriverLicenseRecognizer"),
            ("it_fiscal_code_recognizer", "ItFiscalCodeRecognizer"),
            ("it_identity_card_recognizer", "ItIdentityCardRecognizer"),
            ("it_passport_recognizer", "ItPassportRecognizer"),
            ("it_vat_code", "ItVatCodeRecognizer"),
        ),
        "KR": _of(
            "country_specific.korea",
            ("kr_frn_recognizer", "KrFrnRecognizer"),
            ("kr_passport_recognizer", "KrPassportRecognizer"),
            ("kr_rrn_recognizer", "KrRrnRecognizer"),
        ),
        "NG": _of("country_specific.nigeria", ("ng_nin_recognizer", "NgNinRecognizer")),
        "PH": _of(
            "country_specific.philippines",
            ("ph_passport_recognizer", "PhPassportRecognizer"),
            ("ph_tin_recognizer", "PhTinRecognizer"),
            ("ph_umid_recognizer", "PhUmidRecognizer"),
        ),
        "PL": _of("country_specific.poland", ("pl_pesel_recognizer", "PlPeselRecognizer")),
        "SE": _of(
            "country_specific.sweden", ("se_personnummer_recognizer", "SePersonnummerRecognizer")
        ),
        "SG": _of(
            "country_specific.singapore",
            ("sg_fin_recognizer", "SgFinRecognizer"),
            ("sg_uen_recognizer", "SgUenRecognizer"),
        ),
        "TH": _of("country_specific.thai", ("th_tnin_recognizer", "ThTninRecognizer")),
        "TR": _of(
            "country_specific.turkey", ("tr_national_id_recognizer", "TrNationalIdRecognizer")
        ),
        "US": (
            *_of(
                "country_specific.us",
                ("us_itin_recognizer", "UsItinRecognizer"),
                ("us_mbi_recognizer", "UsMbiRecognizer"),
            ),
            # Its own words (us, united, states, travel, document) stand near any number.
            Pick(
                "country_specific.us.us_passport_recognizer",
                "UsPassportRecognizer",
                context=_PASSPORT,
            ),
        ),
        "ZA": _of(
            "country_specific.south_africa", ("za_id_number_recognizer", "ZaIdNumberRecognizer")
        ),
    }
)
"""The country packs, by ISO 3166 code."""
