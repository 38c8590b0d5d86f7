"""The transformations that hold for one app, compiled once for each revision of its tenant."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from gateway.bundle import App, Bundle, BundleError
from gateway.transformation.document import Transformation
from gateway.transformation.fault import UnfitTransformation
from gateway.transformation.reading import of_canonical


@dataclass(frozen=True, slots=True)
class Shapes:
    """An app's own transformation, those of the tenant's models, and the model that is asked for
    where a call names none."""

    app: Transformation
    routes: Mapping[str, Transformation]
    default_model: str


def of_routes(bundle: Bundle) -> dict[str, Transformation]:
    """Return the transformations of a tenant's models, by name; BundleError for no good one."""
    return {
        name: _compiled(route.transformation, of_route=True)
        for name, route in bundle.routes.items()
        if route.transformation
    }


def of_app(bundle: Bundle, app: App, routes: Mapping[str, Transformation]) -> Shapes | None:
    """Return what holds for an app; None where nothing does, as for most."""
    default_model = bundle.tier_models.get(app.tier) or bundle.default_model
    if not (app.transformation or routes or default_model):
        return None
    return Shapes(_compiled(app.transformation, of_route=False), routes, default_model)


@lru_cache(maxsize=512)
def _compiled(text: str, *, of_route: bool) -> Transformation:
    """Compile a canonical text; a new revision of a tenant compiles only what is new in it."""
    try:
        return of_canonical(text, of_route=of_route)
    except UnfitTransformation as error:
        raise BundleError(f"a transformation cannot be used: {error}") from error
