"""Files that are wrong: every fault has its file, line, column, and says what was expected."""

import textwrap

import pytest

from gateway.declaration.document import Names, read
from gateway.declaration.faults import DeclarationError

ENVIRON = {"OPENAI_API_KEY": "sk-canary-from-the-environment"}
BESIDE = Names(frozenset({"stored"}), frozenset({"stored-model"}), frozenset({"stored-policy"}))


def faults(folder, text, beside=BESIDE):
    path = folder / "gatehouse.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DeclarationError) as error:
        read(path, ENVIRON, beside)
    return [
        (fault.problem.line, fault.problem.column, f"{fault.problem.message} {fault.problem.hint}")
        for fault in error.value.faults
    ]


def whole(text):
    return "version: 1\n" + textwrap.dedent(text)


# What is wrong: the file, with § where its one fault is found, and what is said of it.
BROKEN = {
    "no version": (
        "§providers: []\n",
        "needs the key version",
    ),
    "a later version": (
        "version: §2\n",
        "2 is not between 1 and 1",
    ),
    "no YAML": (
        "version: [1\n§",
        "YAML",
    ),
    "empty": (
        "§\n",
        "the document is empty",
    ),
    "a list": (
        "§- version: 1\n",
        "must be keys with values",
    ),
    "an unknown key": (
        whole("§provider: []\n"),
        'no key "provider" did you mean "providers"?',
    ),
    "a key twice": (
        whole("tenants: []\n§tenants: []\n"),
        "stands twice",
    ),
    "an unknown dialect": (
        whole("providers: [{name: p, dialect: §openia, base_url: 'https://a.example'}]\n"),
        'found "openia" did you mean "openai"?',
    ),
    "a query that is no version": (
        whole(
            "providers:\n  - name: p\n    dialect: azure-openai\n"
            "    base_url: §https://a.example?key=x\n"
        ),
        "but for its version",
    ),
    "a name in capitals": (
        whole("providers: [{name: §Open AI, dialect: simulated}]\n"),
        '"Open AI" is not a name: 1 to 63',
    ),
    "a private address": (
        whole("providers:\n  - name: p\n    dialect: openai\n    base_url: §http://127.0.0.1/v1\n"),
        "it takes allow_private: true",
    ),
    "no address": (
        whole("providers: [§{name: p, dialect: openai}]\n"),
        "needs the key base_url",
    ),
    "an address of the simulated": (
        whole("providers: [{name: p, dialect: simulated, §base_url: 'https://a.example'}]\n"),
        "the simulated provider has no base_url",
    ),
    "a credential in the file": (
        whole(
            "providers:\n"
            "  - {name: p, dialect: openai, base_url: 'https://a.example', credential: §sk-1}\n"
        ),
        "a credential must be keys with values",
    ),
    "a credential that is not set": (
        whole(
            "providers:\n"
            "  - name: p\n"
            "    dialect: openai\n"
            "    base_url: https://a.example\n"
            "    credential: {env: §OPENAI_KEY}\n"
        ),
        "the environment variable OPENAI_KEY is not set",
    ),
    "a credential both ways": (
        whole(
            "providers:\n"
            "  - name: p\n"
            "    dialect: openai\n"
            "    base_url: https://a.example\n"
            "    credential: §{env: OPENAI_API_KEY, keep: true}\n"
        ),
        "a credential is read from env, or it is kept",
    ),
    "a provider twice": (
        whole(
            "providers:\n  - {name: p, dialect: simulated}\n  - {name: §p, dialect: simulated}\n"
        ),
        'the provider "p" stands twice',
    ),
    "a provider that is not there": (
        whole(
            "providers: [{name: p, dialect: simulated}]\n"
            "models: [{name: m, deployments: [{provider: §storde, model: m}]}]\n"
        ),
        'there is no provider "storde" did you mean "stored"?',
    ),
    "a deployment twice": (
        whole(
            "models:\n"
            "  - name: m\n"
            "    deployments:\n"
            "      - {provider: stored, model: m}\n"
            "      - §{provider: stored, model: m, weight: 2}\n"
        ),
        "this deployment stands twice",
    ),
    "a default cap above the maximum": (
        whole("models: [{name: m, max_output_tokens: 5, default_max_output_tokens: §6}]\n"),
        "the default cap 6 is above max_output_tokens 5",
    ),
    "a transformation with an unknown key": (
        whole(
            "models:\n"
            "  - name: m\n"
            "    transformation:\n"
            "      - endpoints: [chat.completions]\n"
            "        §defualts: {/temperature: 1}\n"
        ),
        'did you mean "defaults"?',
    ),
    "a transformation with a wrong schema": (
        whole(
            "tenants:\n"
            "  - name: t\n"
            "    apps:\n"
            "      - name: a\n"
            "        transformation:\n"
            "          - endpoints: [chat.completions]\n"
            "            schema:\n"
            "              properties:\n"
            "                user: {pattern: §'(?=a)'}\n"
        ),
        "is not a",
    ),
    "a transformation of a model that renames it": (
        whole(
            "models:\n"
            "  - name: m\n"
            "    transformation:\n"
            "      - {endpoints: [responses], force: §{/model: other}}\n"
        ),
        "cannot change /model",
    ),
    "a default model that is not there": (
        whole("tenants: [{name: t, default_model: §stored-modle}]\n"),
        'there is no model "stored-modle" did you mean "stored-model"?',
    ),
    "a default model of a tier that is not there": (
        whole("tenants: [{name: t, tier_models: {gold: §nothing}}]\n"),
        'there is no model "nothing"',
    ),
    "a weight that is a text": (
        whole("models: [{name: m, deployments: [{provider: stored, model: m, weight: §heavy}]}]\n"),
        'expected a whole number, found the text "heavy"',
    ),
    "a price too fine": (
        whole(
            "models:\n"
            "  - name: m\n"
            "    price:\n"
            "      currency: USD\n"
            "      input_per_million: §'0.0000001'\n"
            "      output_per_million: '1'\n"
        ),
        "more than six decimal places",
    ),
    "a price that is no number": (
        whole(
            "models: [{name: m, price: {currency: USD, output_per_million: '1', "
            "input_per_million: §free}}]\n"
        ),
        "'free' is not a decimal number a decimal number in quotes",
    ),
    "a price from no day": (
        whole(
            "models:\n"
            "  - name: m\n"
            "    price:\n"
            "      currency: USD\n"
            "      input_per_million: '1'\n"
            "      output_per_million: '1'\n"
            "      from: §2026-13-01\n"
        ),
        "expected a date as in 2026-01-01",
    ),
    "a currency in words": (
        whole(
            "tenants:\n"
            "  - name: acme\n"
            "    budgets: [{name: b, limit: '5', currency: §Euro, window: day}]\n"
        ),
        "three capital letters",
    ),
    "an evidence mode of later": (
        whole("tenants:\n  - name: acme\n    evidence: §blocking\n"),
        "blocking is not available in this version available: strict",
    ),
    "no such time zone": (
        whole("tenants:\n  - name: acme\n    timezone: §Europe/Berln\n"),
        'not an IANA time zone, such as Europe/Berlin did you mean "Europe/Berlin"?',
    ),
    "no such country": (
        whole("tenants:\n  - name: acme\n    pii: {countries: [DE, §UK]}\n"),
        '"UK" is not a country with detectors',
    ),
    "no such kind of names": (
        whole("tenants:\n  - name: acme\n    pii: {entities: [§PERSN]}\n"),
        '"PERSN" is not a kind of names: DATE_TIME, LOCATION, NRP, ORGANIZATION, PERSON did you '
        'mean "PERSON"?',
    ),
    "no such region": (
        whole("tenants:\n  - name: acme\n    pii: {phone_regions: [§XX]}\n"),
        '"XX" is not a region with telephone numbers',
    ),
    "a tag twice": (
        whole("tenants:\n  - name: acme\n    tags: [a, b, §a]\n"),
        '"a" stands twice in the list',
    ),
    "a window of a year": (
        whole(
            "tenants:\n"
            "  - name: acme\n"
            "    budgets: [{name: b, limit: '5', currency: USD, window: §year}]\n"
        ),
        "expected one of hour, day, week, month, total",
    ),
    "a limit that is a list": (
        whole(
            "tenants:\n"
            "  - name: acme\n"
            "    budgets: [{name: b, limit: §[5], currency: USD, window: day}]\n"
        ),
        'expected a decimal number in quotes, as in "500.00"',
    ),
    "a negative limit": (
        whole(
            "tenants:\n"
            "  - name: acme\n"
            "    budgets: [{name: b, limit: §'-5', currency: USD, window: day}]\n"
        ),
        "'-5' is negative",
    ),
    "a limit beyond what is exact": (
        whole(
            "tenants:\n"
            "  - name: acme\n"
            "    budgets: [{name: b, limit: §'9e12', currency: USD, window: day}]\n"
        ),
        "is more than 4503599627",
    ),
    "an alert above all": (
        whole(
            "tenants:\n"
            "  - name: acme\n"
            "    budgets: [{name: b, limit: '5', currency: USD, window: month, "
            "alert_at: [0.5, §80]}]\n"
        ),
        "a share above 0 and at most 1",
    ),
    "a group that nobody knows": (
        whole(
            "tenants:\n"
            "  - name: acme\n"
            "    budgets: [{name: b, limit: '5', currency: USD, window: month, "
            "group_by: §[team]}]\n"
        ),
        "grouped by user, app, key, model or tag:<name>, not by 'team'",
    ),
    "a tag that is not declared": (
        whole(
            "tenants:\n"
            "  - name: acme\n"
            "    tags: [team]\n"
            "    budgets: [{name: b, limit: '5', currency: USD, window: month, "
            "group_by: §['tag:squad']}]\n"
        ),
        "the tag 'squad' is not one of the tenant's declared tags",
    ),
    "a budget twice": (
        whole(
            "tenants:\n"
            "  - name: acme\n"
            "    budgets:\n"
            "      - {name: b, limit: '5', currency: USD, window: month}\n"
            "      - {name: §b, limit: '5', currency: USD, window: month}\n"
        ),
        'the budget "b" stands twice',
    ),
    "a limit of nothing": (
        whole("tenants:\n  - name: acme\n    limits: [§{name: l}]\n"),
        "one of requests, tokens and concurrency",
    ),
    "a limit of two things": (
        whole(
            "tenants:\n"
            "  - name: acme\n"
            "    limits: [§{name: l, requests: 1, tokens: 1, per: minute}]\n"
        ),
        "one of requests, tokens and concurrency",
    ),
    "a limit without a time": (
        whole("tenants:\n  - name: acme\n    limits: [§{name: l, requests: 1}]\n"),
        "a limit of requests needs the key per",
    ),
    "concurrency per minute": (
        whole("tenants:\n  - name: acme\n    limits: [{name: l, concurrency: 1, §per: minute}]\n"),
        "a limit of calls at once has no per",
    ),
    "an app's key in the file": (
        whole("tenants:\n  - name: acme\n    apps: [{name: a, §keys: [gth_x]}]\n"),
        'an app has no key "keys"',
    ),
    "a model that is not there": (
        whole("tenants:\n  - name: acme\n    apps: [{name: a, models: [§stored-modle]}]\n"),
        'there is no model "stored-modle" did you mean "stored-model"?',
    ),
    "a policy that is not there": (
        whole("platform: {policies: [§stored-polisy]}\n"),
        'there is no policy "stored-polisy" did you mean "stored-policy"?',
    ),
    "a policy file that is not there": (
        whole("policies: [{file: §policies/none.yaml}]\n"),
        "the file cannot be read: No such file or directory",
    ),
    "a policy of neither kind": (
        whole("policies: [§{}]\n"),
        "a policy is a file or a text",
    ),
    "an anchor": (
        whole("providers: §&p []\n"),
        "anchors (&name) are refused",
    ),
}


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_file_says_where_and_what(what, tmp_path):
    marked, message = BROKEN[what]
    before, _, after = marked.partition("§")
    wanted = (before.count("\n") + 1, len(before) - before.rfind("\n"))
    ((line, column, said),) = faults(tmp_path, before + after)
    assert (line, column) == wanted, said
    assert message in said


