"""The environment becomes values, or every fault in it is named at once."""

import base64
import dataclasses
import ipaddress
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.config import ConfigError, load, ner_place

KEK = base64.b64encode(bytes(range(32))).decode()
OTHER_KEK = base64.b64encode(bytes(range(100, 132))).decode()
SECRET_KEY = "pTq8-Rz2_vK1xWm5yB7nLd9sGh3fJc4aQe6u"


@pytest.fixture
def environ(tmp_path):
    return {
        "GATEHOUSE_DATA": str(tmp_path / "var"),
        "GATEHOUSE_SECRET_KEY": SECRET_KEY,
        "GATEHOUSE_KEK": KEK,
    }


def problems_of(environ, **kwargs):
    with pytest.raises(ConfigError) as caught:
        load(environ, **kwargs)
    return caught.value.problems


def test_defaults_are_the_published_ones(environ):
    config = load(environ)
    assert (config.host, config.port, config.base_url) == (
        "127.0.0.1",
        8000,
        "http://127.0.0.1:8000",
    )
    assert (config.web_workers, config.role, config.demo) == (1, "all", False)
    assert (config.auth_grace_s, config.drain_s, config.redis_timeout_ms) == (30, 30, 50)
    assert (config.max_body_bytes, config.max_messages) == (4 * 1024 * 1024, 2048)
    assert (config.body_read_s, config.usage_hours_days) == (30, 90)
    assert (
        config.upstream_connect_s,
        config.upstream_first_byte_s,
        config.upstream_idle_s,
        config.upstream_total_s,
    ) == (5, 60, 60, 600)
    assert (config.max_in_flight, config.provider_in_flight) == (1024, 256)
    assert (config.queue, config.queue_s) == (1024, 2)
    assert config.trusted_proxies == ()
    assert (config.metrics_token, config.kek_previous) == (None, None)
    assert (config.database_url, config.redis_url, config.broker_url) == ("", "", "")


def test_values_are_read_and_typed(environ):
    config = load(
        environ
        | {
            "HOST": "::",
            "PORT": "8001",
            "WEB_WORKERS": "4",
            "GATEHOUSE_ROLE": "proxy",
            "GATEHOUSE_DEMO": "yes",
            "GATEHOUSE_AUTH_GRACE_S": "2.5",
            "GATEHOUSE_TRUSTED_PROXIES": "10.0.0.0/8, 2001:db8::1",
            "GATEHOUSE_METRICS_TOKEN": "k7Pz2mQ9vX4tR8wB",
            "GATEHOUSE_KEK_PREVIOUS": OTHER_KEK,
            "GATEHOUSE_MAX_BODY_BYTES": "2048",
        }
    )
    assert config.base_url == "http://[::1]:8001"
    assert (config.web_workers, config.role, config.demo) == (4, "proxy", True)
    assert config.auth_grace_s == 2.5
    assert config.trusted_proxies == (
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("2001:db8::1/128"),
    )
    assert config.metrics_token == "k7Pz2mQ9vX4tR8wB"
    assert config.kek == bytes(range(32))
    assert config.kek_previous == bytes(range(100, 132))
    assert config.max_body_bytes == 2048


@pytest.mark.parametrize(
    ("host", "url"),
    [("0.0.0.0", "http://127.0.0.1:8000"), ("::1", "http://[::1]:8000"), ("h.lan", None)],
)
def test_base_url_can_be_opened(environ, host, url):
    assert load(environ | {"HOST": host}).base_url == (url or f"http://{host}:8000")


def test_blank_variables_count_as_absent(environ):
    blank = {"PORT": "", "GATEHOUSE_ROLE": "  ", "DATABASE_URL": "", "GATEHOUSE_KEK_PREVIOUS": ""}
    assert load(environ | blank) == load(environ)


