"""What our own books say of a tenant: records, holds, ledger. At a price of 1 and 2 micros a token
(`PRICE`, in and out) what a provider billed is easily said in micros too."""

from audit.models import Record
from tenants.models import Hold, LedgerPosting
from tests import estate
from tests.stack import eventually

PRICE = ("USD", "1", "2")
HARD = ({"limit_micros": 10_000_000},)


def billed(entry):
    """Return what a line of the mock provider's books cost, in micros."""
    return entry["input"] + 2 * entry["output"]


def posted(house):
    """Return what the ledger has posted to a tenant's budgets, in micros."""
    postings = LedgerPosting.objects.filter(tenant_id=house.tenant.id)
    return sum(posting.delta_micros for posting in postings)


def settled(house):
    """Return whether no attempt of a tenant is open."""
    return not Hold.objects.filter(tenant_id=house.tenant.id, state="open").exists()


def holds(house):
    """Return a tenant's holds, once all are settled, by operation: "<call id>-<attempt>"."""
    eventually(lambda: settled(house))
    found = Hold.objects.filter(tenant_id=house.tenant.id).order_by("created_at", "attempt")
    return {f"{hold.call_id}-{hold.attempt}": hold for hold in found}


def micros(pico):
    """Return pico-units in micros, rounded up as each attempt is."""
    return -(-int(pico) // 1_000_000)


def records(house, kind=None):
    """Return a tenant's records in the order of calls and attempts."""
    found = Record.objects.filter(tenant_id=house.tenant.id)
    if kind is not None:
        found = found.filter(kind=kind)
    return list(found.order_by("call_id", "attempt", "kind"))


def record(house, kind):
    """Return the one record of this kind, as soon as it is there."""
    (found,) = eventually(lambda: records(house, kind))
    return found


def served(*deployments, dialect="openai", secret="sk-upstream-canary", takes_kept=False, **plan):
    """Make a house under a hard budget whose one model has these deployments, first tried first.

    Each is a base URL and the name of the model there; `dialect` and `secret` are those of the
    providers, `plan` is that of the model; with `takes_kept`, the app takes kept answers.
    """
    found = {url: estate.provider(url, secret, dialect) for url, _ in deployments}
    route = estate.route(*((found[url], model) for url, model in deployments), price=PRICE, **plan)
    return estate.estate(route, budgets=list(HARD), cache=takes_kept)


def entries(mock, house):
    """Return the lines of the provider's books that are about a house's calls."""
    ours = holds(house)
    return [entry for entry in mock.books() if entry["request_id"] in ours]
