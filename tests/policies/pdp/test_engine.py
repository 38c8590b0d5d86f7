"""The engine's version names all that could change a decision."""

import unicodedata

from policies.pdp.engine import ENGINE_VERSION
from policies.pdp.expression.pattern import RE2_VERSION


def test_case_22_the_engine_version_names_re2_and_unicode():
    assert RE2_VERSION in ENGINE_VERSION
    assert unicodedata.unidata_version in ENGINE_VERSION