def test_other_urls_default_to_the_main_ones(environ):
    main = {"DATABASE_URL": "postgresql://a@h/d", "REDIS_URL": "redis://h:6379/0"}
    config = load(environ | main, serving=True)
    assert config.database_owner_url == "postgresql://a@h/d"
    assert (config.cache_url, config.broker_url) == ("redis://h:6379/0", "redis://h:6379/0")
    apart = {
        "DATABASE_OWNER_URL": "postgres://o@h/d",
        "GATEHOUSE_CACHE_URL": "rediss://c:6379",
        "CELERY_BROKER_URL": "amqp://q",
    }
    config = load(environ | main | apart)
    assert config.database_owner_url == "postgres://o@h/d"
    assert (config.cache_url, config.broker_url) == ("rediss://c:6379", "amqp://q")


def test_models_of_names_have_a_file_and_a_place(environ, tmp_path):
    config = load(environ)
    assert (config.ner_file, config.ner_ms) == (None, 500)
    assert config.ner_characters == 20_000
    assert config.ner_socket == tmp_path / "var" / "run" / "ner.sock"
    file = tmp_path / "names.yaml"
    file.write_text("models: []")
    place = {"GATEHOUSE_NER": str(file), "GATEHOUSE_NER_SOCKET": "/run/gatehouse/ner.sock"}
    place["GATEHOUSE_NER_CHARACTERS"] = "9000"
    given = load({**environ, **place})
    assert (given.ner_characters, ner_place(place).characters) == (9000, 9000)
    assert (given.ner_file, str(given.ner_socket)) == (file, "/run/gatehouse/ner.sock")
    assert ner_place(place).socket == given.ner_socket  # which asks for no secret
    (problem,) = problems_of({**environ, "GATEHOUSE_NER": str(tmp_path / "none.yaml")})
    assert "GATEHOUSE_NER: found" in problem
    (problem,) = problems_of({**environ, "GATEHOUSE_NER_SOCKET": f"/{'d' * 107}"})
    assert "108 bytes" in problem
    with pytest.raises(ConfigError, match="GATEHOUSE_NER: found nothing"):
        ner_place({})


def test_serving_demands_servers(environ):
    names = [line.partition(":")[0] for line in problems_of(environ, serving=True)]
    assert names == ["DATABASE_URL", "REDIS_URL"]


@pytest.mark.parametrize("url", ["redis+cluster://h:1", "redis://h:1/0?cluster=true"])
def test_a_cluster_as_broker_is_refused(environ, url):
    for bad in ({"REDIS_URL": url}, {"CELERY_BROKER_URL": url}):
        (problem,) = problems_of(environ | bad)
        assert problem.startswith("CELERY_BROKER_URL: ")
        assert "single Redis" in problem
    load(environ | {"REDIS_URL": url, "CELERY_BROKER_URL": "redis://single:6379"})


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("PORT", "abc", "a whole number from 1 to 65535"),
        ("PORT", "65536", "a whole number from 1 to 65535"),
        ("PORT", "0", "a whole number from 1 to 65535"),
        ("PORT", "-1", "a whole number from 1 to 65535"),
        ("PORT", "8_000", "a whole number from 1 to 65535"),
        ("HOST", "http://x", "an IP address or a host name"),
        ("WEB_WORKERS", "0", "a whole number from 1 to 256"),
        ("GATEHOUSE_ROLE", "Proxy", "one of all, proxy, console"),
        ("GATEHOUSE_DEMO", "2", "1 or 0"),
        ("GATEHOUSE_DRAIN_S", "nan", "seconds from 0 to 3600"),
        ("GATEHOUSE_DRAIN_S", "inf", "seconds from 0 to 3600"),
        ("GATEHOUSE_DRAIN_S", "-1", "seconds from 0 to 3600"),
        ("GATEHOUSE_DRAIN_S", "soon", "seconds from 0 to 3600"),
        ("GATEHOUSE_USAGE_HOURS_DAYS", "2", "a whole number from 3 to 36500"),
        ("GATEHOUSE_TRUSTED_PROXIES", "10.0.0.0/8,nowhere", "addresses or CIDR ranges"),
        ("GATEHOUSE_TRUSTED_PROXIES", "10.0.0.1/8", "addresses or CIDR ranges"),
        ("DATABASE_URL", "mysql://h/d", "postgres:// or postgresql://"),
        ("DATABASE_URL", "just-text", "postgres:// or postgresql://"),
        ("DATABASE_URL", "postgresql://h:x/d", "postgres:// or postgresql://"),
        ("DATABASE_URL", "postgresql://", "postgres:// or postgresql://"),
        ("REDIS_URL", "http://h", "redis://"),
        ("GATEHOUSE_METRICS_TOKEN", "short", "at least 16"),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(environ, name, value, expected):
    (problem,) = problems_of(environ | {name: value})
    assert problem.startswith(f"{name}: found ")
    assert expected in problem


