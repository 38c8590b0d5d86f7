"""The file as a whole: read with every fault at its place, names that lead nowhere among them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.declaration import models, policies, providers, services, tenants
from gateway.declaration.apps import note_twice
from gateway.declaration.faults import DeclarationError, Fault, fault
from gateway.declaration.models import ModelEntry
from gateway.declaration.policies import PolicyEntry
from gateway.declaration.providers import ProviderEntry
from gateway.declaration.services import ServiceEntry
from gateway.declaration.tenants import TenantEntry
from gateway.declaration.values import MOST, Named
from policies.pdp import fields
from policies.pdp.fields import Fields
from policies.pdp.nodes import Node
from policies.pdp.problem import PolicyError, Problem, closest
from policies.pdp.yaml_text import read_yaml

VERSION = 1
BYTES_MAX = 4 * 1024 * 1024
NODES_MAX = 500_000
KEYS = ("version", "providers", "models", "services", "platform", "tenants", "policies")


@dataclass(frozen=True, slots=True)
class Names:
    """What exists beside the file, so that the file may name it."""

    providers: frozenset[str] = frozenset()
    models: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    services: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Declaration:
    """A whole file, checked."""

    providers: tuple[ProviderEntry, ...]
    models: tuple[ModelEntry, ...]
    platform_policies: tuple[Named, ...] | None
    tenants: tuple[TenantEntry, ...]
    policies: tuple[PolicyEntry, ...]
    services: tuple[ServiceEntry, ...]


def read(path: Path, environ: Mapping[str, str], beside: Names) -> Declaration:
    """Read a file; raise DeclarationError with all its faults, OSError where it cannot be read."""
    raw = path.read_bytes()
    faults: list[Fault] = []
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise DeclarationError([fault(str(path), (1, 1), "the file is not UTF-8 text")]) from None
    try:
        root = read_yaml(text, bytes_max=BYTES_MAX, nodes_max=NODES_MAX)
        declaration = _read(root, path, environ, faults)
        _check_names(declaration, beside, known_policies=not faults)
    except PolicyError as error:
        faults[:0] = [Fault(str(path), problem) for problem in error.problems]
        raise DeclarationError(faults) from None
    if faults:
        raise DeclarationError(faults)
    return declaration


def _read(root: Node, path: Path, environ: Mapping[str, str], faults: list[Fault]) -> Declaration:
    keys = Fields(root, "the file", KEYS)
    keys.required("version", fields.whole(VERSION, VERSION), VERSION)
    read_policy = policies.reader(path.parent, str(path), faults)
    nothing: tuple[PolicyEntry | None, ...] = ()
    read_policies = keys.optional("policies", fields.listing(read_policy, MOST), nothing)
    declaration = Declaration(
        providers=keys.optional("providers", fields.listing(providers.reader(environ), MOST), ()),
        models=keys.optional("models", fields.listing(models.read, MOST), ()),
        platform_policies=keys.optional("platform", _read_platform, None),
        tenants=keys.optional("tenants", fields.listing(tenants.reader(environ), MOST), ()),
        policies=tuple(entry for entry in read_policies if entry is not None),
        services=keys.optional("services", fields.listing(services.reader(environ), MOST), ()),
    )
    note_twice(keys, [one.name for one in declaration.providers], "provider")
    note_twice(keys, [one.name for one in declaration.models], "model")
    note_twice(keys, [one.name for one in declaration.services], "service")
    note_twice(keys, [one.name for one in declaration.tenants], "tenant")
    note_twice(keys, [Named(one.name, one.spot.at) for one in declaration.policies], "policy")
    keys.finish()
    return declaration


def _read_platform(node: Node) -> tuple[Named, ...] | None:
    keys = Fields(node, "platform", ("policies",))
    nothing: tuple[Named, ...] = ()
    names = keys.optional("policies", policies.read_names, nothing)
    keys.finish()
    return names


def _check_names(declaration: Declaration, beside: Names, *, known_policies: bool) -> None:
    """Raise PolicyError for the names that nothing has.

    Where a policy could not be read its name is not known either: policies are not judged then.
    """
    provider_names = {one.name.text for one in declaration.providers} | beside.providers
    model_names = {one.name.text for one in declaration.models} | beside.models
    service_names = {one.name.text for one in declaration.services} | beside.services
    policy_names = {one.name for one in declaration.policies} | beside.policies
    apps = [app for tenant in declaration.tenants for app in tenant.apps]
    served = [one.provider for model in declaration.models for one in model.deployments]
    fallbacks = [name for model in declaration.models for name in model.plan.fallbacks]
    defaults = [name for tenant in declaration.tenants for name in tenant.default_models()]
    held = [*(declaration.platform_policies or ())]
    held += [name for tenant in declaration.tenants for name in tenant.policies]
    held += [name for app in apps for name in app.policies]
    problems = [
        *_dangling(served, provider_names, "provider"),
        *_dangling([name for app in apps for name in app.models], model_names, "model"),
        *_dangling(defaults, model_names, "model"),
        *_dangling(fallbacks, model_names, "model"),
        *_dangling([name for app in apps for name in app.services], service_names, "service"),
        *_dangling(held if known_policies else (), policy_names, "policy"),
    ]
    if problems:
        raise PolicyError(problems)


def _dangling(names: Iterable[Named], known: set[str], what: str) -> Iterable[Problem]:
    for name in names:
        if name.text not in known:
            message = f'there is no {what} "{name.text}"'
            yield Problem(*name.at, message, closest(name.text, known))
