"""Which operation of which service a caller asks for; what is not offered to it is refused here."""

from gateway.exchange import Asked, Head
from gateway.providers.service import operations
from gateway.proxy.directory import Principal
from gateway.proxy.errors import Forbidden, MethodNotAllowed, NotFound

SHOWN = 10


def resolved(head: Head, principal: Principal) -> Head:
    """Return a head with what its address means, where it is one of a service; raise for what this
    app may not ask."""
    if head.asked is None:
        return head
    asked, app = head.asked, principal.app.app
    service = principal.tenant.bundle.services.get(asked.service)
    if service is None or asked.service not in app.services:
        raise _not_offered(asked, principal)
    found = operations.found(service, asked)
    if found is not None:
        return head._replace(service=found)
    offered = [f"{one.method} {one.path}" for one in service.operations]
    more = ", ..." if len(offered) > SHOWN else ""
    remedy = f"It offers {', '.join(offered[:SHOWN])}{more}."
    methods = operations.methods(service, asked)
    if methods:
        raise MethodNotAllowed(
            "method_not_allowed",
            f"The service {service.name} takes {', '.join(methods)} there, not {asked.method}.",
            remedy,
        )
    raise NotFound("not_found", f"The service {service.name} has no such operation.", remedy)


def _not_offered(asked: Asked, principal: Principal) -> Forbidden | NotFound:
    """Return the refusal: of a service that no app of the tenant may call, nothing is known."""
    apps = principal.tenant.bundle.apps.values()
    if any(asked.service in app.services for app in apps):
        return Forbidden(
            "service_not_allowed",
            f"The app {principal.app.app.name} may not call the service {asked.service}.",
            "Ask for the service to be allowed for this app.",
        )
    return NotFound("not_found", f"There is no service {asked.service} here.")
