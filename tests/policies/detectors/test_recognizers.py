"""Presidio's recognizers without Presidio: light, offline, silent."""

import json
import logging
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from policies.detectors.packs import COUNTRIES
from policies.detectors.recognizers import _stock as loaded
from policies.detectors.recognizers import recognizers
from tests.policies.detectors.stock import stock_recognizers

ROOT = Path(__file__).parents[3]
LIGHT = """
import json, pathlib, re, sys
from policies.detectors.scanner import DetectorConfig, Scanner
scanner = Scanner(DetectorConfig(("US", "GB", "DE"), ("US", "DE")))
heavy = [name for name in ("spacy", "thinc", "numpy", "presidio_analyzer") if name in sys.modules]
status = pathlib.Path("/proc/self/status").read_text()
rss = int(re.search(r"VmRSS:\\s+([0-9]+) kB", status)[1]) >> 10
import warnings
warnings.simplefilter("ignore")
import presidio_analyzer
engine = presidio_analyzer.AnalyzerEngine.__name__
print(json.dumps({"heavy": heavy, "rss_mb": rss, "engine": engine}))
"""


@pytest.mark.parametrize("countries", [(), tuple(COUNTRIES)])
def test_they_are_the_recognizers_of_the_package(countries):
    ours = recognizers(tuple(sorted(countries)))
    stock = stock_recognizers(sorted(countries), ())
    for mine, theirs in zip(ours, stock, strict=True):
        assert [mine.kind] == theirs.supported_entities
        assert mine.patterns == tuple((each.regex, each.score) for each in theirs.patterns)
        assert mine.flags == theirs.global_regex_flags
        assert mine.context == tuple(theirs.context or ())


def test_what_is_narrowed_is_narrowed_for_a_reason():
    by_kind = {each.kind: each for each in recognizers(tuple(sorted(COUNTRIES)))}
    assert all("::(?:/" not in pattern for pattern, _ in by_kind["IP_ADDRESS"].patterns)
    assert all("(?=.*?" not in pattern for pattern, _ in by_kind["IN_PAN"].patterns)
    assert [score for _, score in by_kind["IN_VOTER"].patterns] == [0.3]
    assert by_kind["US_PASSPORT"].context == ("passport",)


def test_they_load_without_the_language_engines_and_leave_the_package_whole():
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", LIGHT], cwd=ROOT, capture_output=True, text=True,
        check=True, env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    seen = json.loads(done.stdout)
    assert seen["heavy"] == []
    assert seen["engine"] == "AnalyzerEngine"
    assert seen["rss_mb"] < 120


def test_the_package_stays_as_it_was_loaded():
    recognizers.cache_clear()
    loaded.cache_clear()
    before = {name: module for name, module in sys.modules.items() if "presidio" in name}
    recognizers(("US",))
    assert {name: module for name, module in sys.modules.items() if "presidio" in name} == before
    assert sys.modules["presidio_analyzer"].AnalyzerEngine


def test_mail_addresses_are_checked_without_the_network(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    email = next(each for each in recognizers(()) if each.kind == "EMAIL_ADDRESS")
    assert email.validate("maria@example.co.uk") is True
    assert email.validate("maria@nowhere.invalidtld") is False


def test_the_libraries_log_nothing(caplog):
    recognizers(())
    with caplog.at_level(logging.DEBUG):
        for name in ("presidio-analyzer", "tldextract"):
            logging.getLogger(name).error("Failed to validate text %s", "DE89370400440532013000")
    assert not caplog.records


def test_a_country_nobody_knows_is_refused():
    with pytest.raises(ValueError, match="no recognizers for XX"):
        recognizers(("US", "XX"))
