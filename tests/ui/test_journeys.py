"""What people come for, from beginning to end, by mouse and by keyboard alone."""
# ruff: noqa: PLC0415

import gzip
import hashlib
import re

import pytest

from tests.ui.hands import Counted, Mouse

PASSWORD = "correct horse battery"


@pytest.fixture
def house(db):
    """A tenant with a working app, a policy and a budget."""
    from tests import estate

    policy = """\
policy: {name}
default: permit
rules:
  - id: no-cards
    when: '"CREDIT_CARD" in pii.kinds'
    deny: {message: "Card numbers may not leave.", remedy: "Take the number out."}
"""
    return estate.estate(
        estate.route((estate.simulated(), "simulated")),
        policy=policy,
        budgets=[{"limit_micros": 50_000_000, "name": "month"}],
    )


@pytest.fixture
def owner(house, unique, sign_in):
    from tenants.models import Membership, User

    user = User.objects.create(email=f"{unique('olga')}@example.org", name="Olga")
    Membership.objects.create(user=user, tenant=house.tenant, role="owner")
    sign_in(user)
    return user


@pytest.fixture
def no_owner(db):
    from tenants.models import User

    owners = User.objects.filter(is_superuser=True)
    owners.update(is_superuser=False)
    yield
    User.objects.filter(is_superuser=True).update(is_superuser=False)


def button(page, name):
    return page.get_by_role("main").get_by_role("button", name=name, exact=True)


def link(page, name):
    return page.get_by_role("main").get_by_role("link", name=name, exact=True)


def field(page, name):
    label = re.compile(rf"^{re.escape(name)}( \(optional\))?$")
    return page.get_by_role("main").get_by_label(label)


def nav(page, name):
    return page.get_by_role("navigation", name="Main").get_by_role("link", name=name, exact=True)


class Setup:
    """The screens of the first quarter of an hour, in their order."""

    def __init__(self, page, hands, unique):
        self.page, self.hands = page, hands
        names = ("simulated", "model", "tenant", "app", "open")
        self.provider, self.model, self.tenant, self.app, self.policy = map(unique, names)

    def become_owner(self, address, email):
        page, hands = self.page, self.hands
        page.goto(address)
        hands.type(field(page, "E-mail"), email)
        hands.type(field(page, "Name"), "First")
        hands.type(field(page, "Password"), PASSWORD)
        hands.type(field(page, "Password again"), PASSWORD)
        hands.press(button(page, "Create the owner and sign in"))
        page.wait_for_url(re.compile(r"/(overview)?$"))

    def connect(self):
        page, hands = self.page, self.hands
        hands.press(nav(page, "Providers"))
        hands.press(link(page, "Connect a provider"))
        hands.type(field(page, "Name"), self.provider)
        hands.choose(field(page, "Dialect"), "Simulated")
        hands.press(button(page, "Connect"))
        hands.press(button(page, "Test the connection"))
        page.get_by_text("It works:").wait_for()

    def serve(self):
        page, hands = self.page, self.hands
        hands.press(nav(page, "Models"))
        hands.press(link(page, "Add a model"))
        hands.type(field(page, "Name"), self.model)
        hands.press(button(page, "Add the model"))
        hands.choose(field(page, "Provider"), self.provider)
        hands.type(field(page, "Model there"), "simulated")
        hands.press(button(page, "Add the deployment"))

    def found(self):
        page, hands = self.page, self.hands
        hands.press(nav(page, "Tenants"))
        hands.press(link(page, "Create a tenant"))
        hands.type(field(page, "Name"), self.tenant)
        hands.press(button(page, "Create the tenant"))
        hands.press(nav(page, "Apps"))
        hands.press(link(page, "Create an app"))
        hands.choose(field(page, "Tenant"), self.tenant)
        hands.type(field(page, "Name"), self.app)
        hands.tick(page.get_by_label(self.model, exact=True))
        hands.press(button(page, "Create the app"))

    def permit(self):
        page, hands = self.page, self.hands
        hands.press(nav(page, "Policies"))
        hands.press(link(page, "Create a policy"))
        hands.type(field(page, "Name"), self.policy)
        hands.press(button(page, "Create the policy"))
        hands.type(field(page, "Reason"), "the first one")
        hands.press(button(page, "Publish"))
        hands.press(link(page, "Attach"))
        hands.choose(field(page, "It holds for"), f"{self.tenant}, as a whole")
        hands.type(field(page, "Reason"), "the first one")
        hands.press(button(page, "Attach the policy"))

    def issue(self):
        page, hands = self.page, self.hands
        hands.press(nav(page, "Keys"))
        hands.press(link(page, "Issue a key"))
        hands.type(field(page, "Name"), "laptop")
        hands.choose(field(page, "App"), f"{self.tenant} / {self.app}")
        hands.press(button(page, "Issue the key"))
        page.get_by_text("Copy the secret now.").wait_for()


