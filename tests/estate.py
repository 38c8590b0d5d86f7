"""What a test needs to make a call: provider, model, tenant, app, policy, budget, limits, key.

Made through the same services as in production, published, under names that no other test has.
"""

import secrets
from dataclasses import dataclass

from django.conf import settings

from audit.actor import Actor
from gateway import bundle, envelope
from gateway.models import Provider
from gateway.publish import publish
from gateway.services.prices import price_set
from gateway.services.providers import credential_set, provider_create
from gateway.services.routes import deployment_create, route_create
from policies.services.attachments import policy_attach
from policies.services.policies import policy_create, policy_publish
from tenants.models import App, Tenant, VirtualKey
from tenants.services.apps import app_create
from tenants.services.budgets import budget_create
from tenants.services.keys import virtual_key_issue
from tenants.services.limits import rate_limit_create
from tenants.services.tenants import tenant_create

ACTOR = Actor(kind="command", id="tests", name="tests")
OPEN = "policy: {name}\ndefault: permit\nrules: []\n"


@dataclass(frozen=True, slots=True)
class Estate:
    """One tenant with one app and its key."""

    tenant: Tenant
    app: App
    key: VirtualKey
    secret: str
    model: str

    def publish(self):
        """Compile what was changed, as the worker of the control plane does."""
        return publish(self.tenant.id)


def name(stem):
    """Return a name that no other test has."""
    return f"{stem}-{secrets.token_hex(4)}"


def pepper():
    return envelope.key_pepper(settings.GATEHOUSE.kek)


def provider(base_url, secret="sk-upstream-canary", dialect="openai"):
    """Make a provider at a local address, with a credential."""
    made = provider_create(
        actor=ACTOR, name=name("mock"), dialect=dialect, base_url=base_url, allow_private=True
    )
    if secret:
        credential_set(actor=ACTOR, provider=made, secret=secret)
    return made


def simulated():
    """Return the built-in provider."""
    found = Provider.objects.filter(dialect="simulated").first()
    return found or provider_create(actor=ACTOR, name=name("simulated"), dialect="simulated")


def route(*deployments, price=("USD", "1", "2"), max_output=4096, default_output=256, **plan):
    """Make a public model served by (provider, upstream model[, priority]) in that order.

    `price` is a currency, units per million tokens in and out, and micros for each request; `plan`
    are the other fields of a route: its strategy, retries, fallbacks ...
    """
    made = route_create(
        actor=ACTOR,
        name=name("model"),
        max_output_tokens=max_output,
        default_max_output_tokens=default_output,
        **plan,
    )
    for place, (at, model, *rest) in enumerate(deployments):
        deployment_create(
            actor=ACTOR,
            route=made,
            provider=at,
            model=model,
            priority=rest[0] if rest else place,
        )
    if price is not None:
        currency, input_text, output_text, *micros = price
        set_price(made, currency, input_text, output_text, *micros)
    return made


def set_price(of, currency, input_per_million, output_per_million, request_micros=0):
    """Give a route or deployment a price from long ago on."""
    price_set(
        actor=ACTOR,
        of=of,
        price=bundle.Price(
            currency=currency,
            input_pico=int(float(input_per_million) * 1_000_000),
            output_pico=int(float(output_per_million) * 1_000_000),
            cached_input_pico=None,
            request_pico=request_micros * 1_000_000,
            effective_from=1_700_000_000,
        ),
    )


def estate(
    *routes,
    policy=OPEN,
    budgets=(),
    limits=(),
    tags=(),
    countries=(),
    regions=(),
    entities=(),
    cache=False,
    detectors=(),
):
    """Make a tenant whose app may call these routes, under one policy, and publish it.

    With `cache`, the app takes kept answers. `budgets` and `limits` are keyword arguments of their
    services, without actor, tenant and name.
    """
    tenant = tenant_create(
        actor=ACTOR,
        name=name("tenant"),
        tags=list(tags),
        pii_countries=list(countries),
        pii_phone_regions=list(regions),
        pii_entities=list(entities),
        detectors=list(detectors),
    )
    app = app_create(
        actor=ACTOR,
        tenant=tenant,
        name=name("app"),
        models=[made.name for made in routes],
        cache=cache,
    )
    if policy is not None:
        attach(policy, tenant=tenant)
    for number, terms in enumerate(budgets):
        wanted = {"currency": "USD", "window": "month", "mode": "hard", **terms}
        budget_create(
            actor=ACTOR, tenant=tenant, name=wanted.pop("name", f"budget-{number}"), **wanted
        )
    for number, terms in enumerate(limits):
        wanted = dict(terms)
        rate_limit_create(
            actor=ACTOR, tenant=tenant, name=wanted.pop("name", f"limit-{number}"), **wanted
        )
    key, issued = virtual_key_issue(actor=ACTOR, app=app, name="tests", pepper=pepper())
    made = Estate(tenant, app, key, issued.secret, routes[0].name if routes else "")
    assert made.publish(), Tenant.objects.get(pk=tenant.pk).publish_error
    return made


def attach(source, *, tenant, app=None):
    """Publish a policy (its name in place of {name}) and attach it, never to the whole platform.

    What holds there would judge the calls of every later test.
    """
    policy = policy_create(actor=ACTOR, name=name("policy"))
    policy_publish(actor=ACTOR, policy=policy, source=source.replace("{name}", policy.name))
    policy_attach(actor=ACTOR, policy=policy, tenant=tenant, app=app)
    return policy
