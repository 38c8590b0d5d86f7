"""Members of the management API: who has which role in a tenant."""

from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from audit.rest.access import Access
from audit.rest.fields import Change, Choice, Identity, Text
from audit.rest.filters import Word, one_of
from audit.rest.resource import NUMBER_PATTERN
from tenants.api.belonging import OfTenant, TenantFilters
from tenants.models import Membership, Role, User
from tenants.selectors import members_visible
from tenants.services.people import membership_grant, membership_revoke


class MemberShown(serializers.ModelSerializer[Membership]):
    """A person's role in a tenant."""

    email = serializers.EmailField(source="user.email", read_only=True)
    name = serializers.CharField(source="user.name", read_only=True)
    is_active = serializers.BooleanField(source="user.is_active", read_only=True)

    class Meta:
        model = Membership
        fields = ("id", "tenant", "email", "name", "is_active", "role", "created_at")
        read_only_fields = fields


class MemberCreate(Change):
    """A role for a person who may sign in already."""

    tenant = Identity()
    email = Text(max_length=254)
    role = Choice(Role.choices)


class MemberFilters(TenantFilters):
    """Members by tenant, role and e-mail."""

    role = one_of(Role.choices)
    email = Word(field_name="user__email", lookup_expr="iexact")


class Members(OfTenant):
    """Roles of people; one person may have several in a tenant."""

    model = Membership
    serializer_class = MemberShown
    filterset_class = MemberFilters
    lookup_value_regex = NUMBER_PATTERN
    bodies = {"create": MemberCreate}
    access = {
        "list": Access("membership.read", "members:read"),
        "retrieve": Access("membership.read", "members:read"),
        "create": Access("membership.grant", "members:write"),
        "destroy": Access("membership.revoke", "members:write"),
    }

    def visible(self) -> QuerySet[Membership]:
        """Return who has which role, as far as the actor may read it."""
        return members_visible(self.actor)

    def create(self, _request: Request) -> Response:
        """Give a person a role in a tenant; only an owner makes owners."""
        given = self.given()
        tenant = self.tenant(given.pop("tenant"))
        self.check_object_permissions(self.request, tenant)
        user = User.objects.filter(email__iexact=given.pop("email"), is_active=True).first()
        if user is None:
            raise ValidationError({"email": "nobody with this e-mail may sign in"})
        return self.made(membership_grant(actor=self.actor, tenant=tenant, user=user, **given))

    def destroy(self, _request: Request, **_: str) -> Response:
        """Take a role from a person; the last owner of a tenant keeps it."""
        with self.matching(required=False) as membership:
            membership_revoke(actor=self.actor, membership=membership, reason=self.why())
        return self.gone()
