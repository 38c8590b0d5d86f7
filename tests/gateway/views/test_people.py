"""Members: the list with the matrix, one person's access, and changing roles."""

import pytest

from audit.models import Event
from tenants.models import Membership, User
from tests.gateway.call_records import PASSWORD, World
from tests.gateway.views.reading import body, signed_in, text

pytestmark = pytest.mark.usefixtures("db")


@pytest.fixture
def admin(world):
    return signed_in(world.person("admin"))


def role_of(world, role):
    return world.person(role).memberships.get()


def test_the_list_shows_people_roles_and_the_matrix(world, client, admin):
    auditor = role_of(world, "auditor")
    told = text(client.get("/members"))
    assert auditor.user.email in told
    assert "virtual_key.issue yes yes no no yes no no no" in told
    assert f"/memberships/{auditor.id}/revoke" in body(admin.get("/members"))
    assert f"/memberships/{auditor.id}/revoke" not in body(client.get("/members"))
    assert auditor.user.email in text(admin.get("/members", {"q": auditor.user.email}))
    assert "Nobody of that e-mail" in text(admin.get("/members?q=nobody-like-it"))


def test_the_effective_access_says_which_role_gives_it(world, client):
    person = world.person("analyst", "key_manager")
    told = text(client.get(f"/members/{person.id}"))
    assert "virtual_key.issue key manager" in told
    assert "tenant.read analyst, key manager" in told
    assert "membership.grant " not in told


def test_a_person_is_added_with_a_first_role(world, admin, unique):
    email = f"{unique('Eve')}@Example.org"
    given = {
        "tenant": world.tenant.id,
        "email": email,
        "name": "Eve",
        "password": PASSWORD,
        "role": "analyst",
    }
    short = admin.post("/members/new", given | {"password": "short"})
    assert short.status_code == 422
    assert "at least 12" in text(short)
    answer = admin.post("/members/new", given)
    eve = User.objects.get(email=email.lower())
    assert answer["Location"] == f"/members/{eve.id}"
    assert eve.memberships.get().role == "analyst"
    assert "exists" in text(admin.post("/members/new", given))
    owner = admin.post("/members/new", given | {"email": f"x{email}", "role": "owner"})
    assert owner.status_code == 403
    assert not User.objects.filter(email=f"x{email}".lower()).exists()


def test_a_role_is_granted_and_taken(world, admin):
    person = world.person("analyst")
    given = {"tenant": world.tenant.id, "email": person.email.upper(), "role": "auditor"}
    assert admin.post("/members/grant", given)["Location"] == f"/members/{person.id}"
    again = admin.post("/members/grant", given)
    assert "already exists" in text(again)
    unknown = admin.post("/members/grant", given | {"email": "nobody@example.org"})
    assert "add the person first" in text(unknown)
    membership = person.memberships.get(role="auditor")
    path = f"/memberships/{membership.id}/revoke"
    asked = text(admin.get(path))
    assert "event.read" in asked
    assert "tenant.read" not in asked  # the other role keeps it
    assert admin.post(path, {"reason": "moved on"}).status_code == 302
    assert not Membership.objects.filter(id=membership.id).exists()


def test_a_person_is_removed_from_a_tenant(unique, world, admin):
    person, elsewhere = world.person("analyst", "auditor"), World(unique)
    Membership.objects.create(user=person, tenant=elsewhere.tenant, role="owner")
    path = f"/members/{person.id}/tenants/{world.tenant.id}/remove"
    assert path in body(admin.get(f"/members/{person.id}"))
    assert "until now: analyst, auditor" in text(admin.get(path))
    answer = admin.post(path, {"reason": "left the company"}, follow=True)
    assert f"{person.email} is no longer a member of {world.tenant.name}." in text(answer)
    assert [each.tenant for each in person.memberships.all()] == [elsewhere.tenant]
    events = Event.objects.filter(tenant_id=world.tenant.id, action="membership.revoke")
    assert [event.reason for event in events] == ["left the company"] * 2
    assert admin.get(path).status_code == 404


def test_the_last_owner_is_not_removed_nor_any_other_role_of_theirs(world, admin):
    owner = world.person("owner", "auditor")
    path = f"/members/{owner.id}/tenants/{world.tenant.id}/remove"
    answer = signed_in(owner).post(path, {"reason": "x"})
    assert answer.status_code == 422
    assert "the last owner of a tenant cannot be removed" in text(answer)
    assert owner.memberships.count() == 2
    assert admin.get(path).status_code == 403
    assert "only an owner removes an owner" in body(admin.get(f"/members/{owner.id}"))


def test_the_last_owner_stays(world):
    owner = role_of(world, "owner")
    browser = signed_in(owner.user)
    answer = browser.post(f"/memberships/{owner.id}/revoke", {"reason": "x"})
    assert answer.status_code == 422
    assert "the last owner of a tenant" in text(answer)
    assert Membership.objects.filter(id=owner.id).exists()


def test_only_an_owner_takes_an_owners_role(world, admin):
    role_of(world, "owner")
    second = role_of(world, "owner")
    assert "Only an owner takes this role" in body(admin.get("/members"))
    assert admin.post(f"/memberships/{second.id}/revoke", {"reason": "x"}).status_code == 403


def test_s2_strangers_are_not_there(unique, world, admin):
    foreign = role_of(World(unique), "analyst")
    assert admin.get(f"/members/{foreign.user_id}").status_code == 404
    assert admin.get(f"/memberships/{foreign.id}/revoke").status_code == 404
    assert foreign.user.email not in text(admin.get("/members"))
    given = {"tenant": foreign.tenant_id, "email": foreign.user.email, "role": "auditor"}
    assert admin.post("/members/grant", given).status_code == 422
