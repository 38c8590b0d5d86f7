"""An answer as it comes, judged piece by piece: what nobody may see is taken out before it leaves.

Every rule that judges here is decided by its first finding (`policies.pdp.locality`); the decision
that is recorded is made at the end, over the whole answer, as for one that was not streamed.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

from gateway.exchange import Answer, Body, Case, Judgement, Permitted, Segment, View
from gateway.providers.edits import apply
from gateway.providers.walk import shown
from gateway.providers.withheld.dialects import WITHHELD
from gateway.providers.withheld.inspector import Show
from gateway.proxy import facts, metrics
from gateway.proxy.attempt import MOST_ANSWER_BYTES
from gateway.proxy.directory import Principal
from gateway.proxy.obligations import changes, denied, restored
from gateway.proxy.tool_faults import ToolCheck
from gateway.transformation.answers import EventCutter
from policies.detectors import links, placeholders, taint
from policies.detectors.finding import Finding, Leaf, Scan
from policies.detectors.holding import Change, Manner
from policies.detectors.normalise import RAW
from policies.detectors.scanner import CUSTOM, INLINE_LIMIT, MAX_TEXT, PII, SECRETS
from policies.detectors.taint import UNNAMED
from policies.pdp.decision import Decision, Effect
from policies.pdp.obligations import Redact

_HELD = frozenset({PII, SECRETS, CUSTOM})
_ROLE = "assistant"
_LEAVES = (Leaf("", _ROLE, ""),)
_NOTHING = Answer({}, None, "", (), View(_LEAVES, ((),), ()))
_COUNTED = ("pii", "secret", "custom")


class Judge:
    """Judges one stream as it comes; see `gateway.providers.withheld.inspector.Inspector`.

    What is denied is raised as Forbidden; `decision` and `facts` say why then.
    """

    def __init__(
        self, judgement: Judgement, permitted: Permitted, principal: Principal, case: Case
    ) -> None:
        policy = principal.app.policy
        self._policy = policy
        self._judgement = judgement
        self._values = permitted.placeholders
        self._hash_key = principal.tenant.hash_key
        self._scanner = principal.tenant.scanner
        self._needs = policy.answer_needs & _HELD if policy.holds else frozenset[str]()
        self._named = case.named if policy.holds and policy.signals.hosts else UNNAMED
        self._links = policy.holds and (
            policy.reads_links or policy.redacts_links or bool(self._named.results)
        )
        self._check = ToolCheck(case.call) if policy.holds and policy.signals.faults else None
        self._failed = case.scan.failed & principal.app.judges.recalls
        self._size = 0
        self._found: dict[tuple[str, str, float], Finding] = {}
        self._hosts: set[str] = set()
        self._argued: set[str] = set()
        self._faults: set[str] = set()
        self._tools: list[str] = []
        self.facts: list[Any] | None = None
        self.decision: Decision | None = None
        self.manner = Manner(
            entities=bool(self._needs),
            links=self._links,
            placeholders=bool(self._values),
            reach=self._scanner.reach if CUSTOM in self._needs else 0,
        )

    @property
    def scan(self) -> Scan:
        """What was found so far, and what could not be looked for."""
        return Scan(tuple(self._found.values()), self._failed)

    def begin(self) -> None:
        """Judge what is known before anything is said."""
        self._judge()

    def weigh(self, size: int) -> None:
        """Take in that so much text has come; what is too much to be scanned has not been."""
        self._size += size
        if self._size > MAX_TEXT and self._needs:
            self._fail(self._needs)
            self._needs = frozenset()

    def called(self, name: str) -> None:
        """Take in that a tool is called."""
        self._tools.append(name)
        self._judge()

    def may_find(self, text: str, begin: int) -> bool:
        """Return False only where nothing is found in a text that ends behind `begin`."""
        if self._links or self._values:
            return True
        return bool(self._needs) and self._scanner.may_find(text, begin, self._needs)

    def find(self, text: str) -> list[Finding]:
        """Return what is found in a text of which more may come."""
        return self._look((Leaf(text, _ROLE, ""),))

    def changes(self, text: str, found: Sequence[Finding]) -> list[Change]:
        """Return what becomes of findings that are certain."""
        view = View((Leaf(text, _ROLE, ""),), ((Segment(0, len(text), ()),),), ())
        edits = self._edits(view, found)
        certain = {(one.start, one.end) for one in found if one.category == "placeholder"}
        return [
            (edit.start, edit.end, edit.text)
            for edit in restored(view, edits, self._values)
            if edit in edits or (edit.start, edit.end) in certain
        ]

    def seen(self, body: Body, show: Show) -> Body:
        """Return what may be seen of a part that is whole."""
        view = shown(show, body, viewed=True)
        self._hold_against(body, view)
        edits = restored(view, self._edits(view, self._look(view.leaves)), self._values)
        return apply(body, view, edits) if edits else body

    def _hold_against(self, body: Body, view: View) -> None:
        """Take in what calls of tools in a part say, held against the request."""
        known = len(self._faults), len(self._argued)
        if self._check is not None:
            self._faults |= self._check.faults(body)
        if self._named.results:
            self._argued |= taint.argued(view.leaves)
        if (len(self._faults), len(self._argued)) != known:
            self._judge()

    def _look(self, leaves: Sequence[Leaf]) -> list[Finding]:
        found: list[Finding] = []
        if self._needs and leaves:
            scan = self._scanner.scan(leaves, self._needs)
            found += scan.findings
            if scan.failed:
                self._fail(scan.failed)
        if self._links:
            found += links.findings([leaf.text for leaf in leaves])
        for index, leaf in enumerate(leaves):
            for one in placeholders.find(leaf.text, self._values):
                place = one.start, one.end
                found.append(Finding("PLACEHOLDER", "placeholder", 1.0, index, *place, RAW))
        return found

    def _edits(self, view: View, found: Sequence[Finding]) -> list[Any]:
        """Judge with these findings added, and return what is taken out."""
        self._add(view, found)
        redact = self.decision.demand(Redact) if self.decision is not None else None
        return changes(view, found, self._hash_key, redact, None).edits

    def _add(self, view: View, found: Sequence[Finding]) -> None:
        new = False
        read: dict[int, list[links.Link]] = {}
        for one in found:
            name = one.kind, one.category, one.score
            if one.category in _COUNTED and name not in self._found:
                self._found[name] = one._replace(leaf=0)
                new = True
            elif one.category == "link":
                # Read where it stands: by itself, a link in a tag may lead elsewhere.
                if one.leaf not in read:
                    read[one.leaf] = links.find(view.leaves[one.leaf].text)
                place = one.start, one.end
                hosts = {each.host for each in read[one.leaf] if each[:2] == place and each.host}
                new = new or not self._hosts.issuperset(hosts)
                self._hosts.update(hosts)
        if new:
            self._judge()

    def _fail(self, detectors: frozenset[str]) -> None:
        for detector in detectors:
            metrics.DETECTOR_FAILURES.labels(detector).inc()
        self._failed |= detectors
        self._judge()

    def _judge(self) -> None:
        """Decide on all that is known by now; raise Forbidden where that is enough to deny."""
        if not self._policy.holds:
            return
        answer = _NOTHING._replace(tool_calls=tuple(self._tools))
        self.facts = facts.of_answer(self._judgement, answer, 0, self.scan)
        if self._policy.reads_links:
            facts.add_hosts(self.facts, self._hosts)
        facts.add_tainted(self.facts, self._named, self._hosts | self._argued)
        facts.add_tool_faults(self.facts, self._faults)
        self.decision = self._policy.decide(
            "answer", self.facts, self._failed, self._judgement.at_s
        )
        if self.decision.effect is not Effect.PERMIT:
            raise denied(self.decision)


class Withholder:
    """Lets a stream in the client's dialect go as it becomes certain; what is declared to be taken
    out of events is, after everything else."""

    def __init__(
        self,
        judgement: Judgement,
        permitted: Permitted,
        principal: Principal,
        case: Case,
        *,
        cutter: EventCutter | None = None,
    ) -> None:
        self._judge = Judge(judgement, permitted, principal, case)
        self._stream = WITHHELD[permitted.call.endpoint](self._judge, MOST_ANSWER_BYTES)
        self._begun = False
        self._early = b""
        self._cutter = cutter

    @property
    def decision(self) -> Decision | None:
        """The last decision on what has come so far."""
        return self._judge.decision

    @property
    def facts(self) -> list[Any] | None:
        """The facts of that decision."""
        return self._judge.facts

    @property
    def scan(self) -> Scan:
        """What that decision knew of what was said."""
        return self._judge.scan

    async def feed(self, data: bytes) -> bytes:
        """Return what may leave; raise Forbidden where nothing more may.

        Nothing leaves before the first word: until then a refusal can be one with its own status.
        """
        self._begin()
        if self._is_little(data):
            left = self._stream.feed(data)
        else:
            left = await asyncio.to_thread(self._stream.feed, data)
        if self._early:
            left, self._early = self._early + left, b""
        if not self._stream.spoke:
            self._early = left
            return b""
        return left if self._cutter is None else self._cutter.feed(left)

    async def close(self, data: bytes) -> bytes:
        """Take in the last bytes; return all that is left."""
        self._begin()
        if self._is_little(data):
            left = self._stream.close(data)
        else:
            left = await asyncio.to_thread(self._stream.close, data)
        last = self._early + left
        return last if self._cutter is None else self._cutter.feed(last) + self._cutter.close()

    def _begin(self) -> None:
        if not self._begun:
            self._begun = True
            self._judge.begin()

    def _is_little(self, data: bytes) -> bool:
        """Tell whether so much is looked through at once, and not off the loop that others use."""
        return len(data) + self._stream.held <= INLINE_LIMIT