@pytest.mark.usefixtures("no_owner")
def test_set_up_connect_a_provider_issue_a_key_see_the_first_call(page, hands, unique):
    from gateway.publish import publish
    from gateway.selectors import setup_link
    from tenants.models import Tenant

    steps = Setup(page, hands, unique)
    steps.become_owner(setup_link(""), f"{unique('first')}@example.org")
    steps.connect()
    steps.serve()
    steps.found()
    steps.permit()
    steps.issue()
    assert publish(Tenant.objects.get(name=steps.tenant).id)  # as the worker does by itself
    hands.press(button(page, "Test this key"))
    page.get_by_text("It works:").wait_for()
    hands.press(link(page, "See the call"))
    page.get_by_text("permitted").first.wait_for()
    assert page.get_by_text(steps.app).first.is_visible()


@pytest.mark.usefixtures("no_owner")
def test_from_the_set_up_link_to_the_first_call_in_twelve_acts(page, unique):
    from gateway.publish import publish
    from gateway.selectors import setup_link
    from tenants.models import VirtualKey

    hands, model = Counted(Mouse(page)), unique("simulated")
    page.goto(setup_link(""))
    hands.type(field(page, "E-mail"), f"{unique('first')}@example.org")
    hands.type(field(page, "Password"), PASSWORD)
    hands.type(field(page, "Password again"), PASSWORD)
    hands.press(button(page, "Create the owner and sign in"))
    page.wait_for_url(re.compile(r"/(overview)?$"))
    # The checklist has a button that saves one of these two, until something is connected.
    hands.press(nav(page, "Providers"))
    hands.press(link(page, "First steps"))
    hands.choose(field(page, "Provider"), "Simulated")
    hands.type(field(page, "Model"), model)
    hands.press(button(page, "Connect and issue a key"))
    page.get_by_text("Copy the secret now.").wait_for()
    key = VirtualKey.objects.filter(app__models=[model]).get()
    assert publish(key.tenant_id)  # as the worker does by itself
    hands.press(button(page, "Test this key"))
    page.get_by_text("It works:").wait_for()
    hands.press(nav(page, "Calls"))
    row = page.get_by_role("row").filter(has_text=model)
    row.get_by_text("permitted").wait_for()
    assert len(hands.acts) <= 12, hands.acts


@pytest.mark.usefixtures("owner")
def test_explain_a_denial(page, hands, gateway, house):
    denied = gateway.chat(house.secret, house.model, "Pay with 4111 1111 1111 1111.")
    decision = denied.headers["x-gatehouse-decision-id"]
    page.goto("/calls")
    hands.type(field(page, "Decision id"), decision)
    hands.press(button(page, "Open"))
    for told in ("by the rule no-cards", "Take the number out.", "Deciding rule", "CREDIT_CARD"):
        page.get_by_text(told).first.wait_for()


@pytest.mark.usefixtures("owner")
def test_raise_a_budget(page, hands, watch, house):
    page.goto("/budgets")
    hands.press(link(page, "month"))
    hands.press(link(page, "Raise or change"))
    hands.type(field(page, "Limit"), "75")
    watch.expect(422)
    hands.press(button(page, "Change the budget"))
    page.get_by_role("alert").wait_for()
    assert page.evaluate("document.activeElement.getAttribute('role')") == "alert"
    hands.type(field(page, "Reason"), "the launch")
    hands.press(button(page, "Change the budget"))
    page.get_by_text("is now 75.00 USD").wait_for()
    house.tenant.budget = house.tenant.budgets.get()
    assert house.tenant.budget.limit_micros == 75_000_000


