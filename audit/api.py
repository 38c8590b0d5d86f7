"""Events of the management API: every change of the control plane, newest first."""

from django.db.models import QuerySet
from rest_framework import serializers

from audit.models import Event
from audit.rest.access import Access
from audit.rest.filters import Filters, Since, Uuid, Word
from audit.rest.resource import NUMBER_PATTERN
from audit.rest.stored import StoredResource
from audit.selectors import events_visible


class EventShown(serializers.ModelSerializer[Event]):
    """A change: who did what to what, from where, why, and what it was before and after."""

    class Meta:
        model = Event
        fields = (
            "id",
            "at",
            "tenant_id",
            "tenant",
            "actor_kind",
            "actor",
            "source",
            "action",
            "object_kind",
            "object_id",
            "object_name",
            "before",
            "after",
            "reason",
        )
        read_only_fields = fields


class EventFilters(Filters):
    """Events by what was done, to what, by whom and when."""

    tenant = Uuid(field_name="tenant_id")
    action = Word()
    actor = Word()
    object_kind = Word()
    object_id = Word()
    since = Since(field_name="at", lookup_expr="gte")
    until = Since(field_name="at", lookup_expr="lt")


class Events(StoredResource):
    """Events of changes."""

    model = Event
    serializer_class = EventShown
    filterset_class = EventFilters
    lookup_value_regex = NUMBER_PATTERN
    order = ("-id",)
    access = {
        "list": Access("event.read", "events:read"),
        "retrieve": Access("event.read", "events:read"),
    }

    def visible(self) -> QuerySet[Event]:
        """Return the events that the actor may read."""
        return events_visible(self.actor)