def test_all_faults_are_told_at_once(tmp_path):
    text = whole(
        """\
        providers: [{name: P, dialect: x}]
        models: [{name: m, weight: 1}]
        tenants: [{name: acme, evidence: batch}]
        """
    )
    found = [(line, column) for line, column, _ in faults(tmp_path, text)]
    assert found == [(2, 13), (2, 20), (2, 32), (3, 20), (4, 34)]


def test_what_is_wrong_in_a_policy_stands_at_its_own_place(tmp_path):
    (tmp_path / "policies").mkdir()
    own = tmp_path / "policies" / "own.yaml"
    own.write_text("policy: own\nrules:\n  - id: r\n    when: pii.cuont > 0\n    permit: true\n")
    path = tmp_path / "gatehouse.yaml"
    path.write_text(
        whole("policies: [{file: policies/own.yaml}]\ntenants: [{name: a, policies: [own]}]")
    )
    with pytest.raises(DeclarationError) as error:
        read(path, ENVIRON, Names())
    (fault,) = error.value.faults
    assert fault.file == str(own)
    assert (fault.problem.line, fault.problem.column) == (4, 11)
    assert str(error.value).startswith(f"{own}:4:11: ")
    assert "pii.count" in str(error.value)


def test_what_is_wrong_in_an_inline_policy_stands_in_the_file(tmp_path):
    text = "version: 1\npolicies:\n  - text: |\n      policy: own\n      defualt: permit\n"
    ((line, column, said),) = faults(tmp_path, text)
    assert (line, column) == (5, 7)
    assert "default" in said


