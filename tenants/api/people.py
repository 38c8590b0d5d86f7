"""People of the management API: who may sign in, what they may do where, and the end of it."""

from typing import Any

from django.db.models import QuerySet
from django_filters import rest_framework as filters
from rest_framework import serializers
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from audit.actor import Actor
from audit.rest.access import Access
from audit.rest.fields import Change
from audit.rest.filters import Filters, Uuid, Word, one_of
from audit.rest.stored import ChangedResource
from tenants.changes import platform_change
from tenants.models import Role, User
from tenants.selectors import access_of, memberships_of, people_visible, people_with
from tenants.services.people import user_remove

Shown = serializers.Serializer[Any]


class RoleShown(Shown):
    """A role that the person has in a tenant; `id` is that of the member."""

    id = serializers.IntegerField()
    tenant = serializers.UUIDField(source="tenant_id")
    role = serializers.ChoiceField(Role.choices)
    created_at = serializers.DateTimeField()


class PersonShown(serializers.ModelSerializer[User]):
    """A person, with their roles in the tenants whose members may be read."""

    is_installation_owner = serializers.BooleanField(source="is_superuser", read_only=True)
    last_sign_in_at = serializers.DateTimeField(
        source="last_login", read_only=True, allow_null=True
    )
    memberships = serializers.SerializerMethodField()

    class Meta:
        model = User
        fields = (
            "id",
            "email",
            "name",
            "is_active",
            "is_installation_owner",
            "memberships",
            "created_at",
            "last_sign_in_at",
        )
        read_only_fields = fields

    def get_memberships(self, person: User) -> RoleShown(many=True):  # type: ignore[valid-type]
        """Return the roles that may be seen."""
        return RoleShown(person.memberships_seen, many=True).data  # type: ignore[attr-defined]


class GrantedShown(Shown):
    """An action, and the roles that give it."""

    action = serializers.CharField()
    roles = serializers.ListField(child=serializers.ChoiceField(Role.choices))


class TenantAccessShown(Shown):
    """What the person may do in one tenant."""

    tenant = serializers.UUIDField()
    name = serializers.CharField()
    actions = GrantedShown(many=True)


class AccessShown(Shown):
    """What the person may do now, as far as it may be seen; somebody deactivated may do nothing.

    `everywhere` is what an owner of the installation may do in every tenant and beside them.
    """

    person = serializers.UUIDField()
    is_active = serializers.BooleanField()
    is_installation_owner = serializers.BooleanField()
    everywhere = serializers.ListField(child=serializers.CharField())
    tenants = TenantAccessShown(many=True)


class PersonFilters(Filters):
    """People by tenant and role there, e-mail and whether they may sign in."""

    tenant = Uuid(method="by_roles")
    role = one_of(Role.choices, method="by_roles")
    email = Word(lookup_expr="iexact")
    is_active = filters.ChoiceFilter(choices=[("true", "yes"), ("false", "no")], method="by_state")

    def by_roles(self, people: QuerySet[User], _name: str, _value: Any) -> QuerySet[User]:
        """Keep those who have such a role, seen by the actor: one membership fits both."""
        asked = self.form.cleaned_data
        actor: Actor = self.request.auth.actor
        return people_with(people, actor, tenant_id=asked["tenant"], role=asked["role"])

    def by_state(self, people: QuerySet[User], _name: str, value: str) -> QuerySet[User]:
        """Keep those who may sign in, or those who may not."""
        return people.filter(is_active=value == "true")


class People(ChangedResource):
    """People who may sign in; somebody of whom no role may be seen is not there."""

    model = User
    serializer_class = PersonShown
    filterset_class = PersonFilters
    volatile = ("last_sign_in_at",)
    bodies = {"deactivate": Change}
    answers = {"access_now": AccessShown}
    access = {
        "list": Access("membership.read", "people:read"),
        "retrieve": Access("membership.read", "people:read"),
        "access_now": Access("membership.read", "people:read"),
        "deactivate": Access("user.remove", "people:write"),
    }

    def visible(self) -> QuerySet[User]:
        """Return the people that the actor may see, with their roles."""
        return people_visible(self.actor)

    def hold(self, row: Any) -> None:
        """Hold everything: a person may have roles in many tenants."""
        platform_change(self.actor, self.access[self.action].action)

    @action(detail=True, methods=["get"], url_path="access")
    def access_now(self, _request: Request, **_: str) -> Response:
        """Tell what a person may do, action by action, and which roles give it."""
        person = self.get_object()
        return Response(AccessShown(access_of(person, memberships_of(self.actor, person))).data)

    @action(detail=True, methods=["post"])
    def deactivate(self, _request: Request, **_: str) -> Response:
        """End a person's sessions and tokens; their events stay, and so do their roles."""
        with self.matching(required=False) as person:
            user_remove(actor=self.actor, user=person, **self.given())
        return self.show(self.get_object())