@pytest.mark.parametrize(
    "value",
    ["short", "a" * 64, "change-me-change-me-change-me-change-me", "django-insecure-" + SECRET_KEY],
)
def test_weak_secret_keys_are_refused_and_not_shown(environ, value):
    (problem,) = problems_of(environ | {"GATEHOUSE_SECRET_KEY": value})
    assert problem.startswith("GATEHOUSE_SECRET_KEY: ")
    assert value not in problem


@pytest.mark.parametrize("name", ["GATEHOUSE_KEK", "GATEHOUSE_KEK_PREVIOUS"])
@pytest.mark.parametrize(
    "value",
    [
        "not base64!",
        base64.b64encode(bytes(range(31))).decode(),
        base64.b64encode(bytes(range(33))).decode(),
        base64.b64encode(bytes(32)).decode(),
        base64.b64encode(b"change-me".ljust(32, b"x")).decode(),
        KEK.rstrip("="),
    ],
)
def test_weak_keks_are_refused_and_not_shown(environ, name, value):
    (problem,) = problems_of(environ | {name: value})
    assert problem.startswith(f"{name}: ")
    assert value not in problem


def test_all_problems_come_at_once(environ):
    names = {"PORT", "HOST", "GATEHOUSE_ROLE", "DATABASE_URL", "GATEHOUSE_KEK"}
    problems = problems_of(environ | dict.fromkeys(names, "?"))
    assert {problem.partition(":")[0] for problem in problems} == names
    message = str(ConfigError(problems))
    assert message.startswith("5 settings are wrong:\n")
    assert all(problem in message for problem in problems)
    assert str(ConfigError(problems[:1])).startswith("One setting is wrong:\n")


def test_a_url_with_a_password_is_not_shown(environ):
    (problem,) = problems_of(environ | {"DATABASE_URL": "mysql://me:hunter2@h/d"})
    assert "hunter2" not in problem


def test_the_values_shown_by_repr_hold_no_secret(environ):
    secrets = {
        "DATABASE_URL": "postgresql://u:hunter2@h/d",
        "REDIS_URL": "redis://:hunter2@h",
        "GATEHOUSE_METRICS_TOKEN": "hunter2hunter2hunter2",
    }
    shown = repr(load(environ | secrets))
    assert "hunter2" not in shown
    assert SECRET_KEY not in shown
    assert repr(bytes(range(32))) not in shown


def test_secrets_come_from_files_too(environ, tmp_path):
    path = tmp_path / "kek"
    path.write_text(OTHER_KEK + "\n")
    del environ["GATEHOUSE_KEK"]
    assert load(environ | {"GATEHOUSE_KEK_FILE": str(path)}).kek == bytes(range(100, 132))
    url = tmp_path / "url"
    url.write_text("postgresql://u:p@h/d\n")
    config = load(environ | {"DATABASE_URL_FILE": str(url)})
    assert config.database_url == "postgresql://u:p@h/d"


