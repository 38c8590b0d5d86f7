"""Names in texts, as the models find them, and as they found them before.

What a model found in a text is kept under the text's digest, which is keyed for its tenant, and the
version of the models: clients send their history with each turn, and nothing of it is read twice.
"""

from collections.abc import Sequence
from functools import partial
from typing import Final

from gateway.proxy import metrics
from gateway.proxy.apart import apart
from gateway.proxy.ner import Client, NotRead
from policies.detectors import ner
from policies.detectors.finding import Leaf, Scan
from policies.detectors.ner import Question
from policies.detectors.scanner import MAX_TEXT
from policies.detectors.verdicts import TEXTS, Memory, Verdict
from policies.pdp.request import NER

FAILED: Final = Scan((), frozenset({NER}))


class Names:
    """The names that one worker knows of, for all tenants."""

    def __init__(self, client: Client, most: int = TEXTS) -> None:
        self._client = client
        self._memory: Memory[tuple[str, str]] = Memory(most)

    @property
    def version(self) -> str:
        """The version of the models, as they said last; empty before they ever did."""
        return self._client.version

    async def find(
        self, leaves: Sequence[Leaf], digests: Sequence[str], kinds: frozenset[str]
    ) -> Scan:
        """Return the names of these kinds in all leaves; the detector has failed where the models
        did not read one in time."""
        if sum(len(leaf.text) for leaf in leaves) > MAX_TEXT:
            return _refused(ner.too_large(len(leaves) - 1))
        version = self._client.version
        verdicts = [self._memory.known((digest, version)) for digest in digests]
        unread = [index for index, verdict in enumerate(verdicts) if verdict is None]
        try:
            questions = await self._questions([leaves[index] for index in unread])
            read = await self._read(questions, [digests[index] for index in unread])
        except ner.TooLargeError as error:
            return _refused(ner.too_large(unread[error.leaf]))
        except NotRead as why:
            metrics.NER.labels(why.reason).inc()
            return FAILED
        for index, verdict in zip(unread, read, strict=True):
            verdicts[index] = verdict
        found = [
            finding._replace(leaf=index)
            for index, verdict in enumerate(verdicts)
            for finding in verdict or ()
            if finding.kind in kinds
        ]
        return Scan(tuple(found), frozenset())

    async def _questions(self, leaves: Sequence[Leaf]) -> list[Question]:
        """Return what to ask of each. Raises TooLargeError."""
        size = sum(len(leaf.text) for leaf in leaves)
        return await apart(size, partial(ner.questions, leaves, self._client.text_max))

    async def _read(self, questions: Sequence[Question], digests: Sequence[str]) -> list[Verdict]:
        """Ask the models, and keep what they say. Raises NotRead."""
        if not questions:
            metrics.NER.labels("known").inc()
            return []
        texts = [text for asked in questions for text in asked.texts]
        told = await self._client.ask(texts)
        try:
            found = partial(ner.all_findings, questions, told.spans)
            verdicts = await apart(sum(map(len, texts)), found)
        except ValueError:
            raise NotRead("failed") from None
        for digest, verdict in zip(digests, verdicts, strict=True):
            self._memory.keep((digest, told.version), verdict)
        metrics.NER.labels("read").inc()
        return verdicts


def _refused(scan: Scan) -> Scan:
    metrics.NER.labels("too_large").inc()
    return scan
