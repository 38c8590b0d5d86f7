"""Links: what a browser or a Markdown renderer would follow is found, with the host it leads to."""

import time

import pytest

from policies.detectors.finding import Finding
from policies.detectors.links import HOSTS_MAX, OTHER, all_hosts, find, findings, hosts


@pytest.mark.parametrize(
    ("text", "link", "host"),
    [
        ("see https://Evil.Example/a?b=c#d.", "https://Evil.Example/a?b=c#d", "evil.example"),
        ("(http://a.example:8080/x)", "http://a.example:8080/x", "a.example"),
        ("![x](https://a.example/i.png)", "https://a.example/i.png", "a.example"),
        ("[r]: <https://a.example/i> 't'", "https://a.example/i", "a.example"),
        ("https://user:pw@b.example/", "https://user:pw@b.example/", "b.example"),
        ("https:\\\\b.example\\x", "https:\\\\b.example\\x", "b.example"),
        ('src="//cdn.example/x"', "//cdn.example/x", "cdn.example"),
        ("at www.a.example today", "www.a.example", "www.a.example"),
        ("a1+x-y.z://h/p", "a1+x-y.z://h/p", "h"),
        ("1https://h.example", "1https://h.example", "h.example"),
        ("https:/h.example/x", "https:/h.example/x", "h.example"),
        ("HTTP:h.example", "HTTP:h.example", "h.example"),
        ("(//\u043f.\u0440\u0444/x)", "//\u043f.\u0440\u0444/x", "xn--o1a.xn--p1ai"),
        ("(https://b\u00fccher.example)", "https://b\u00fccher.example", "xn--bcher-kva.example"),
        ("https://a\u3002example", "https://a\u3002example", "a.example"),
        ("https://%65vil.example", "https://%65vil.example", "evil.example"),
        ("http://[2001:db8::1]:80/x", "http://[2001:db8::1]:80/x", "[2001:db8::1]"),
        ("(///b.example/x)", "///b.example/x", "b.example"),
        ("//user@b.example", "//user@b.example", "b.example"),
        ("https://ex&shy;ample.example", "https://ex&shy;ample.example", "example.example"),
        ('srcset="a.png 1x, //b.example/c 2x"', "//b.example/c", "b.example"),
        ("url(//b.example/c)", "//b.example/c", "b.example"),
        ('style="background:url(https://b.example/c)"', "https://b.example/c", "b.example"),
        ("<https://b.example>", "https://b.example", "b.example"),
        ("[x](https&colon;//b.example)", "https&colon;//b.example", "b.example"),
        ("[x](&#104;ttps://b.example)", "&#104;ttps://b.example", "b.example"),
        ("[x](&#x2f;&sol;b.example)", "&#x2f;&sol;b.example", "b.example"),
        ("[x](https\\://b.example/)", "https\\://b.example/", "b.example"),
        ('<a href="ht\ntp\ts://b.example">', "ht\ntp\ts://b.example", "b.example"),
        ("javascript&colon;alert(1)", "javascript&colon;alert(1", ""),
        ("vbscript:x", "vbscript:x", ""),
        ("https:///b.example", "https:///b.example", "b.example"),
        ("/ //b.example", "//b.example", "b.example"),
        ("mailto:a@b.example", "mailto:a@b.example", ""),
        ("data:text/html,x", "data:text/html,x", ""),
        ("https://h.example./x", "https://h.example./x", "h.example"),
        ("ht\u200btps://h.example/x", "ht\u200btps://h.example/x", "h.example"),
        ("\uff48ttps://h.example/x", "\uff48ttps://h.example/x", "h.example"),
    ],
)
def test_a_link_is_found_with_its_host(text, link, host):
    found = find(text)
    assert (link, host) in [(text[each.start : each.end], each.host) for each in found]
    told = {each.host for each in found}
    assert host in told
    assert told - {host} <= {"s", "ex&shy;ample.example"}  # what is left where a reader reads less


@pytest.mark.parametrize(
    ("text", "both"),
    [
        ("https://a.example\\@b.example", {"a.example", "b.example"}),
        ("https://a.example[@b.example/x", {"a.example", "b.example"}),
        ("https://a.example|@b.example", {"a.example", "b.example"}),
        ('https://a.example"@b.example', {"a.example", "b.example"}),
    ],
)
def test_where_readers_differ_both_hosts_are_told(text, both):
    assert {each.host for each in find(text)} == both
    assert hosts([text]) == tuple(sorted(both))


def test_a_script_in_pieces_is_a_link():
    text = '<img src="java\nscript:alert(1)">'
    assert text[find(text)[0].start : find(text)[0].end] == "java\nscript:alert(1"


@pytest.mark.parametrize(
    "text", ["", "a // b", "ratio 3:4", "x = a//b", "C:\\dir", "wwwhat", "a: b"]
)
def test_what_is_no_link_is_none(text):
    assert find(text) == []


def test_hosts_come_once_sorted_and_too_many_are_told_as_other():
    assert hosts(["https://b.example https://a.example", "www.b.example //b.example/"]) == (
        "a.example",
        "b.example",
        "www.b.example",
    )
    many = hosts([" ".join(f"https://h{number}.example" for number in range(HOSTS_MAX + 5))])
    assert len(many) == HOSTS_MAX + 1
    assert many[-1] == "other"


def test_findings_name_the_leaf():
    assert findings(["a", "www.a.example"]) == [Finding("LINK", "link", 1.0, 1, 0, 13, "raw")]


@pytest.mark.parametrize("text", ["a" * 100_000, "/" * 100_000, "a:" * 50_000, "http:" * 20_000])
def test_the_worst_texts_are_read_quickly(text):
    start = time.process_time()
    find(text)
    assert time.process_time() - start < 2


def test_what_cannot_be_read_whole_leads_where_nobody_knows():
    text = "https://a.example/x " + "\ufdfa" * 40
    assert hosts([text]) == ("a.example", OTHER)
    assert (find(text)[-1].start, find(text)[-1].end) == (0, len(text))


def test_thousands_of_links_are_no_more_work_than_they_are():
    text = "".join(f"https\\://h{number}.example/ " for number in range(20_000))
    assert len(all_hosts([text])) == 20_000
