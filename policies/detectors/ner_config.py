"""Which models of names an installation has: its file, read with every fault at its place. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

from policies.pdp import fields
from policies.pdp.fields import Fields
from policies.pdp.nodes import Node
from policies.pdp.request import NAMED
from policies.pdp.yaml_text import read_yaml

EngineName = Literal["spacy", "transformers"]

ENGINES: tuple[EngineName, ...] = ("spacy", "transformers")
"""Presidio's engines that can be asked for."""

MODELS_MAX: Final = 16
LABELS_MAX: Final = 200
NAME_MAX: Final = 500
THRESHOLD: Final = 0.4

_LANGUAGE: Final = re.compile(r"[a-z]{2,3}")


class NerError(Exception):
    """The models cannot be used. The message says which one, why, and what would help."""


@dataclass(frozen=True, slots=True)
class ModelEntry:
    """One model: a folder, or the name of an installed package. `transformers` is the folder of a
    model that finds the names, where spaCy's only splits the text into words."""

    language: str
    model: str
    transformers: str = ""


@dataclass(frozen=True, slots=True)
class NerConfig:
    """The models of an installation. `labels` says which kind a label of a model's own stands for,
    beside the labels that Presidio knows; what scores below `threshold` is not reported."""

    engine: EngineName
    models: tuple[ModelEntry, ...]
    labels: Mapping[str, str]
    threshold: float = THRESHOLD


def read_config(text: str) -> NerConfig:
    """Read the file; raise PolicyError with all its faults."""
    keys = Fields(read_yaml(text), "the file", ("engine", "models", "labels", "threshold"))
    engine = keys.optional("engine", fields.choice(ENGINES), ENGINES[0])
    read_models = fields.listing(lambda node: _read_model(node, engine), MODELS_MAX)
    models = keys.required("models", read_models, tuple[ModelEntry, ...]())
    if "models" in keys and not keys.faulty and not models:
        keys.note(keys.value_at("models"), "the list is empty")
    languages = [one.language for one in models]
    for language in sorted({one for one in languages if languages.count(one) > 1}):
        keys.note(keys.value_at("models"), f"the language {language} has two models")
    config = NerConfig(
        engine,
        models,
        keys.optional("labels", _read_labels, {}),
        keys.optional("threshold", fields.decimal(0.0, 1.0), THRESHOLD),
    )
    keys.finish()
    return config


def _read_model(node: Node, engine: EngineName) -> ModelEntry:
    known = ("language", "model") if engine == "spacy" else ("language", "model", "transformers")
    keys = Fields(node, "a model", known)
    code = fields.word(_LANGUAGE, "the code of a language, such as en, or xx for many")
    name = fields.text(NAME_MAX)
    entry = ModelEntry(
        keys.required("language", code, ""),
        keys.required("model", lambda node: name(node).text, ""),
        keys.required("transformers", lambda node: name(node).text, "")
        if engine == "transformers"
        else "",
    )
    keys.finish()
    return entry


def _read_labels(node: Node) -> dict[str, str]:
    read_kind = fields.choice(sorted(NAMED))
    entries = fields.pairs(node, "labels")[:LABELS_MAX]
    return {label.text: read_kind(kind) for label, kind in entries}
