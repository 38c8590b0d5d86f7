"""Findings and differences as the management API answers them."""

from typing import Any

from rest_framework import serializers

from policies.pdp.analysis.diff import VERDICTS
from policies.pdp.analysis.finding import KINDS

Shown = serializers.Serializer[Any]


class RuleNamedShown(Shown):
    """A rule where its policy is attached."""

    layer = serializers.CharField()
    policy = serializers.CharField()
    rule = serializers.CharField()


class AnalysisFindingShown(Shown):
    """One thing that is wrong. `witness` are facts that show it, `reason` is what proves it."""

    kind = serializers.ChoiceField(tuple(KINDS))
    severity = serializers.ChoiceField(("warning", "note"))
    words = serializers.CharField()
    rules = RuleNamedShown(many=True)
    line = serializers.IntegerField()
    column = serializers.IntegerField()
    witness = serializers.DictField(allow_null=True)
    reason = serializers.CharField(allow_blank=True)


class ReportShown(Shown):
    """All that is wrong; `undecided` questions had no answer within the bound on work."""

    findings = AnalysisFindingShown(many=True)
    warnings = serializers.IntegerField()
    undecided = serializers.IntegerField()


class RuleChangeShown(Shown):
    """What became of one rule; `witness` is a call on which it is judged otherwise."""

    kind = serializers.ChoiceField(("added", "removed", "changed", "default"))
    rule = RuleNamedShown()
    words = serializers.CharField()
    witness = serializers.DictField(allow_null=True)


class DifferingShown(Shown):
    """A call that is decided otherwise."""

    phase = serializers.CharField()
    direction = serializers.ChoiceField(("tighter", "looser"))
    words = serializers.CharField()
    witness = serializers.DictField()


class DifferenceShown(Shown):
    """What differs from the active version, and whether the whole only tightens."""

    verdict = serializers.ChoiceField(tuple(VERDICTS))
    words = serializers.ListField(child=serializers.CharField())
    changes = RuleChangeShown(many=True)
    examples = DifferingShown(many=True)


class WithinShown(Shown):
    """What is wrong only among the other policies that hold at these places: tenants, and apps.

    `clash` says why the policies there would not fit together, and is empty where they do.
    """

    places = serializers.ListField(child=serializers.CharField())
    findings = AnalysisFindingShown(many=True)
    clash = serializers.CharField(allow_blank=True)


class AnalysisShown(Shown):
    """A text of a policy analysed alone and in each set of policies that it would join, and
    compared with the active version where there is one. Not `is_whole`: sets were left out."""

    report = ReportShown()
    within = WithinShown(many=True)
    is_whole = serializers.BooleanField()
    difference = DifferenceShown(allow_null=True)


class StandingShown(Shown):
    """One rule for one caller, with the condition that is left for it."""

    layer = serializers.CharField()
    policy = serializers.CharField()
    rule = serializers.CharField()
    phase = serializers.CharField()
    mode = serializers.CharField()
    standing = serializers.ChoiceField(("always", "never", "depends", "disabled"))
    when = serializers.CharField()
    effects = serializers.ListField(child=serializers.CharField())
    exemptions = serializers.ListField(child=serializers.CharField())
    words = serializers.CharField()


class CallerPolicyShown(Shown):
    """What the policies of all layers say of one key."""

    hash = serializers.CharField()
    policies = serializers.ListField(child=serializers.CharField())
    closed = serializers.ListField(child=serializers.CharField())
    rules = StandingShown(many=True)
    report = ReportShown()
