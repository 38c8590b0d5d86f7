"""What tests of the life cycle begin with: a tenant, its people, a policy that holds there."""

import secrets

from audit.actor import command
from policies.models import Policy, PolicyVersion
from policies.services.attachments import policy_attach
from policies.services.policies import policy_create, policy_publish
from policies.services.reviews import review_rule_set
from tenants.models import Membership, Role, User
from tenants.selectors import actor_of
from tenants.services.apps import app_create
from tenants.services.tenants import tenant_create

OPERATOR = command("tests")
BODY = """\
default: permit
rules:
  - {id: no-streams, when: call.stream, deny: {message: "No streams."}}
"""
STRICT = BODY + '  - {id: no-tools, when: size(call.tools) > 0, deny: {message: "No tools."}}\n'
LOOSE = "default: permit\nrules: []\n"


def unique(stem):
    return f"{stem}-{secrets.token_hex(4)}"


class House:
    """A tenant with an app, and a policy that is published and holds for it."""

    def __init__(self, body=BODY, *, reviewed=False):
        self.tenant = tenant_create(actor=OPERATOR, name=unique("acme"))
        self.app = app_create(actor=OPERATOR, tenant=self.tenant, name="helpdesk")
        self.policy = policy_create(actor=OPERATOR, name=unique("policy"))
        self.first = policy_publish(actor=OPERATOR, policy=self.policy, source=self.text(body))
        self.held = policy_attach(actor=OPERATOR, policy=self.policy, tenant=self.tenant)
        if reviewed:
            self.rule = review_rule_set(actor=OPERATOR, tenant=self.tenant)

    def text(self, body):
        return f"policy: {self.policy.name}\n{body}"

    def user(self, *roles):
        user = User.objects.create(email=f"{unique('ann')}@example.org", password="!")
        for role in roles:
            Membership.objects.create(user=user, tenant=self.tenant, role=role)
        return user

    def person(self, *roles):
        return actor_of(self.user(*roles))

    def author(self):
        return self.person(Role.POLICY_AUTHOR)

    def approver(self):
        return self.person(Role.APPROVER)

    @property
    def active(self):
        return Policy.objects.select_related("active").get(pk=self.policy.pk).active

    def version(self, number):
        return PolicyVersion.objects.get(policy=self.policy, number=number)
