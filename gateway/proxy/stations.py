"""What one worker knows of each deployment: what is in flight, how fast it is, how well it is."""

from collections.abc import Callable, Mapping, Sequence

from gateway.bundle import Deployment
from gateway.proxy import metrics
from gateway.proxy.errors import Refusal, Unavailable, UpstreamLimited
from gateway.proxy.gate import Gate
from gateway.proxy.keyring import Keyring, Secret
from gateway.routing import circuit
from gateway.routing.again import Allowance, earned, spent
from gateway.routing.order import smoothed
from gateway.routing.quota import exhausted_s

MOST_STATIONS = 4096
ALIVE = frozenset({"upstream_rejected", "upstream_rate_limited"})
FAILING = frozenset({"upstream_error", "upstream_timeout"})
STATES = ("closed", "half_open", "open")


class Station:
    """One deployment as this worker knows it. `gate` is shared by all of its provider's."""

    __slots__ = (
        "allowance",
        "circuit",
        "gate",
        "id",
        "in_flight",
        "is_shared",
        "latency_s",
        "model",
        "provider",
    )

    def __init__(self, deployment: Deployment, gate: Gate) -> None:
        self.id = deployment.id
        self.provider = deployment.provider
        self.model = deployment.model
        self.gate = gate
        self.circuit = circuit.CLOSED
        self.allowance = Allowance()
        self.in_flight = 0
        self.latency_s: float | None = None
        self.is_shared = False

    def began(self, now_s: float) -> None:
        """Note that an attempt is sent."""
        self.in_flight += 1
        if self.circuit.trips:
            self.circuit = circuit.began(self.circuit, now_s)
        self.allowance = earned(self.allowance)

    def answered(self, latency_s: float) -> None:
        """Note how long it took until an answer began."""
        self.latency_s = smoothed(self.latency_s, latency_s)

    def take_retry(self) -> bool:
        """Take one retry or hedge out of what they may add; False where that is used up."""
        left = spent(self.allowance)
        if left is None:
            return False
        self.allowance = left
        return True


class Stations:
    """The deployments that one worker has met. `changed` hears of circuits that open or close."""

    def __init__(
        self, clock: Callable[[], float], keyring: Keyring, make_gate: Callable[[], Gate]
    ) -> None:
        self._clock = clock
        self._make_gate = make_gate
        self._gates: dict[str, Gate] = {}
        self._stations: dict[str, Station] = {}
        self.keyring = keyring
        self.changed: Callable[[Station], None] = _nobody

    def of(self, deployment: Deployment) -> Station:
        """Return what is known of a deployment."""
        return self._stations.get(deployment.id) or self._met(deployment)

    def now_s(self) -> float:
        """Return the instant by which circuits open and close."""
        return self._clock()

    def known(self) -> Sequence[Station]:
        """Return every deployment that was met."""
        return tuple(self._stations.values())

    def refusal(self, deployment: Deployment, secrets: Sequence[Secret]) -> Refusal | None:
        """Return why a deployment is left alone now; None where it may be tried."""
        station = self.of(deployment)
        if station.circuit.trips and not circuit.admits(station.circuit, self._clock()):
            return left_alone(deployment, circuit.wait_s(station.circuit, self._clock()))
        return self.keyring.refusal(deployment, secrets)

    def chosen(self, station: Station) -> None:
        """Note that a call is about to be sent: in a half-open circuit it is the only one."""
        if station.circuit.trips:
            station.circuit = circuit.chosen(station.circuit, self._clock())

    def began(self, deployment: Deployment) -> None:
        """Note that an attempt is sent."""
        self.of(deployment).began(self._clock())

    def answered(
        self, deployment: Deployment, secret: Secret, headers: Mapping[str, str], latency_s: float
    ) -> None:
        """Note that an answer began, how long that took, and what is left of the limits there."""
        self.of(deployment).answered(latency_s)
        wait_s = exhausted_s(headers, self._clock())
        if wait_s > 0:
            self.keyring.limited(deployment, secret, wait_s)

    def ended(
        self, deployment: Deployment, secret: Secret, failure: Refusal | None, *, learned: bool
    ) -> None:
        """Note how an attempt ended; `learned` is false where that says nothing of the provider."""
        station = self.of(deployment)
        station.in_flight -= 1
        if not learned:
            station.circuit = circuit.abandoned(station.circuit)
        elif failure is None or failure.code not in FAILING:
            self._answered(station, deployment, secret, failure)
        else:
            before = station.circuit
            station.circuit = circuit.failed(before, self._clock())
            if station.circuit.until_s > before.until_s:
                metrics.CIRCUIT_OPENED.labels(station.provider, station.model).inc()
                self._tell(station)

    def adopt(self, station: Station, until_s: float) -> None:
        """Take over that another worker leaves a deployment alone until an instant."""
        station.circuit = circuit.adopted(station.circuit, until_s, self._clock())
        station.is_shared = True
        self._show(station)

    def close(self, station: Station) -> None:
        """Take over that another worker, or a health check, found a deployment well."""
        station.circuit = circuit.CLOSED
        station.is_shared = False
        self._show(station)

    def _answered(
        self, station: Station, deployment: Deployment, secret: Secret, failure: Refusal | None
    ) -> None:
        if failure is not None and failure.code == "upstream_credential_rejected":
            self.keyring.refused(deployment, secret)
            station.circuit = circuit.abandoned(station.circuit)
            return
        self.keyring.good(deployment, secret)
        if isinstance(failure, UpstreamLimited) and failure.retry_after_s is not None:
            self.keyring.limited(deployment, secret, failure.retry_after_s)
        before = station.circuit
        if before is not circuit.CLOSED:
            station.circuit = circuit.succeeded(before, self._clock())
            if before.trips and not station.circuit.trips:
                self._tell(station)

    def _tell(self, station: Station) -> None:
        self._show(station)
        self.changed(station)

    def _show(self, station: Station) -> None:
        shown = STATES.index(circuit.state(station.circuit, self._clock()))
        metrics.CIRCUIT.labels(station.id, station.provider, station.model).set(shown)

    def _met(self, deployment: Deployment) -> Station:
        gate = self._gates.get(deployment.provider)
        if gate is None:
            gate = self._gates[deployment.provider] = self._make_gate()
        if len(self._stations) >= MOST_STATIONS:
            idle = next((name for name, one in self._stations.items() if not one.in_flight), None)
            if idle is not None:
                del self._stations[idle]
        station = self._stations[deployment.id] = Station(deployment, gate)
        return station


def left_alone(deployment: Deployment, wait_s: float) -> Unavailable:
    """Return the refusal of a call to a deployment that has been failing."""
    return Unavailable(
        "upstream_unavailable",
        f"{deployment.provider} has been failing, and is left alone for a while.",
        "Try again shortly; SDKs do so by themselves.",
        retry_after_s=max(1.0, wait_s),
    )


def _nobody(_: Station) -> None:
    """Nobody wants to know."""
