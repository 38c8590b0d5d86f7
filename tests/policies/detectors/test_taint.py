"""Hosts that only results of tools named: what counts as a name, and whose word counts."""

from random import Random

import pytest

from policies.detectors.finding import Leaf
from policies.detectors.taint import UNNAMED, argued, named


def leaves(*told):
    return [Leaf(text, role, f"messages/{at}/content") for at, (role, text) in enumerate(told)]


def tainted(hosts, *told):
    return named(leaves(*told)).tainted(hosts)


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("see https://Evil.Example/x", {"evil.example"}),
        ('{"url": "https:\\/\\/evil.example\\/x"}', {"evil.example"}),
        ("![x](//evil.example/y)", {"evil.example"}),
        ("write to bob@evil.example now", {"evil.example"}),
        ("https://b\u00fccher.example/", {"xn--bcher-kva.example"}),
        ("h\u200bttps://evil.exam\u200bple/", {"evil.example"}),
        ("\uff45\uff56\uff49\uff4c a@\uff45vil.example", {"evil.example"}),
        ("read.me and evil.example and v1.2.3", set()),
        ("", set()),
    ],
)
@pytest.mark.parametrize("role", ["tool", "function"])
def test_what_a_result_of_a_tool_names(role, text, hosts):
    found = named(leaves((role, text))).results
    assert hosts <= found
    assert found <= hosts | {"evil.exam"}  # a reader who stops at what he cannot see
    assert named(leaves(("user", text))) == UNNAMED


@pytest.mark.parametrize("role", ["user", "system", "developer", "tools", "request"])
@pytest.mark.parametrize("text", ["https://evil.example/", "to evil.example,", "a@EVIL.EXAMPLE"])
def test_what_the_client_names_too_is_not_tainted(role, text):
    tool = ("tool", "https://evil.example/x")
    assert tainted({"evil.example"}, tool) == {"evil.example"}
    assert tainted({"evil.example"}, tool, (role, text)) == set()
    assert tainted({"evil.example"}, tool, ("assistant", text)) == {"evil.example"}


def test_what_is_below_a_tainted_host_is_too():
    tool = ("tool", "https://evil.example/x http://org/ http://10.0.0.1/")
    hosts = {"secret.evil.example", "devil.example", "example", "a.org", "1.10.0.0.1"}
    assert tainted(hosts, tool) == {"secret.evil.example", "1.10.0.0.1"}
    assert tainted(hosts, tool, ("user", "secret.evil.example")) == {"1.10.0.0.1"}
    assert tainted(hosts, tool, ("user", "evil.example")) == {"1.10.0.0.1"}


def test_a_text_that_cannot_be_unfolded_names_what_nobody_knows():
    assert named(leaves(("tool", "\ufdfa" * 99))).results == {"other"}


def test_names_count_in_arguments_alone():
    text = "to: bob@Evil.example\nhost: a.example."
    assert argued(
        [Leaf(text, "assistant", "choices/0/message/tool_calls/0/function/arguments")]
    ) == {
        "evil.example",
        "a.example",
    }
    assert argued([Leaf(text, "assistant", "content/0/input")]) == {"evil.example", "a.example"}
    assert argued([Leaf(text, "assistant", "choices/0/message/content")]) == set()


@pytest.mark.parametrize("seed", range(40))
def test_it_is_what_a_plain_reading_says(seed):
    rng = Random(seed)
    hosts = ["a.example", "b.example", "x.a.example", "c.test", "y.c.test", "z.y.c.test"]
    said = [
        (rng.choice(["tool", "user", "assistant", "system"]), rng.choice(hosts)) for _ in range(6)
    ]
    by_tools = {host for role, host in said if role == "tool"}
    by_client = {host for role, host in said if role in ("user", "system")}
    expected = {
        host
        for host in hosts
        if host not in by_client
        and any(host == one or host.endswith("." + one) for one in by_tools - by_client)
    }
    told = [(role, f"go to https://{host}/p?q=1") for role, host in said]
    assert tainted(hosts, *told) == expected


def test_one_long_word_is_no_work():
    word = "x" * 400_000
    assert named(leaves(("tool", "https://evil.example"), ("user", word))).own == frozenset()
    assert argued([Leaf(word, "assistant", "content/0/input")]) == set()


def test_what_cannot_be_read_whole_may_have_named_any_host_but_the_clients():
    page = "https://evil.example/x" + "\ufdfa" * 40
    hosts = {"evil.example", "own.example", "a.own.example", "else.example"}
    found = tainted(hosts, ("tool", page), ("user", "ask https://own.example"))
    assert found == {"evil.example", "else.example"}