def test_a_secret_given_twice_or_unreadable_is_refused(environ, tmp_path):
    (both,) = problems_of(environ | {"GATEHOUSE_KEK_FILE": str(tmp_path / "any")})
    assert "one of the two" in both
    del environ["GATEHOUSE_KEK"]
    (absent,) = problems_of(environ | {"GATEHOUSE_KEK_FILE": str(tmp_path / "absent")})
    assert "No such file" in absent
    empty, binary = tmp_path / "empty", tmp_path / "binary"
    empty.write_text("\n")
    binary.write_bytes(b"\xff\xfe")
    assert "is empty" in problems_of(environ | {"GATEHOUSE_KEK_FILE": str(empty)})[0]
    assert "not UTF-8" in problems_of(environ | {"GATEHOUSE_KEK_FILE": str(binary)})[0]


def test_secrets_not_given_are_made_once_and_kept_private(tmp_path):
    environ = {"GATEHOUSE_DATA": str(tmp_path / "new" / "var")}
    first, second = load(environ), load(environ)
    assert first == second
    assert len(first.kek) == 32
    assert len(first.secret_key) >= 50
    assert load({"GATEHOUSE_DATA": str(tmp_path / "other")}).kek != first.kek
    folder = tmp_path / "new" / "var" / "secrets"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.name for path in folder.iterdir()} == {"kek", "secret_key"}
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}


def test_processes_that_race_agree_on_one_secret(tmp_path):
    program = (
        "import sys; from gateway.config import load; sys.stdin.read(1);"
        "config = load({'GATEHOUSE_DATA': sys.argv[1]}); print(config.kek.hex())"
    )
    racers = [
        subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path / "var")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        for _ in range(6)
    ]
    for racer in racers:
        racer.stdin.write("go")
        racer.stdin.flush()
    told = {racer.communicate()[0] for racer in racers}
    assert len(told) == 1
    assert len(told.pop().strip()) == 64
    assert len(list((tmp_path / "var" / "secrets").iterdir())) == 2


def test_a_data_folder_that_cannot_be_made_is_named(environ, tmp_path):
    (tmp_path / "file").write_text("")
    del environ["GATEHOUSE_KEK"]
    (problem,) = problems_of(environ | {"GATEHOUSE_DATA": str(tmp_path / "file" / "var")})
    assert problem.startswith("GATEHOUSE_DATA: ")


def test_a_stored_secret_that_was_damaged_is_refused(environ, tmp_path):
    del environ["GATEHOUSE_KEK"]
    load(environ)
    (tmp_path / "var" / "secrets" / "kek").write_text("")
    (problem,) = problems_of(environ)
    assert problem.startswith("GATEHOUSE_KEK: ")


@given(
    st.dictionaries(
        st.sampled_from(
            [
                f"{name}{suffix}"
                for name in ("PORT", "HOST", "WEB_WORKERS", "DATABASE_URL", "REDIS_URL")
                for suffix in ("", "_FILE")
            ]
            + [
                "CELERY_BROKER_URL",
                "GATEHOUSE_ROLE",
                "GATEHOUSE_DEMO",
                "GATEHOUSE_TRUSTED_PROXIES",
                "GATEHOUSE_DRAIN_S",
                "GATEHOUSE_METRICS_TOKEN",
                "GATEHOUSE_KEK_PREVIOUS",
            ]
        ),
        st.text(st.characters(exclude_characters="\0", codec="utf-8")),
    )
)
def test_any_environment_gives_values_or_a_config_error(environ):
    fixed = {"GATEHOUSE_SECRET_KEY": SECRET_KEY, "GATEHOUSE_KEK": KEK}
    problems = ()
    try:
        load(environ | fixed)
    except ConfigError as error:
        problems = error.problems
    assert all(": found " in problem for problem in problems)


def test_values_are_frozen(environ):
    config = load(environ)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.port = 1
