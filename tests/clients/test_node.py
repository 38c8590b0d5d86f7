"""The official SDKs of Node: they work with their address and their key changed alone."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import estate
from tests.stack import Gateway

HERE = Path(__file__).parent
PATIENCE_S = 60


@pytest.fixture(scope="module")
def gateway(db):
    with Gateway() as gateway:
        yield gateway


@pytest.fixture(scope="module")
def house(db):
    return estate.estate(estate.route((estate.simulated(), "simulated")))


def heard(gateway, house, script):
    """Return what a script of Node heard from the gateway."""
    node = shutil.which("node")
    assert node, "Node is not there"
    done = subprocess.run(
        [node, HERE / script, gateway.base_url, house.secret, house.model],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_openai(gateway, house):
    told = heard(gateway, house, "openai.mjs")
    assert told["whole"] == told["streamed"] != ""
    assert told["finish"] == "stop"
    assert told["same_tokens"] is True
    assert told["call"]["name"] == told["streamed_call"]["name"] == "get_weather"
    assert json.loads(told["call"]["arguments"]) == {"town": "Oslo"}
    assert json.loads(told["streamed_call"]["arguments"]) == {"town": "Oslo"}
    assert told["structured"] == "string"
    assert told["models"] == [house.model]
    assert told["missing"] == ["NotFoundError", 404, "model_not_found"]
    assert told["stranger"] == ["AuthenticationError", 401, "invalid_api_key"]


def test_anthropic(gateway, house):
    told = heard(gateway, house, "anthropic.mjs")
    assert told["whole"] == told["streamed"] != ""
    assert told["finish"] == "end_turn"
    assert told["same_tokens"] is True
    assert told["call"] == told["streamed_call"] == {"town": "Oslo"}
    assert told["missing"] == ["NotFoundError", 404, "model_not_found"]
    assert told["stranger"] == ["AuthenticationError", 401, "invalid_api_key"]
