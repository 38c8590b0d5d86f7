"""The story of one rule, from a first wrong draft to a decision that is proven again.

Told from top to bottom against real workers, by the management API and the command line alone, as
the people of one tenant live it: Ann and Bob approve what others write, Ann writes this one, and
Cleo reads the evidence.
"""

import datetime
import json
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from policies.models import Policy
from policies.services.reviews import review_rule_set
from tenants.models import Membership, User
from tenants.services.apps import app_create
from tenants.services.keys import virtual_key_issue
from tests import estate
from tests.gateway.call_records import PASSWORD, stretched
from tests.gateway.jobs.workers import Worker
from tests.stack import Gateway, eventually

pytestmark = pytest.mark.usefixtures("db")

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60.0
LEAK = f"Why does AKIA{'Q3EGWYXK5H2T7ZPM'} not work?"
WATCHED = """\
policy: {name}
default: permit
rules:
  - id: no-credentials
    mode: shadow
    when: secret.count > 0
    deny: {message: "A credential was found."}
"""
TESTS = """\
tests:
  - name: a key stays here
    given: {secret.count: 1}
    expect: {deny: no-credentials}
  - name: a question passes
    given: {}
    expect: {permit: true}
"""
HOLDING = """\
policy: {name}
default: permit
rules:
  - id: no-credentials
    when: secret.count > 0
    deny:
      message: "The prompt holds a credential."
      remedy: "Take it out, and rotate it: it has left your machine."
"""
PEOPLE = (("ann", "policy_author", "approver"), ("bob", "approver"), ("cleo", "auditor"))


