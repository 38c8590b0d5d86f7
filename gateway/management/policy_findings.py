"""What analysis says of a policy file, as lines for a person and as data."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from policies.pdp.analysis.analyse import analyse_document
from policies.pdp.analysis.diff import Difference, compare_documents
from policies.pdp.analysis.finding import Finding, Report
from policies.pdp.document import Document


@dataclass(frozen=True, slots=True)
class Said:
    """The findings on a file, and what differs from another where one was named."""

    report: Report
    difference: Difference | None

    def lines(self, path: Path) -> Iterable[str]:
        """Yield the findings as compilers print them, then the differences."""
        for finding in self.report.findings:
            yield f"{path}:{finding.line}:{finding.column}: {finding.severity}: {_told(finding)}"
        for sentence in self.difference.words if self.difference else ():
            yield f"{path}: {sentence}"

    def written(self) -> dict[str, object]:
        """Return it as data."""
        difference = self.difference.written() if self.difference else None
        return {"analysis": self.report.written(), "difference": difference}


def say(document: Document, against: Document | None) -> Said:
    """Analyse a document, and compare it with an earlier text of it."""
    difference = compare_documents(against, document) if against is not None else None
    return Said(analyse_document(document), difference)


def _told(finding: Finding) -> str:
    shows = f"for example: {finding.witness.words}" if finding.witness else finding.reason
    return f"{finding.words} [{finding.kind}]" + (f" ({shows})" if shows else "")
