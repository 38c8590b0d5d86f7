"""Models of names, loaded and run by Presidio's own engines, in the process that is theirs.

Nothing is downloaded: a model is a folder, or a package that is installed. Each text is read by
every model, since nobody says which language it is in, and guessing wrong would find nothing.
"""

import hashlib
import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import spacy
from presidio_analyzer.nlp_engine import (
    NerModelConfiguration,
    NlpEngineProvider,
    TransformersNlpEngine,
)
from presidio_analyzer.predefined_recognizers import SpacyRecognizer

from policies.detectors.ner import Span
from policies.detectors.ner_config import ModelEntry, NerConfig, NerError
from policies.detectors.presidio import Entity, without_covered
from policies.pdp.request import NAMED

_LIBRARIES: Final = ("presidio-analyzer", "spacy")
_KINDS: Final = sorted(NAMED)
_WARM: Final = "Maria Keller met Tom in Berlin on Monday."
# What a model has beside and finds no names with; left out unless rules of its own may read it.
_UNUSED: Final = frozenset(
    {"attribute_ruler", "lemmatizer", "morphologizer", "parser", "senter", "tagger"}
)
_RULES: Final = frozenset({"entity_ruler", "span_ruler"})
_CHUNK: Final = 1 << 20


class Engine:
    """Models that are loaded and warm. Not for several threads at a time.

    Raises NerError where a model is not there, cannot be loaded, or finds no names.
    """

    def __init__(self, config: NerConfig, base: Path) -> None:
        """Load the models; a relative folder is one of `base`."""
        models = [_placed(entry, base) for entry in config.models]
        self._threshold = config.threshold
        self._engine = _loaded(config, models)
        self._readers = {
            entry.language: SpacyRecognizer(supported_language=entry.language) for entry in models
        }
        for entry in models:
            self._prepare(entry)
        self.version = self._version(config, models)
        self.models = tuple(self._described(entry) for entry in models)
        self.read(_WARM)

    version: str
    """SHA-256, in hex, of all that decides what is found: models, configuration, libraries."""

    models: tuple[str, ...]
    """Each model with its language and version, for people."""

    def read(self, text: str) -> tuple[Span, ...]:
        """Return the names in a text, with offsets into it, in its order."""
        found = (entity for language in self._readers for entity in self._entities(text, language))
        return tuple(sorted(without_covered(found), key=lambda one: (one.start, one.end)))

    def _entities(self, text: str, language: str) -> Iterator[Entity]:
        artifacts = self._engine.process_text(text, language)
        for one in self._readers[language].analyze(text, _KINDS, artifacts):
            score = min(1.0, float(one.score))
            if score >= self._threshold and one.start < one.end:
                yield Entity(one.entity_type, score, one.start, one.end)

    def _prepare(self, entry: ModelEntry) -> None:
        """Hold that a model finds names at all, and leave out what it does beside."""
        nlp = self._engine.get_nlp(entry.language)
        metas = [nlp.get_pipe_meta(name) for name in nlp.pipe_names]
        if not entry.transformers and not any("doc.ents" in meta.assigns for meta in metas):
            raise NerError(
                f"The model {entry.model} finds no names: it has no component such as `ner` "
                f"(it has: {', '.join(nlp.pipe_names) or 'none'}). Name another model."
            )
        if not _RULES & set(nlp.pipe_names):
            nlp.select_pipes(disable=sorted(_UNUSED & set(nlp.pipe_names)))

    def _described(self, entry: ModelEntry) -> str:
        meta = self._engine.get_nlp(entry.language).meta
        beside = f" with {Path(entry.transformers).name}" if entry.transformers else ""
        return f"{entry.language}: {_name(meta)}{beside}"

    def _version(self, config: NerConfig, models: Sequence[ModelEntry]) -> str:
        parts = [config.engine, repr(sorted(config.labels.items())), repr(config.threshold)]
        parts += [f"{library} {version(library)}" for library in _LIBRARIES]
        for entry in models:
            nlp = self._engine.get_nlp(entry.language)
            parts += [entry.language, _name(nlp.meta), _digest(Path(nlp.path))]
            if entry.transformers:
                parts.append(_digest(Path(entry.transformers)))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _placed(entry: ModelEntry, base: Path) -> ModelEntry:
    """Return a model with its folders as they are from here, where there are such."""
    beside = base / entry.model
    model = str(beside.resolve()) if beside.is_dir() else entry.model
    if not Path(model).is_dir() and not spacy.util.is_package(model):
        raise NerError(
            f"There is no model {entry.model}: it is neither a folder (looked for in {base}) nor "
            "an installed package. Models are not downloaded: put it there, or install it."
        )
    folder = entry.transformers and base / entry.transformers
    if folder and not folder.is_dir():
        raise NerError(
            f"There is no folder {folder} with a model of transformers. Models are not downloaded: "
            "put one there."
        )
    return ModelEntry(entry.language, model, str(folder and folder.resolve()))


def _loaded(config: NerConfig, models: Sequence[ModelEntry]) -> Any:
    """Return Presidio's engine with all models loaded."""
    if config.engine == "transformers" and not TransformersNlpEngine.is_available:
        raise NerError(
            "engine: transformers needs packages that are not installed here. Install them with "
            "pip install 'presidio-analyzer[transformers]', or use engine: spacy."
        )
    # Whatever a model's own code may think of, nothing is fetched.
    os.environ |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    # It would warn of every label that stands for no kind, at each text.
    logging.getLogger("presidio-analyzer").setLevel(logging.ERROR)
    try:
        return NlpEngineProvider(nlp_configuration=_configuration(config, models)).create_engine()
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        names = ", ".join(entry.model for entry in models)
        raise NerError(
            f"A model of {names} cannot be loaded: {error} It must be made for spaCy "
            f"{version('spacy')}."
        ) from error


def _configuration(config: NerConfig, models: Sequence[ModelEntry]) -> dict[str, Any]:
    """Return the same as Presidio's configuration of its engines."""
    known = NerModelConfiguration().model_to_presidio_entity_mapping or {}
    return {
        "nlp_engine_name": config.engine,
        "models": [
            {
                "lang_code": entry.language,
                "model_name": {"spacy": entry.model, "transformers": entry.transformers}
                if config.engine == "transformers"
                else entry.model,
            }
            for entry in models
        ],
        "ner_model_configuration": {
            "model_to_presidio_entity_mapping": {**known, **config.labels},
            "labels_to_ignore": [],
        },
    }


def _name(meta: dict[str, Any]) -> str:
    return f"{meta.get('lang', '')}_{meta.get('name', '')} {meta.get('version', '')}"


def _digest(folder: Path) -> str:
    """Return SHA-256 over the names and contents of all files of a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(str(path.relative_to(folder)).encode() + b"\0")
            for part in _parts(path):
                digest.update(hashlib.sha256(part).digest())
    return digest.hexdigest()


def _parts(path: Path) -> Iterable[bytes]:
    with path.open("rb") as file:
        while part := file.read(_CHUNK):
            yield part
