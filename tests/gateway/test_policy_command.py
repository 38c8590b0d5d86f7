"""Policies as files: what a customer's CI sees of them, and how the command ends."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from policies.pdp.reference import EXAMPLE
from policies.pdp.schema import policy_schema

ROOT = Path(__file__).parents[2]


@pytest.fixture
def policy(tmp_path):
    """Run `manage.py policy ...` in a process of its own, with a data folder that stays empty."""

    def run(*arguments):
        data = tmp_path / "data"
        done = subprocess.run(
            [sys.executable, "manage.py", "policy", *map(str, arguments)],
            cwd=ROOT,
            env={"GATEHOUSE_DATA": str(data), "PATH": ""},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert not (data / "postgres").exists()
        assert "Traceback" not in done.stderr
        return done

    return run


@pytest.fixture
def file(tmp_path):
    def write(text, name="house.yaml"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def test_sound_policies_are_told_in_a_line_each(policy, file):
    path = file(EXAMPLE)
    done = policy("check", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == f"{path}: house-rules: 8 rules, 6 tests"
    done = policy("test", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[0] == f"{path}: house-rules: 8 rules, 6 of 6 tests passed"


WEAK = """\
policy: house-rules
default: permit
rules:
  - id: late
    when: source.hour > 23
    deny: {message: Too late.}
  - id: score
    when: injection.score >= 0.6
    deny: {message: No.}
"""


def test_check_tells_what_analysis_finds(policy, file):
    path = file(WEAK)
    done = policy("check", path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1] == (
        f"{path}:4:5: warning: house-rules/late never matches: its condition cannot hold"
        " [unreachable] (source.hour > 23)"
    )
    strict = policy("check", "--strict", path)
    assert strict.returncode == 1
    assert "analysis found 1 warning" in strict.stderr
    assert policy("check", "--strict", file(EXAMPLE, "sound.yaml")).returncode == 0


def test_check_tells_what_differs_from_another_text(policy, file):
    before, after = file(WEAK, "old.yaml"), file(WEAK.replace("0.6", "0.4"))
    told = policy("check", "--against", before, after).stdout
    assert "threshold of injection.score 0.6 → 0.4 (matches earlier now)" in told
    assert "It only tightens" in told
    data = json.loads(policy("check", "--json", "--against", before, after).stdout)["files"][0]
    assert data["difference"]["verdict"] == "tightens"
    assert data["analysis"]["findings"][0]["kind"] == "unreachable"
    bad = policy("check", "--against", file("policy: 5\nx: y\n", "bad.yaml"), after)
    assert bad.returncode == 1
    assert "no policy to compare with" in bad.stderr


def test_problems_stand_where_they_are_with_file_line_and_column(policy, file):
    good, bad = file(EXAMPLE), file(EXAMPLE.replace("secret.count", "secret.cont"), "bad.yaml")
    done = policy("check", good, bad)
    assert done.returncode == 1
    told = done.stdout.splitlines()
    at = next(n for n, line in enumerate(told) if line.startswith(f"{bad}:"))
    first, shown, caret, *_ = told[at:]
    assert first.startswith(f'{bad}:6:11: unknown fact "secret.cont"')
    assert shown[caret.index("^")] == "s"
    assert "not good: 1 of 2 files" in done.stderr


def test_a_kind_that_nothing_finds_is_a_problem(policy, file):
    done = policy("check", file(EXAMPLE.replace("CREDIT_CARD", "CREDIT_CRAD")))
    assert done.returncode == 1
    assert "no detector finds CREDIT_CRAD" in done.stdout
    assert 'did you mean "CREDIT_CARD"?' in done.stdout


def test_a_test_that_fails_fails_the_command_but_not_the_check(policy, file):
    path = file(EXAMPLE.replace("{deny: risky}", "{permit: true}"))
    assert policy("check", path).returncode == 0
    done = policy("test", path)
    assert done.returncode == 1
    assert 'the test "signals add up" fails: expected permit, got deny by risky' in done.stdout
    assert done.stdout.startswith(f"{path}:36:")


def test_json_holds_problems_and_tests(policy, file):
    good, bad = file(EXAMPLE), file("policy: p\nrules: 5\n", "bad.yaml")
    done = policy("test", "--json", good, bad)
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["ok"] is False
    first, second = told["files"]
    assert (first["file"], first["ok"], first["policy"]) == (str(good), True, "house-rules")
    assert [test["passed"] for test in first["tests"]] == [True] * 6
    assert len(first["hash"]) == 64
    assert second["problems"] == [
        {"line": 2, "column": 8, "message": 'expected a list, found the value "5"', "hint": ""}
    ]
    assert json.loads(policy("check", "--json", good).stdout)["files"][0]["tests"] == []


def test_a_file_that_cannot_be_read_is_a_wrong_call(policy, tmp_path):
    done = policy("check", tmp_path / "none.yaml")
    assert done.returncode == 2
    assert "cannot be read: No such file" in done.stderr
    (tmp_path / "bytes.yaml").write_bytes(b"\xff\xfe")
    assert policy("check", tmp_path / "bytes.yaml").returncode == 2
    assert policy("check").returncode == 2


def test_schema_and_reference_are_printed(policy):
    assert json.loads(policy("schema").stdout) == policy_schema()
    assert policy("reference").stdout == (ROOT / "docs" / "policy-language.md").read_text("utf-8")


COUNTING = """
policy: house
default: permit
rules:
  - id: many
    phase: answer
    when: answer.pii.count > 2
    deny: {message: Too much.}
"""


def test_why_streams_wait_is_told(policy, file):
    path = file(COUNTING)
    done = policy("check", path)
    assert done.returncode == 0
    reason = "house/many: its first finding does not decide answer.pii.count > 2"
    assert done.stdout.splitlines()[1] == f"{path}: streams wait for their end: {reason}"
    (found,) = json.loads(policy("check", "--json", path).stdout)["files"]
    assert found["gathers"] == [reason]