class Person:
    """Somebody signed in at the console, who calls the management API with that session."""

    def __init__(self, gateway, tenant, email, *roles):
        user = User.objects.create(email=email, password=stretched())
        for role in roles:
            Membership.objects.create(user=user, tenant=tenant, role=role)
        self.http = httpx.Client(base_url=gateway.base_url, timeout=30)
        form = self.http.get("/sign-in").text
        (token,) = set(re.findall(r'name="csrfmiddlewaretoken" value="(\w+)"', form))
        fields = {"email": user.email, "password": PASSWORD, "csrfmiddlewaretoken": token}
        assert self.http.post("/sign-in", data=fields).status_code == 302

    def get(self, path):
        answer = self.http.get(f"/api/v1/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    def post(self, path, body=None, status=200):
        headers = {"X-CSRFToken": self.http.cookies["gatehouse-csrf"]}
        answer = self.http.post(f"/api/v1/{path}", json=body or {}, headers=headers)
        assert answer.status_code == status, answer.text
        return answer.json()

    def edit(self, path, body):
        """Change what was read a moment ago."""
        headers = {
            "X-CSRFToken": self.http.cookies["gatehouse-csrf"],
            "If-Match": self.http.get(f"/api/v1/{path}").headers["ETag"],
        }
        answer = self.http.patch(f"/api/v1/{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()


class Acme:
    """A tenant with two apps under a policy that only watches, and wants two people for a text."""

    def __init__(self, gateway, unique):
        self.gateway = gateway
        self.estate = estate.estate(estate.route((estate.simulated(), "simulated")), policy=WATCHED)
        self.tenant = self.estate.tenant
        self.policy = Policy.objects.get(attachments__tenant=self.tenant)
        self.address = f"policies/{self.policy.id}/"
        self.rule = self.text(HOLDING) + TESTS
        review_rule_set(actor=estate.ACTOR, tenant=self.tenant)
        research = app_create(
            actor=estate.ACTOR, tenant=self.tenant, name="research", models=[self.estate.model]
        )
        _, issued = virtual_key_issue(
            actor=estate.ACTOR, app=research, name="tests", pepper=estate.pepper()
        )
        assert self.estate.publish()
        self.helpdesk, self.research = self.estate.secret, issued.secret
        self.ann, self.bob, self.cleo = (
            Person(gateway, self.tenant, f"{unique(name)}@example.org", *roles)
            for name, *roles in PEOPLE
        )

    def text(self, source):
        return source.replace("{name}", self.policy.name)

    def ask(self, text, secret=None):
        """Ask the model as an app does."""
        return self.gateway.chat(secret or self.helpdesk, self.estate.model, text, max_tokens=5)


def command(*arguments):
    """Run `manage.py` beside the installation, as whoever operates it."""
    return subprocess.run(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


@pytest.fixture(scope="module")
def gateway(db):
    with Worker(), Gateway(workers=2) as gateway:
        yield gateway


@pytest.fixture
def acme(gateway, unique):
    made = Acme(gateway, unique)
    yield made
    for person in (made.ann, made.bob, made.cleo):
        person.http.close()


def test_a_rule_is_written_tried_approved_enforced_explained_and_taken_back(acme, tmp_path):
    file = tmp_path / "no-credentials.yaml"
    traffic_flows(acme)
    draft = a_draft_is_broken_and_says_where(acme, file)
    it_is_mended_and_tested(acme, draft, file)
    it_is_back_tested_on_what_was_recorded(acme, file)
    it_runs_in_the_shadow_and_drifts(acme)
    another_person_approves(acme, draft)
    denied = it_holds_and_refuses(acme)
    the_refusal_is_explained(acme, denied)
    it_is_rolled_back(acme)
    every_decision_comes_out_again(acme)


def traffic_flows(acme):
    """The policy in force only watches for credentials; one of the two apps sends some."""
    assert acme.ask("What is an access key?").status_code == 200
    assert acme.ask("And a secret?", acme.research).status_code == 200
    assert [acme.ask(LEAK).status_code for _ in range(2)] == [200, 200]


def a_draft_is_broken_and_says_where(acme, file):
    """Ann misspells a fact of what is in force: she is told where, and what to write instead."""
    draft = acme.ann.post("drafts/", {"policy": str(acme.policy.id)}, 201)
    assert (draft["source"], draft["base_version"]) == (acme.text(WATCHED), 1)
    broken = acme.rule.replace("secret.count > 0", "secret.cont > 0")
    assert acme.ann.edit(f"drafts/{draft['id']}/", {"source": broken})["revision"] == 2
    (problem,) = acme.ann.post("drafts/validate/", {"source": broken})["problems"]
    assert (problem["line"], problem["column"]) == (5, 11)
    assert problem["message"] == 'unknown fact "secret.cont"'
    assert problem["hint"] == 'did you mean "secret.count"?'
    file.write_text(broken)
    checked = command("policy", "check", file)  # the command line says the same of the file
    assert checked.returncode == 1
    assert f"{file}:5:11: {problem['message']}" in checked.stdout
    return draft


def it_is_mended_and_tested(acme, draft, file):
    """The tests that stand in the text pass, here as there."""
    assert acme.ann.edit(f"drafts/{draft['id']}/", {"source": acme.rule})["revision"] == 3
    tested = acme.ann.post("drafts/test/", {"source": acme.rule})
    assert [case["passed"] for case in tested["tests"]] == [True, True]
    file.write_text(acme.rule)
    assert "1 rule, 2 of 2 tests passed" in command("policy", "test", file).stdout


def it_is_back_tested_on_what_was_recorded(acme, file):
    """What would it have changed, and for whom? For one app, by its name."""
    wish = {"tenant": str(acme.tenant.id), "source": acme.rule, **today()}
    asked = acme.ann.post("backtests/", wish, 201)
    address = f"backtests/{asked['id']}/"
    result = eventually(lambda: ready(acme.ann.get(address)), PATIENCE_S)["result"]
    assert (result["calls"], result["changes"]["newly_denied"]) == (4, 2)
    affected = {row["name"]: row["newly_denied"] for row in result["by_app"]}
    assert affected == {acme.estate.app.name: 2, "research": 0}
    assert result["examples"]["newly_denied"][0]["rule"] == f"{acme.policy.name}/no-credentials"
    told = command("policy", "simulate", file, "--tenant", acme.tenant.name).stdout
    assert told.startswith(f"2 of 4 calls would newly be refused: app {acme.estate.app.name} 2\n")


def it_runs_in_the_shadow_and_drifts(acme):
    """Version 2 is judged beside version 1: it decides nothing, and what it would do is counted."""
    frozen = acme.ann.post(f"{acme.address}freeze/", {"source": acme.rule}, 201)
    assert frozen["number"] == 2
    shadow = acme.bob.post("rollouts/", {"policy": str(acme.policy.id), "version": 2}, 201)
    assert shadow["percent"] == 0
    drift = f"rollouts/{shadow['id']}/drift/"
    eventually(lambda: acme.ask("Hello").status_code == 200 and acme.cleo.get(drift)["counts"])
    assert acme.ask(LEAK).headers["x-gatehouse-policy"] == f"{acme.policy.name}@1"
    assert eventually(lambda: denials(acme.cleo.get(drift)))["calls"] == 1
    (example,) = acme.cleo.get(drift)["examples"]
    assert example["rules"] == [f"{acme.policy.name}/no-credentials"]


def another_person_approves(acme, draft):
    """Ann may approve here, but not what she wrote herself."""
    early = acme.bob.post(f"{acme.address}activate/", {"version": 2}, 400)
    assert "a second person has to approve version 2 first" in early["errors"][0]["message"]
    review = acme.ann.post(f"drafts/{draft['id']}/review/", {"reason": "keys leak"}, 201)
    approve = f"reviews/{review['id']}/approve/"
    refused = acme.ann.post(approve, status=403)
    assert refused["detail"] == "whoever had a hand in a text does not decide on it"
    assert acme.bob.post(approve, {"reason": "good"})["state"] == "approved"


def it_holds_and_refuses(acme):
    """The next credential is refused: by which rule, why, and what helps."""
    activated = acme.bob.post(f"{acme.address}activate/", {"version": 2})
    assert activated["active_version"] == 2
    denied = eventually(lambda: refusal(acme.ask(LEAK)))
    error = denied.json()["error"]
    assert (error["code"], error["message"]) == ("policy_denied", "The prompt holds a credential.")
    assert (error["policy"], error["rule"]) == (acme.policy.name, "no-credentials")
    assert error["remedy"].startswith("Take it out")
    assert acme.ask("What is an access key?").status_code == 200
    return denied


def the_refusal_is_explained(acme, denied):
    """Cleo reads the rule, the line that it stands in, and what would have passed."""
    why = acme.cleo.get(f"calls/{denied.headers['x-gatehouse-decision-id']}/explain")
    (ruling,) = why["rulings"]
    (rule,) = [rule for rule in ruling["rules"] if rule["determining"]]
    assert (rule["policy"], rule["rule"]) == (f"{acme.policy.name}@2", "no-credentials")
    assert (rule["line"], rule["facts"]) == (4, {"secret.count": "1"})
    assert why["remedy"] == denied.json()["error"]["remedy"]
    assert why["way"]["words"] == "without the credential (aws_access_key)"
    assert ruling["differs"] == ""


def it_is_rolled_back(acme):
    """It was too soon: one word takes it back, and the call passes again."""
    terms = {"version": 1, "reason": "the help desk first"}
    assert acme.bob.post(f"{acme.address}rollback/", terms)["active_version"] == 1
    eventually(lambda: acme.ask(LEAK).status_code == 200)
    activations = acme.cleo.get(f"{acme.address}activations/")["results"]
    assert [row["kind"] for row in activations[:2]] == ["rollback", "activate"]


def every_decision_comes_out_again(acme):
    """Those of both versions, and of the one that ran in the shadow."""
    replayed = command("audit", "replay", "--tenant", acme.tenant.name, "--json")
    proof = json.loads(replayed.stdout)
    assert (replayed.returncode, proof["different"], proof["unproven"]) == (0, 0, [])
    assert proof["decisions"] >= 9


def today():
    """Return a range that holds all calls of a test."""
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    return {"since": (now - hour).isoformat(), "until": (now + hour).isoformat()}


def ready(backtest):
    """Return a back-test that is done; fail where it failed."""
    assert backtest["state"] != "failed", backtest
    return backtest if backtest["state"] == "ready" else None


def denials(drift):
    """Return the count of the calls that the candidate would refuse."""
    return next((row for row in drift["counts"] if row["change"] == "newly_denied"), None)


def refusal(answer):
    """Return an answer that the policy refused."""
    return answer if answer.status_code == 403 else None
