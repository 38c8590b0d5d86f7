"""Azure OpenAI through the gateway: both forms of address, keys and tokens, filters and money."""

import json
from concurrent.futures import ThreadPoolExecutor

import openai
import pytest

from gateway.models import Provider
from gateway.probe import Probe, probe
from tests import books, estate

TEXT = "word0 word1 word2 "


def served(mock, model="mock-tokens-3", form="v1", secret="azure-canary"):
    base = f"{mock.origin}/openai/v1"
    if form == "classic":
        base = f"{mock.origin}?api-version=2024-10-21"
    return books.served((base, model), dialect="azure-openai", secret=secret)


def client_credentials(mock, tenant="t"):
    told = {"tenant_id": tenant, "client_id": "c", "client_secret": "entra-canary"}
    return json.dumps({**told, "authority": mock.origin})


@pytest.mark.parametrize("form", ["v1", "classic"])
def test_a_chat_whole_and_streamed_is_paid_by_what_azure_billed(mock, sdk, form):
    house = served(mock, form=form)
    answer = sdk.chat(house)
    assert answer.choices[0].message.content == TEXT
    chunks = sdk.chat(house, stream=True)
    assert all(chunk.choices for chunk in chunks)  # what the filter thinks of the prompt is none
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == TEXT
    entries = books.entries(mock, house)
    assert len(entries) == 2
    assert {entry["path"] for entry in entries} == {
        "/openai/v1/chat/completions"
        if form == "v1"
        else "/openai/deployments/mock-tokens-3/chat/completions?api-version=2024-10-21"
    }
    assert {entry["headers"]["api-key"] for entry in entries} == {"azure-canary"}
    assert {entry["body"]["max_completion_tokens"] for entry in entries} == {256}
    assert books.posted(house) == sum(books.billed(entry) for entry in entries)


def test_embeddings_are_openais_own(mock, sdk):
    house = served(mock)
    found = sdk.do(house.secret, lambda c: c.embeddings.create(model=house.model, input=["a", "b"]))
    assert [item.index for item in found.data] == [0, 1]


def test_a_filtered_prompt_is_told_and_charged_for(mock, sdk):
    house = served(mock, "mock-filtered")
    mock.behave("mock-filtered", status=400, code="content_filter", message="It was filtered.")
    refused = sdk.refused(openai.BadRequestError, house)
    assert "It was filtered." in refused.message
    (hold,) = books.holds(house).values()
    assert hold.posted_pico == hold.bound_pico > 0
    mock.behave("mock-filtered", status=400, code="unknown_parameter")
    sdk.refused(openai.BadRequestError, house)
    assert sorted(one.posted_pico for one in books.holds(house).values()) == [0, hold.bound_pico]


# Tokens


def test_calls_at_once_fetch_one_token_and_travel_with_it(mock, sdk):
    house = served(mock, secret=client_credentials(mock, "at-once"))
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: sdk.chat(house), range(8)))
    assert {answer.choices[0].message.content for answer in answers} == {TEXT}
    asked = [entry for entry in mock.books() if entry["path"].startswith("/at-once/")]
    assert len(asked) == 1
    entries = books.entries(mock, house)
    assert {entry["headers"]["authorization"][:19] for entry in entries} == {"Bearer entra-token-"}
    assert not any("entra-canary" in str(entry) for entry in entries)


def test_a_rejected_client_is_told_and_costs_nothing(mock, sdk):
    house = served(mock, secret=client_credentials(mock))
    mock.behave("token", status=401, message="entra-canary is wrong", times=1)
    refused = sdk.refused(openai.InternalServerError, house)
    assert refused.code == "upstream_credential_rejected"
    assert "canary" not in str(refused)
    (hold,) = books.holds(house).values()
    assert (hold.state, hold.posted_pico) == ("settled", 0)


@pytest.mark.parametrize("form", ["v1", "classic"])
def test_the_connection_is_tested_with_a_key_or_a_token(mock, form):
    def tested(secret):
        house = served(mock, form=form, secret=secret)
        return probe(Provider.objects.get(deployments__route__name=house.model))

    mock.behave("token", status=200)
    good = Probe(ok=True, detail="answered 200")
    assert tested("azure-canary") == tested(client_credentials(mock)) == good
    mock.behave("token", status=401)
    assert not tested(client_credentials(mock)).ok
    mock.reset()


def test_a_provider_of_azure_needs_its_form(mock):
    with pytest.raises(Exception, match="names its version"):
        estate.provider("https://name.openai.azure.com", dialect="azure-openai")