def test_names_may_lead_to_what_is_stored_only_where_it_stays(tmp_path):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(whole("tenants: [{name: acme, apps: [{name: a, models: [stored-model]}]}]"))
    assert read(path, ENVIRON, BESIDE).tenants[0].apps[0].models[0].text == "stored-model"
    with pytest.raises(DeclarationError, match='there is no model "stored-model"'):
        read(path, ENVIRON, Names())


def test_a_secret_is_not_shown_by_what_was_read(tmp_path):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(
        whole(
            "providers:\n  - {name: p, dialect: openai, base_url: 'https://a.example',"
            " credential: {env: OPENAI_API_KEY}}"
        )
    )
    declaration = read(path, ENVIRON, Names())
    assert declaration.providers[0].credential.secret == ENVIRON["OPENAI_API_KEY"]
    assert ENVIRON["OPENAI_API_KEY"] not in repr(declaration)


def test_a_file_may_be_larger_than_a_policy(tmp_path):
    path = tmp_path / "gatehouse.yaml"
    path.write_text("version: 1\ntenants:\n" + "".join(f"- {{name: t{n}}}\n" for n in range(6000)))
    assert path.stat().st_size > 64 * 1024
    assert len(read(path, ENVIRON, Names()).tenants) == 6000


def test_a_file_that_is_no_text_is_refused(tmp_path):
    path = tmp_path / "gatehouse.yaml"
    path.write_bytes(b"version: 1\n\xff")
    with pytest.raises(DeclarationError, match="not UTF-8"):
        read(path, ENVIRON, Names())


def test_what_yaml_11_would_misread_is_read_as_it_looks(tmp_path):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(
        whole(
            """\
            tenants:
              - name: "on"
                tags: [no, y]
                pii: {countries: [SE], phone_regions: [NO]}
                budgets:
                  - {name: b, limit: 0.10, currency: USD, window: day, alert_at: [.5, 1]}
            """
        )
    )
    (tenant,) = read(path, ENVIRON, Names()).tenants
    assert (tenant.name.text, tenant.tags) == ("on", ("no", "y"))
    assert tenant.pii.phone_regions == ("NO",)
    assert tenant.budgets[0].limit_micros == 100_000
    assert tenant.budgets[0].values()["alert_at"] == ["0.5", "1"]


def test_what_is_left_out_has_its_default(tmp_path):
    path = tmp_path / "gatehouse.yaml"
    path.write_text(whole("models: [{name: m}]\ntenants: [{name: acme}]"))
    declaration = read(path, ENVIRON, Names())
    (model,), (tenant,) = declaration.models, declaration.tenants
    assert (model.max_output_tokens, model.default_max_output_tokens) == (16_384, 2048)
    assert (tenant.timezone, tenant.evidence, tenant.tags) == ("UTC", "strict", ())
    assert declaration.platform_policies is None
