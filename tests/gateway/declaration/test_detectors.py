"""Detectors of a tenant's own in the file: applied, published, exported, refused at their place."""

import pytest
import yaml

from audit.models import Event
from gateway.bundle import decode
from gateway.declaration.apply import apply_file
from gateway.declaration.export import exported
from gateway.declaration.faults import DeclarationError
from gateway.models import BundleRevision
from policies.detectors.custom import CustomDetector
from tenants.models import Tenant
from tests import estate

pytestmark = pytest.mark.usefixtures("db")

DETECTORS = """\
    detectors:
      - {kind: PROJECT_CODENAME, words: [Bluebird], score: 0.8}
      - kind: CUSTOMER_NUMBER
        patterns: ['CN-[0-9]{8}']
        validator: luhn
"""
POLICY = """\
policies:
  - text: |
      policy: own-X
      default: permit
      rules:
        - id: own
          when: '"PROJECT_CODENAME" in custom.kinds'
          redact: {custom: [CUSTOMER_NUMBER]}
"""


class Site:
    def __init__(self, path, name):
        self.path, self.name = path, name

    def apply(self, detectors=DETECTORS, policy=""):
        text = f"version: 1\ntenants:\n  - name: {self.name}\n{detectors}{policy}"
        self.path.write_text(text.replace("own-X", f"own-{self.name}"))
        return apply_file(self.path, {}, actor=estate.ACTOR).changes

    def refused(self, **options):
        with pytest.raises(DeclarationError) as error:
            self.apply(**options)
        assert not Tenant.objects.filter(name=self.name).exists()
        (fault,) = error.value.faults
        return fault.problem

    @property
    def tenant(self):
        return Tenant.objects.get(name=self.name)


@pytest.fixture
def site(tmp_path, unique):
    return Site(tmp_path / "gatehouse.yaml", unique("acme"))


def test_they_are_stored_published_and_exported(site):
    site.apply(policy=POLICY)
    row = BundleRevision.objects.filter(tenant_id=site.tenant.id).latest("revision")
    assert decode(bytes(row.body), row.checksum).detectors == (
        CustomDetector("PROJECT_CODENAME", words=("Bluebird",), score=0.8),
        CustomDetector("CUSTOMER_NUMBER", patterns=("CN-[0-9]{8}",), validator="luhn"),
    )
    (mine,) = [one for one in exported()["tenants"] if one["name"] == site.name]
    assert mine["detectors"] == yaml.safe_load(DETECTORS)["detectors"]
    assert Event.objects.filter(action="tenant.create", object_id=str(site.tenant.id)).exists()


def test_a_second_time_changes_nothing_and_a_difference_is_one(site):
    site.apply()
    assert site.apply() == ()
    (change,) = site.apply(detectors=DETECTORS.replace("0.8", "0.7"))
    assert (change.op, change.kind) == ("update", "tenant")
    site.apply(detectors="")
    assert site.tenant.detectors == []
    assert "detectors" not in next(one for one in exported()["tenants"] if one["name"] == site.name)


def test_a_pattern_that_re2_has_no_words_for_is_refused_at_its_character(site):
    problem = site.refused(detectors=DETECTORS.replace("{8}", "{8}(?!x)"))
    assert (problem.line, problem.column) == (7, 32)
    assert "character 12: RE2 has no look-around" in problem.message
    assert "leave it out" in problem.hint


def test_a_kind_that_nobody_looks_for_is_told_with_what_was_meant(site):
    wrong = POLICY.replace('"PROJECT_CODENAME"', '"PROJECT_CODNAME"')
    problem = site.refused(policy=wrong)
    assert "there is no kind of a tenant's own detectors" in problem.message
    assert 'did you mean "PROJECT_CODENAME"?' in problem.hint
    problem = site.refused(policy=POLICY.replace("[CUSTOMER_NUMBER]", "[CUSTOMER_NUMER]"))
    assert 'did you mean "CUSTOMER_NUMBER"?' in problem.hint
