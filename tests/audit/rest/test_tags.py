"""Entity tags."""

from audit.rest.tags import holds, tag


def test_a_tag_names_what_was_said():
    assert tag({"a": 1, "b": 2}) == tag({"b": 2, "a": 1})
    assert tag({"a": 1}) != tag({"a": 2})
    assert tag({"a": 1, "seen": 5}, ("seen",)) == tag({"a": 1, "seen": 6}, ("seen",))


def test_only_the_strong_tag_holds():
    current = tag({"a": 1})
    assert holds(current, current)
    assert holds(f'"x", {current}', current)
    assert holds("*", current)
    for wrong in (f"W/{current}", '"x"', "", current.strip('"')):
        assert not holds(wrong, current)
