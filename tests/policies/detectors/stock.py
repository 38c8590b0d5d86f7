"""Presidio as it is sold: its engine over the same recognizers, to compare our scanner with."""

import logging
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import regex

from policies.detectors.context import STOP_WORDS
from policies.detectors.packs import COUNTRIES, EVERYWHERE, Pick
from policies.detectors.phones import CONTEXT

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the libraries that Presidio loads
    import presidio_analyzer.predefined_recognizers as predefined
    import tldextract
    from presidio_analyzer import (
        AnalyzerEngine,
        LemmaContextAwareEnhancer,
        LocalRecognizer,
        RecognizerRegistry,
    )
    from presidio_analyzer.nlp_engine import NlpArtifacts, NlpEngine

# As the default one, but with its own list of suffixes: it looks nothing up.
vars(tldextract)["extract"] = tldextract.TLDExtract(cache_dir=None, suffix_list_urls=())
logging.getLogger("presidio-analyzer").setLevel(logging.CRITICAL)

_TOKEN = regex.compile(r"[^\W_]+|[^\w\s]|_")


class WordsEngine(NlpEngine):
    """Splits a text into words and marks; knows no grammar."""

    engine_name = "words"
    is_available = True

    def load(self) -> None:
        """Nothing is to be loaded."""

    def is_loaded(self) -> bool:
        return True

    def process_text(self, text: str, language: str) -> NlpArtifacts:
        tokens = list(_TOKEN.finditer(text))
        words: Any = [token.group() for token in tokens]
        return NlpArtifacts(
            entities=[],
            tokens=words,
            tokens_indices=[token.start() for token in tokens],
            lemmas=[token.group().lower() for token in tokens],
            nlp_engine=self,
            language=language,
        )

    def process_batch(
        self,
        texts: Iterable[str],
        language: str,
        batch_size: int = 1,
        n_process: int = 1,
        **_: Any,
    ) -> Iterator[Any]:
        for text in texts:
            yield text, self.process_text(text, language)

    def is_stopword(self, word: str, language: str) -> bool:
        return word in STOP_WORDS

    def is_punct(self, word: str, language: str) -> bool:
        return not word[0].isalnum()

    def get_supported_entities(self) -> list[str]:
        return []

    def get_supported_languages(self) -> list[str]:
        return ["en"]


class CarefulEnhancer(LemmaContextAwareEnhancer):
    """The stock enhancer, for which a short ASCII word must stand alone."""

    @staticmethod
    def _find_supportive_word_in_context(
        context_list: list[str], recognizer_context_list: list[str], matching_mode: str = ""
    ) -> str:
        for word in recognizer_context_list:
            wanted = word.lower()
            for given in context_list:
                alone = len(wanted) < 5 and wanted.isascii()
                if given == wanted if alone else wanted in given:
                    return word
        return ""


def stock_recognizers(countries: Iterable[str], regions: Iterable[str]) -> list[LocalRecognizer]:
    """Return the recognizers of the picks, made by the package itself."""
    picks: list[Pick] = [*EVERYWHERE]
    for country in countries:
        picks += COUNTRIES[country]
    made = [_made(pick) for pick in picks]
    if regions:
        made.append(
            predefined.PhoneRecognizer(supported_regions=tuple(regions), context=list(CONTEXT))
        )
    return made


def _made(pick: Pick) -> LocalRecognizer:
    stock: Any = getattr(predefined, pick.name)
    options: dict[str, Any] = {"supported_language": "en"}
    if pick.patterns:
        options["patterns"] = [stock.PATTERNS[index] for index in pick.patterns]
    if pick.context:
        options["context"] = list(pick.context)
    made: LocalRecognizer = stock(**options)
    return made


def stock_engine(recognizers: list[LocalRecognizer]) -> AnalyzerEngine:
    """Return the stock engine over some recognizers."""
    registry = RecognizerRegistry(recognizers=recognizers, supported_languages=["en"])
    return AnalyzerEngine(
        registry=registry,
        nlp_engine=WordsEngine(),
        supported_languages=["en"],
        context_aware_enhancer=CarefulEnhancer(),
    )


def stock_entities(engine: AnalyzerEngine, text: str) -> list[tuple[str, float, int, int]]:
    """Return what the stock engine finds at the score at which we act."""
    results = engine.analyze(text, language="en", score_threshold=0.4)
    return sorted((each.entity_type, each.score, each.start, each.end) for each in results)
