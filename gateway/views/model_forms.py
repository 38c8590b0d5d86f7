"""The forms of models, their deployments and their prices."""

from django import forms
from django.contrib.postgres.forms import SimpleArrayField

from gateway.fields import SecondsField
from gateway.models import Provider, Route
from gateway.pages import ReasonForm

TIMEOUTS = ("connect_s", "first_byte_s", "idle_s", "total_s")


class CapsForm(ReasonForm):
    """How many tokens may be asked for."""

    max_output_tokens = forms.IntegerField(min_value=1, max_value=2**31 - 1, initial=16384)
    default_max_output_tokens = forms.IntegerField(
        min_value=1,
        max_value=2**31 - 1,
        initial=2048,
        help_text="Sent where a call asks for no cap: it bounds what the call may cost.",
    )
    field_order = ("name", "max_output_tokens", "default_max_output_tokens", "reason")


class PlanForm(ReasonForm):
    """How deployments are chosen, and what is done where they fail."""

    strategy = forms.ChoiceField(
        choices=(
            (Route.Strategy.WEIGHTED, "by weight"),
            (Route.Strategy.LEAST_BUSY, "the least busy"),
            (Route.Strategy.LATENCY, "the fastest"),
            (Route.Strategy.COST, "the cheapest"),
        ),
        label="Among those of equal priority",
    )
    sticky = forms.BooleanField(
        label="A user keeps to one deployment",
        required=False,
        help_text="For caches at the provider.",
    )
    regional = forms.BooleanField(
        label="The tag “region” binds",
        required=False,
        help_text="A call that declares it is served there or not at all.",
    )
    drop_unsupported = forms.BooleanField(
        label="Leave out what a provider cannot honour",
        required=False,
        help_text="Such fields are named in the answer; else they are refused.",
    )
    retries = forms.IntegerField(
        min_value=0, max_value=5, help_text="After all deployments failed at no cost."
    )
    hedge_after_ms = forms.IntegerField(
        min_value=0,
        max_value=60_000,
        label="Second attempt after, ms",
        help_text="Sent beside a first one that is silent; both may be charged. 0: never.",
    )
    context_tokens = forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        label="Context, tokens",
        help_text="No call that is larger falls back to this model. 0: not known.",
    )
    fallbacks = SimpleArrayField(
        forms.CharField(max_length=120),
        required=False,
        max_length=5,
        help_text="Models that stand in, with commas between them; only for apps that may call "
        "them.",
    )


class NewModelForm(CapsForm):
    """A new public model name."""

    name = forms.CharField(max_length=120, help_text="What apps ask for.")


class DeployForm(ReasonForm):
    """A provider's model that serves a public name."""

    provider = forms.ModelChoiceField(Provider.objects.order_by("name"), empty_label=None)
    model = forms.CharField(max_length=200, label="Model there")
    region = forms.CharField(max_length=63, required=False)
    priority = forms.IntegerField(
        min_value=0, max_value=1000, initial=0, help_text="0 is tried first."
    )
    weight = forms.IntegerField(
        min_value=1, max_value=1000, initial=1, help_text="Among those of equal priority."
    )
    field_order = ("provider", "model", "region", "priority", "weight", "reason")


class RankForm(ReasonForm):
    """When a deployment is tried, and how long it may take."""

    priority = forms.IntegerField(min_value=0, max_value=1000, help_text="0 is tried first.")
    weight = forms.IntegerField(
        min_value=1, max_value=1000, help_text="Among those of equal priority."
    )
    connect_s = SecondsField(label="Seconds to connect", help_text="0: as long as everybody has.")
    first_byte_s = SecondsField(label="Seconds to the first byte")
    idle_s = SecondsField(label="Seconds between two chunks")
    total_s = SecondsField(label="Seconds in all")
    field_order = ("priority", "weight", *TIMEOUTS, "reason")
