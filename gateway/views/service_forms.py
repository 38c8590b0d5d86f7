"""Forms of services: where one is, how our secret is presented there, and what may be asked."""

from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from gateway.fields import FeeField, SecondsField
from gateway.pages import ReasonForm
from gateway.providers.fault import BadSetting
from gateway.providers.service import lines, operations
from gateway.services.providers import SECRET_MAX

LINES = (
    "One a line: a name, a method and a path, as in "
    "“search POST /collections/{collection}/points/search?timeout json idempotent”. A step in "
    "braces takes one value; behind “?” stand the parameters that its query may have. Then: json "
    "where it takes a body; text or nothing where it does not answer with JSON; idempotent where "
    "it may be tried again."
)
TIMEOUTS = ("connect_s", "first_byte_s", "idle_s", "total_s")
FIELDS = (
    *("name", "base_url", "allow_private", "region", "header", "scheme", "operations"),
    *("price_pico", "currency", "retries", *TIMEOUTS),
)


class OperationsField(forms.CharField):
    """Operations, one a line, as their JSON."""

    widget = forms.Textarea({"rows": 8, "spellcheck": "false"})

    def clean(self, value: Any) -> Any:
        """Return the operations of a text."""
        try:
            return operations.written(lines.read(super().clean(value)))
        except BadSetting as fault:
            raise ValidationError(str(fault)) from None


class CallPriceField(FeeField):
    """What a call costs, as pico-units; None where it has no price."""

    def clean(self, value: Any) -> Any:
        """Return the pico-units."""
        pico = super().clean(value)
        return pico if value else None


class ServiceForm(ReasonForm):
    """What can be said of a service besides its name."""

    base_url = forms.CharField(
        label="Base URL",
        max_length=400,
        help_text="Such as https://vectors.example:6333. The paths below stand behind it.",
        widget=forms.TextInput({"inputmode": "url", "autocomplete": "off"}),
    )
    allow_private = forms.BooleanField(
        label="It may be at a private address",
        required=False,
        help_text="For services on your own network. Otherwise private addresses are refused.",
    )
    region = forms.CharField(
        max_length=63, required=False, help_text="Policies that allow regions read it."
    )
    header = forms.CharField(
        max_length=63, initial="authorization", help_text="In which our secret is sent."
    )
    scheme = forms.CharField(
        max_length=63,
        required=False,
        initial="Bearer",
        help_text="The word before the secret; empty: the secret stands alone.",
    )
    operations = OperationsField(help_text=LINES)
    price_pico = CallPriceField(
        label="Price of a call",
        required=False,
        help_text="Such as 0.0002. Without a price a hard budget refuses the service.",
    )
    currency = forms.CharField(max_length=3, required=False, help_text="Such as USD.")
    retries = forms.IntegerField(
        min_value=0, max_value=5, initial=0, help_text="Of what is idempotent, and no other."
    )
    connect_s = SecondsField(label="Seconds to connect")
    first_byte_s = SecondsField(label="Seconds to begin an answer")
    idle_s = SecondsField(label="Seconds between two parts of one")
    total_s = SecondsField(label="Seconds in all", help_text="0: as long as everybody has.")
    field_order = (*FIELDS, "reason")


class NewServiceForm(ServiceForm):
    """A new service."""

    name = forms.CharField(
        max_length=63,
        help_text="1 to 63 of a-z, 0-9, “.”, “_” and “-”. Apps ask at /services/ and this name.",
    )


class SecretForm(ReasonForm):
    """Our secret at a service: it goes in, and never comes out."""

    secret = forms.CharField(
        max_length=SECRET_MAX,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text="Sealed with the master key at once; the one before is destroyed.",
    )
    field_order = ("secret", "reason")
