"""Presidio's engines with a real model: what is found, what is refused, what the version tells."""

import shutil

import pytest
import spacy
from presidio_analyzer.nlp_engine import TransformersNlpEngine

from policies.detectors.ner_config import NerError, read_config
from policies.detectors.ner_engine import Engine
from policies.pdp.problem import PolicyError


def engine(model, more="", base=None):
    text = f"models: [{{language: en, model: {model}}}]\n{more}"
    return Engine(read_config(text), base or model.parent)


@pytest.fixture(scope="module")
def tiny(names_model):
    return engine(names_model)


def named(engine, text):
    return [(kind, text[start:end]) for kind, _, start, end in engine.read(text)]


def test_names_are_found_under_presidios_kinds_at_their_places(tiny):
    text = "Please write to Zo\u00eb Nov\u00e1k at Acme ."
    assert named(tiny, text) == [("PERSON", "Zo\u00eb Nov\u00e1k"), ("ORGANIZATION", "Acme")]
    text = "\u201cMaria Keller\u201d \u2014 Berlin \U0001f600 ."
    assert named(tiny, text) == [("PERSON", "Maria Keller"), ("LOCATION", "Berlin")]
    assert named(tiny, "What is the weather like today ?") == []
    assert named(tiny, "") == []


def test_a_label_of_a_models_own_stands_for_the_kind_that_it_is_given(names_model):
    other = engine(names_model, "labels: {GPE: NRP}")
    assert named(other, "Maria Keller lives in Berlin .")[1] == ("NRP", "Berlin")


def test_what_scores_below_the_threshold_is_not_told(names_model):
    assert engine(names_model, "threshold: 0.9").read("Ask Maria Keller .") == ()


def test_each_text_is_read_by_every_model_and_each_name_told_once(names_model):
    text = (
        f"models: [{{language: en, model: {names_model}}}, {{language: de, model: {names_model}}}]"
    )
    both = Engine(read_config(text), names_model.parent)
    assert named(both, "Ask Maria Keller .") == [("PERSON", "Maria Keller")]
    assert len(both.models) == 2


def test_the_version_tells_the_model_and_its_configuration(tiny, names_model, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(names_model, copy)
    same = engine(copy)
    assert same.version == tiny.version
    assert same.models == ("en: en_tiny 0.0.0",)
    assert engine(copy, "threshold: 0.5").version != tiny.version
    (copy / "vocab" / "beside.txt").write_text("one byte more")
    assert engine(copy).version != tiny.version


def test_a_folder_is_looked_for_beside_the_file(names_model):
    text = "models: [{language: en, model: tiny}]"
    assert Engine(read_config(text), names_model.parent).models


def test_a_model_that_is_not_there_is_not_fetched(tmp_path):
    with pytest.raises(NerError, match=r"no model en_core_web_lg.*not downloaded"):
        Engine(read_config("models: [{language: en, model: en_core_web_lg}]"), tmp_path)


def test_a_model_that_finds_no_names_is_refused(tmp_path):
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(NerError, match="finds no names"):
        engine(tmp_path / "blank")


def test_a_folder_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NerError, match="empty cannot be loaded"):
        engine(tmp_path / "empty")


def test_transformers_are_taken_where_they_are_installed(names_model):
    text = f"""
engine: transformers
models: [{{language: en, model: {names_model}, transformers: {names_model}}}]
"""
    # The folder holds no model of transformers: with the packages, that is what is said of it.
    wanted = "cannot be loaded" if TransformersNlpEngine.is_available else "pip install"
    with pytest.raises(NerError, match=wanted):
        Engine(read_config(text), names_model.parent)


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("models: []", "the list is empty", ""),
        ("engine: spacy", "needs the key models", ""),
        ("engine: spaci\nmodels: []", "expected one of spacy, transformers", "spacy"),
        ("models: [{language: en}]", "needs the key model", ""),
        ("models: [{language: English, model: m}]", "not the code of a language", ""),
        ("models: [{language: en, model: m, modle: x}]", 'no key "modle"', "model"),
        ("models: [{language: en, model: m, transformers: x}]", "transformers", ""),
        ("engine: transformers\nmodels: [{language: en, model: m}]", "needs the key trans", ""),
        (
            "models: [{language: en, model: m}, {language: en, model: n}]",
            "the language en has two models",
            "",
        ),
        (
            "models: [{language: en, model: m}]\nlabels: {PER: PERSN}",
            "expected one of",
            "PERSON",
        ),
        ("models: [{language: en, model: m}]\nthreshold: 2", "not between", ""),
    ],
)
def test_a_wrong_file_says_what_is_wrong_and_where(text, message, hint):
    with pytest.raises(PolicyError) as caught:
        read_config(text)
    assert caught.value.line >= 1
    assert message in str(caught.value)
    assert hint in str(caught.value)
