"""From the rows of services to what a bundle holds of those that a tenant's apps may call.

Their routes are called as they are addressed, /services/{name}: no public model name begins so.
"""

from collections.abc import Iterable

from gateway import bundle, service_credentials
from gateway.models import Service, ServiceCredential
from gateway.providers.dialects import SERVICE
from gateway.providers.service import operations
from gateway.providers.service.address import PREFIX
from tenants.models import App


def of(apps: Iterable[App]) -> dict[str, bundle.Service]:
    """Return the services that these apps list, by name."""
    names = {name for app in apps for name in app.services}
    rows = Service.objects.filter(name__in=names).select_related("credential").order_by("name")
    return {row.name: _service(row) for row in rows} if names else {}


def _service(row: Service) -> bundle.Service:
    route = bundle.Route(
        name=PREFIX + row.name,
        max_output_tokens=0,
        default_max_output_tokens=0,
        deployments=(_deployment(row),),
        plan=bundle.Plan(retries=row.retries),
    )
    return bundle.Service(
        name=row.name,
        route=route,
        operations=operations.read(row.operations),
        header=row.header,
        scheme=row.scheme,
    )


def _deployment(row: Service) -> bundle.Deployment:
    own = bundle.Timeouts(row.connect_s, row.first_byte_s, row.idle_s, row.total_s)
    return bundle.Deployment(
        id=str(row.id),
        provider=PREFIX + row.name,
        dialect=SERVICE,
        base_url=row.base_url,
        allow_private=row.allow_private,
        model=row.name,
        weight=1,
        priority=0,
        region=row.region,
        prices=_prices(row),
        credential=_sealed(row),
        timeouts=None if own == bundle.Timeouts() else own,
    )


def _prices(row: Service) -> tuple[bundle.Price, ...]:
    """Return the price of a call, whatever is in it."""
    if row.price_pico is None:
        return ()
    return (bundle.Price(row.currency, 0, 0, None, row.price_pico, 0),)


def _sealed(row: Service) -> bundle.SealedCredential | None:
    held: ServiceCredential | None = getattr(row, "credential", None)
    if held is None:
        return None
    name = service_credentials.row_name(held.id, row.id)
    return bundle.SealedCredential(bytes(held.sealed), held.key_id, name)
