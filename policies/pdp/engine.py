"""Which engine decides: part of every hash under which a decision can be repeated. Pure."""

import unicodedata

from policies.pdp.expression.pattern import RE2_VERSION

ENGINE = 1
"""Raised by each change that could make the same facts and policies give another decision."""

ENGINE_VERSION = f"pdp {ENGINE}, re2 {RE2_VERSION}, unicode {unicodedata.unidata_version}"
