"""Credentials: found where they stand, by what they are; honest texts have none."""

import base64
import json
import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.detectors.finding import Leaf
from policies.detectors.patterns import compiled
from policies.detectors.scanner import DetectorConfig, Scanner
from policies.detectors.secrets import RULES, Secrets, entropy
from tenants import keys
from tests.policies.detectors.wordings import BENIGN

DETECTOR = Secrets()
ALNUM = string.ascii_letters + string.digits
CHANCE = random.Random(20)


def some(length, alphabet=ALNUM):
    return "".join(CHANCE.choice(alphabet) for _ in range(length))


def part(value):
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def pem(kind="RSA "):
    lines = "\n".join(some(64, ALNUM + "+/") for _ in range(12))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


GATEHOUSE = keys.issue(bytes(range(64)), keys.KeyPepper(b"t" * 32, b"d" * 32)).secret
HEX = "0123456789abcdef"
VALUES = {
    "anthropic_key": f"sk-ant-api03-{some(93)}",
    "openai_key": f"sk-proj-{some(74)}T3BlbkFJ{some(74)}",
    "openrouter_key": f"sk-or-v1-{some(64, HEX)}",
    "aws_access_key": f"AKIA{some(16, string.ascii_uppercase + '234567')}",
    "google_api_key": f"AIza{some(35)}",
    "google_oauth_secret": f"GOCSPX-{some(28)}",
    "github_token": f"ghp_{some(36)}",
    "gitlab_token": f"glpat-{some(20)}",
    "slack_token": f"xoxb-{some(12, string.digits)}-{some(12, string.digits)}-{some(24)}",
    "slack_webhook": f"https://hooks.slack.com/services/T{some(9)}/B{some(9)}/{some(24)}",
    "stripe_key": f"sk_live_{some(24)}",
    "stripe_webhook_secret": f"whsec_{some(32)}",
    "npm_token": f"npm_{some(36)}",
    "pypi_token": f"pypi-AgEIcHlwaS5vcmc{some(60)}",
    "huggingface_token": f"hf_{some(34, string.ascii_letters)}",
    "groq_key": f"gsk_{some(52)}",
    "sendgrid_key": f"SG.{some(22)}.{some(43)}",
    "digitalocean_token": f"dop_v1_{some(64, HEX)}",
    "databricks_token": f"dapi{some(32, HEX)}",
    "shopify_token": f"shpat_{some(32, HEX)}",
    "vault_token": f"hvs.{some(90)}",
    "gatehouse_key": GATEHOUSE,
    "jwt": f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': '1', 'n': 2})}.{some(43)}",
    "private_key": pem(),
}
PLACED = {
    "aws_secret_key": ("aws_secret_access_key = ", "wJalrXUtnFEMI/K7MDENG/bPxRfiCY2q9Zt0KLmN", ""),
    "azure_storage_key": ("AccountName=a;AccountKey=", f"{some(86, ALNUM + '+/')}==", ";Suffix=x"),
    "url_password": ("postgres://shop:", "h8Kw-2xQ", "@db.internal:5432/shop"),
    "authorization_header": ('"Authorization": "Bearer ', "mF_9.B5f-4.1JqM5xQ", '"'),
    "password_assignment": ("DB_PASSWORD=", "t0p-S3cr1t-x9", "\nDEBUG=1"),
}


def seen(text):
    return [(found.kind, text[found.start : found.end]) for found in DETECTOR.find(text)]


def test_every_rule_has_a_sample():
    assert {rule.kind for rule in RULES} == VALUES.keys() | PLACED.keys()


@pytest.mark.parametrize("kind", VALUES)
@pytest.mark.parametrize("frame", ["{}", "use {} here", '{{"key": "{}"}}', "({}),", "key:\n{}\n"])
def test_a_key_is_found_wherever_it_stands(kind, frame):
    value = VALUES[kind]
    assert seen(frame.format(value)) == [(kind, value)]


