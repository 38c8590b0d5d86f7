"""Which paths are endpoints, for clients of OpenAI, of Anthropic and of Azure OpenAI."""

import anthropic
import openai
import pytest

from gateway.exchange import Endpoint
from gateway.proxy import paths
from gateway.proxy.errors import MethodNotAllowed, NotFound, NotGovernable
from tests import books, estate
from tests.stack import Gateway

FOREIGN = {Endpoint.MESSAGES, Endpoint.COUNT_TOKENS}


@pytest.mark.parametrize(("path", "found"), paths.PATHS.items())
def test_each_endpoint_has_its_path(path, found):
    method, endpoint = found
    assert paths.place(path, method) == (endpoint, path, "")
    with pytest.raises(MethodNotAllowed):
        paths.place(path, "GET" if method == "POST" else "POST")


@pytest.mark.parametrize(
    ("path", "found"),
    [(path, found) for path, found in paths.PATHS.items() if found[1] not in FOREIGN],
)
def test_each_endpoint_of_openai_has_the_paths_of_azure(path, found):
    method, endpoint = found
    rest = path.removeprefix("/v1/")
    assert paths.place(f"/openai/v1/{rest}", method) == (endpoint, path, "")
    assert paths.place(f"/openai/{rest}", method) == (endpoint, path, "")
    named = f"/openai/deployments/gpt-4o mini/{rest}"
    assert paths.serves(named)
    if endpoint is Endpoint.MODELS:
        with pytest.raises(NotFound):
            paths.place(named, method)
    else:
        assert paths.place(named, method) == (endpoint, path, "gpt-4o mini")


def test_one_model_has_a_path():
    assert paths.place("/v1/models/a/b", "GET") == (Endpoint.MODELS, "/v1/models/a/b", "")
    assert paths.place("/openai/models/a", "GET") == (Endpoint.MODELS, "/v1/models/a", "")


@pytest.mark.parametrize("path", paths.UNGOVERNED)
@pytest.mark.parametrize("below", ["", "/x", "/x/y"])
def test_what_cannot_be_governed_is_told_with_what_can(path, below):
    if path + below in paths.PATHS:
        return
    for asked in (path + below, "/openai" + path + below):
        with pytest.raises(NotGovernable) as caught:
            paths.place(asked, "POST")
        assert caught.value.code == "not_governable"
        assert "/v1/responses" in caught.value.remedy


@pytest.mark.parametrize(
    "path",
    [
        "/v1/",
        "/v1/nothing",
        "/v1/chat",
        "/v1/embeddings/x",
        "/v1//chat/completions",
        "/v1/chat/completions2",
        "/v1/messages2",
        "/openai/",
        "/openai/nothing",
        "/openai/v1/messages",
        "/openai/messages/count_tokens",
        "/openai/deployments",
        "/openai/deployments/m",
        "/openai/deployments/m/nothing",
        "/openai/deployments//chat/completions",
        "/openai/deployments/m/messages",
        "/openai/deployments/m/models/x",
    ],
)
def test_all_else_is_not_found(path):
    with pytest.raises(NotFound):
        paths.place(path, "POST")


def test_whose_client_asks():
    assert paths.is_anthropic("/v1/messages/batches")
    assert not paths.is_anthropic("/v1/messages2")
    assert paths.is_responses("/openai/v1/responses")
    assert not paths.is_responses("/v1/responses/x")
    assert not paths.serves("/openai")


# Live


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def home(db):
    route = estate.route((estate.simulated(), "simulated-echo"), price=books.PRICE)
    return estate.estate(route, budgets=list(books.HARD))


HELLO = [{"role": "user", "content": "Hello"}]


def azure(gateway, home, **options):
    return openai.AzureOpenAI(
        azure_endpoint=gateway.base_url,
        api_key=home.secret,
        api_version="2024-10-21",
        max_retries=0,
        **options,
    )


def test_the_azure_client(gateway, home):
    with azure(gateway, home) as client:
        chat = client.chat.completions.create(model=home.model, messages=HELLO)
        assert chat.choices[0].message.content == "Hello"
        chunks = list(client.chat.completions.create(model=home.model, messages=HELLO, stream=True))
        assert chunks[-1].choices[0].finish_reason == "stop"
        assert client.completions.create(model=home.model, prompt="Hello").choices[0].text
        assert client.embeddings.create(model=home.model, input="Hello").data[0].embedding
        assert client.responses.create(model=home.model, input="Hello").output_text == "Hello"
        assert [model.id for model in client.models.list()] == [home.model]


def test_the_azure_client_of_one_deployment(gateway, home):
    with azure(gateway, home, azure_deployment=home.model) as client:
        chat = client.chat.completions.create(model=home.model, messages=HELLO)
        assert chat.choices[0].message.content == "Hello"
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model="another", messages=HELLO)
        assert caught.value.param == "model"


def test_the_new_azure_path_takes_the_usual_client(gateway, home):
    base_url = f"{gateway.base_url}/openai/v1"
    with openai.OpenAI(base_url=base_url, api_key=home.secret, max_retries=0) as client:
        events = list(client.responses.create(model=home.model, input="Hello", stream=True))
        assert events[-1].response.output_text == "Hello"
        assert client.models.retrieve(home.model).id == home.model


def test_a_body_need_not_name_the_model_that_its_path_names(gateway, home):
    path = f"/openai/deployments/{home.model}/chat/completions?api-version=preview"
    with gateway.client() as client:
        for headers in ({"api-key": home.secret}, {"authorization": f"Bearer {home.secret}"}):
            answer = client.post(path, json={"messages": HELLO}, headers=headers)
            assert answer.json()["choices"][0]["message"]["content"] == "Hello"
        answer = client.post(path, json={"messages": HELLO, "model": 3}, headers=headers)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, "model")
        answer = client.post(path, json={"messages": HELLO}, headers={"api-key": "nobody"})
        assert answer.status_code == 401
        keyed = client.post(f"{path}&api-key={home.secret}", json={"messages": HELLO})
        assert keyed.status_code == 401


def test_what_cannot_be_governed_is_told_in_the_shape_of_whoever_asks(gateway, home):
    with anthropic.Anthropic(
        base_url=gateway.base_url, api_key=home.secret, max_retries=0
    ) as client:
        for ask in (
            lambda: client.messages.batches.create(requests=[]),
            client.beta.files.list,
        ):
            with pytest.raises(anthropic.APIStatusError) as caught:
                ask()
            assert caught.value.status_code == 501
            assert caught.value.body["type"] == "error"
            assert caught.value.body["error"]["code"] == "not_governable"
    with azure(gateway, home) as client, pytest.raises(openai.InternalServerError) as told:
        client.fine_tuning.jobs.list()
    assert told.value.code == "not_governable"