@pytest.mark.usefixtures("owner")
def test_rotate_and_revoke(page, hands, watch, gateway, house):
    from tenants.models import VirtualKey

    page.goto("/keys")
    hands.press(link(page, "tests"))
    hands.press(link(page, "Rotate"))
    hands.choose(field(page, "Keep the old key for"), "1 hour")
    hands.press(button(page, "Rotate the key"))
    secret = page.locator("#secret").text_content().strip()
    new = VirtualKey.objects.get(rotated_from=house.key)
    assert new.public_id in secret
    watch.expect(409)
    page.reload()
    page.get_by_text("The secret was already shown").wait_for()
    shown = ["/keys", f"/keys/{new.id}", f"/apps/{house.app.id}", "/events?action=virtual_key"]
    for path in shown:
        page.goto(path)
        assert secret not in page.content()
        assert secret.split("_")[2] not in page.content()
    assert VirtualKey.objects.filter(rotated_from=house.key).count() == 1
    page.goto(f"/keys/{house.key.id}")
    hands.press(link(page, "Revoke"))
    hands.press(button(page, "Revoke the key"))
    page.get_by_text("is revoked.").wait_for()
    old = gateway.chat(house.secret, house.model)
    for _ in range(40):
        if old.status_code == 401:
            break
        page.wait_for_timeout(100)
        old = gateway.chat(house.secret, house.model)
    assert old.json()["error"]["code"] == "key_revoked"
    assert gateway.chat(secret, house.model).status_code == 200


@pytest.mark.usefixtures("owner")
def test_revoke_several(page, hands, house):
    from tenants.models import VirtualKey
    from tenants.services.keys import virtual_key_issue
    from tests.estate import ACTOR, pepper

    names = ["one", "two", "three"]
    for name in names:
        virtual_key_issue(actor=ACTOR, app=house.app, name=name, pepper=pepper())
    page.goto("/keys")
    for name in names[:2]:
        hands.tick(page.get_by_label(re.compile(f"^Choose {name} ")))
    hands.press(button(page, "Revoke the chosen"))
    page.get_by_text(re.compile(r"^two \(")).wait_for()
    hands.type(field(page, "Reason"), "a leak")
    hands.press(button(page, "Revoke 2 keys"))
    page.get_by_text("2 keys revoked.").wait_for()
    left = VirtualKey.objects.filter(tenant=house.tenant, state="active")
    assert set(left.values_list("name", flat=True)) == {"three", "tests"}


@pytest.mark.usefixtures("owner")
def test_export_and_download(page, hands, gateway, house, tmp_path):
    from audit.models import Event, Export
    from gateway.jobs.run import run

    assert gateway.chat(house.secret, house.model).status_code == 200
    page.goto("/calls")
    hands.press(link(page, "Export these"))
    hands.tick(page.get_by_label("csv", exact=True))
    hands.type(field(page, "Reason"), "the audit of November")
    hands.press(button(page, "Start the export"))
    page.get_by_text("being written").first.wait_for()
    export = Export.objects.get(tenant_id=house.tenant.id)
    assert run(export.job_id, "tests")  # as a worker does; the page notices by itself
    download = button(page, "Download records-00001.ndjson.gz")
    download.wait_for()
    with page.expect_download() as found:
        hands.press(download)
    path = tmp_path / "part.gz"
    found.value.save_as(path)
    assert len(gzip.decompress(path.read_bytes()).splitlines()) == 2
    (part, *_) = Export.objects.get(pk=export.pk).parts
    assert hashlib.sha256(path.read_bytes()).hexdigest() == part["sha256"]
    event = Event.objects.filter(action="export.download").latest("id")
    assert event.after == {"part": part["name"]}
    hands.press(nav(page, "Jobs"))
    page.get_by_text("done").first.wait_for()


@pytest.mark.usefixtures("owner")
def test_from_the_overview_to_the_calls_behind_a_figure(page, hands, gateway, house):
    from audit.models import Record
    from tenants.usage.rolling import usage_roll
    from tests.stack import eventually

    gateway.chat(house.secret, house.model, "Pay with 4111 1111 1111 1111.")
    assert eventually(Record.objects.filter(tenant_id=house.tenant.id).exists)
    usage_roll()  # as beat does
    page.goto("/overview")
    hands.press(page.get_by_role("link", name=re.compile("^Denied 1")))
    page.get_by_role("table").get_by_text("denied").first.wait_for()
    page.goto("/overview")
    hands.press(link(page, "30 days"))
    page.wait_for_url("**range=30d")
    hands.press(nav(page, "Usage and cost"))
    hands.choose(field(page, "Group by"), "Model")
    hands.press(button(page, "Filter"))
    page.get_by_role("rowheader", name="Total").wait_for()
    with page.expect_download() as found:
        hands.press(link(page, "Download as CSV"))
    assert found.value.suggested_filename.startswith("usage-model-")


@pytest.mark.usefixtures("owner")
def test_the_first_call_is_noticed_without_a_reload(page, gateway, house):
    page.goto("/")
    page.get_by_text("4 of 5 done").wait_for()
    page.get_by_text("waiting", exact=True).wait_for()
    assert gateway.chat(house.secret, house.model).status_code == 200
    page.get_by_text("5 of 5 done").wait_for()
    assert not page.get_by_text("waiting", exact=True).is_visible()