@pytest.mark.parametrize("kind", PLACED)
def test_a_value_is_found_by_its_place(kind):
    before, value, after = PLACED[kind]
    assert (kind, value) in seen(before + value + after)


@pytest.mark.parametrize(
    "text",
    [
        "OPENAI_API_KEY=$OPENAI_API_KEY",
        'api_key = os.environ["OPENAI_API_KEY"]',
        "password: changeme",
        "password=<your password here>",
        "PASSWORD=********",
        "token: your-token-goes-here-1",
        "The secret: patience, and a good night's sleep.",
        "max_tokens=16384 total_tokens: 1234567890",
        "a password is required, see https://example.com/reset",
        "postgres://user:password@localhost/db",
        "https://user:${TOKEN}@example.com/x",
        "AKIAIOSFODNN7EXAMPLE",
        "sk-short",
        "task-force-and-risk-assessment-of-disk-based-systems",
        "eyJub3QiOiJhIHRva2VuIn0.eyJhIjoxfQ.short",
        "gth_0000000000_0000000000000000000000000000000000000000000_000000",
        "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
        "commit 9fceb02d0ae598e95dc970b74767f19372d61af8",
        "550e8400-e29b-41d4-a716-446655440000",
        "secret_name = my-app/prod/database",
        "def get_token(self, credential: TokenCredential) -> AccessToken:",
    ],
)
def test_what_only_looks_like_one_is_none(text):
    assert seen(text) == []


@pytest.mark.parametrize("text", BENIGN)
def test_honest_texts_hold_none(text):
    assert seen(text) == []


def test_a_private_key_is_taken_to_its_end():
    key = pem("OPENSSH ")
    assert seen(f"a\n{key}\nb")[0] == ("private_key", key)
    escaped = key.replace("\n", "\\n")
    assert seen(f'{{"private_key": "{escaped}\\n"}}') == [("private_key", escaped)]
    cut = key[: len(key) // 2]
    assert seen(f"a\n{cut}") == [("private_key", cut)]


def test_two_rules_name_one_value_once():
    value = VALUES["stripe_key"]
    assert seen(f"STRIPE_SECRET_KEY={value}") == [("stripe_key", value)]


def test_no_text_without_a_keyword_can_match():
    """The one pass over a text must not leave out what a rule would find."""
    for kind, value in VALUES.items():
        assert DETECTOR.may_find(value), kind
    for before, value, after in PLACED.values():
        assert DETECTOR.may_find(before + value + after)


@given(st.sampled_from(RULES), st.text(max_size=40), st.text(max_size=40), st.data())
def test_a_rule_that_matches_has_a_keyword(rule, before, after, data):
    samples = [VALUES[rule.kind]] if rule.kind in VALUES else ["".join(PLACED[rule.kind])]
    text = before + data.draw(st.sampled_from(samples)) + after
    if compiled(rule.pattern).search(text):
        assert any(word in text.lower() for word in rule.keywords)
        assert DETECTOR.may_find(text)


def test_entropy_is_bits_per_character():
    assert entropy("") == 0
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2


def test_a_disguised_key_is_found_with_its_place():
    scanner = Scanner(DetectorConfig())
    value = VALUES["aws_access_key"]
    text = f"k: {value[:9]}\u200b{value[9:]} ok"
    (found,) = scanner.scan([Leaf(text, "user", "x")], frozenset({"secrets"})).findings
    assert (found.kind, found.category, found.view) == ("aws_access_key", "secret", "plain")
    assert text[found.start : found.end].replace("\u200b", "") == value


def test_a_long_text_takes_time_in_proportion():
    """Every keyword everywhere, and nothing to find."""
    words = " ".join(word for rule in RULES for word in rule.keywords)
    text = (words + " ") * (200_000 // len(words))
    assert [found for found in DETECTOR.find(text) if found.score == 1.0] == []
