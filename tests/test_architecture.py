"""What the import linter cannot see. Each rule is also shown a source that breaks it."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("gateway", "policies", "tenants", "audit")
LINES_MAX = 500
TOP_LEVEL = {
    *ROOMS,
    ".ci",
    ".dockerignore",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    "CHANGELOG.md",
    "Dockerfile",
    "LICENSE",
    "Makefile",
    "README.md",
    "SECURITY.md",
    "compose.yaml",
    "docs",
    "manage.py",
    "pyproject.toml",
    "requirements",
    "templates",
    "tests",
}
# A module of such a name is a thing that has no name yet.
NAMELESS = {"utils", "util", "common", "core", "helpers", "helper", "base", "misc", "shared"}
RUNS_TEXT = {"exec", "eval", "compile"}
# Spelt in parts, so that this file passes its own rule.
HOSTS = ("pypi" + ".org", "python" + "hosted.org", "npm" + "js.org", "docker" + ".io")
MACHINE_PATH = re.compile(r"(?<![\w.$}~-])/(?:work|root|home|tmp|Users)/\w")


def ignored():
    """Return the names that .gitignore keeps out of the project."""
    lines = (ROOT / ".gitignore").read_text().split()
    return {line.strip("/") for line in lines} | {".git"}


def project_files():
    skipped = ignored()
    found = []
    folders = [ROOT]
    while folders:
        for path in folders.pop().iterdir():
            if path.name in skipped or path.suffix == ".pyc":
                continue
            (folders if path.is_dir() else found).append(path)
    return sorted(found)


FILES = project_files()
SOURCES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in FILES
    if path.suffix == ".py"
}


def product():
    return {path: text for path, text in SOURCES.items() if path.partition("/")[0] in ROOMS}


def imports(source):
    """Return every module that a source imports, wherever the import stands."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def called(source):
    """Return how each called thing is spelt: `name` or `module.name`."""
    functions = (node.func for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call))
    return {
        ast.unparse(function)
        for function in functions
        if isinstance(function, ast.Name | ast.Attribute)
    }


def imports_package(package, *, within, allowed):
    """Make a rule: below `within`, only files that begin with one of `allowed` import it."""

    def rule(path, source):
        if not path.startswith(within) or path.startswith(allowed):
            return False
        return any(name.split(".")[0] == package for name in imports(source))

    return rule


def init_holds_code(path, source):
    if not path.endswith("__init__.py"):
        return False
    body = ast.parse(source).body
    docstring = [node for node in body[:1] if isinstance(node, ast.Expr)]
    return len(body) > len(docstring)


def has_no_name(path, _source):
    return not NAMELESS.isdisjoint(Path(path).with_suffix("").parts)


def runs_text(path, source):
    if path == "policies/pdp/compile.py":
        return False
    spelt = called(source)
    return "builtins" in imports(source) or not RUNS_TEXT.isdisjoint(spelt)


def makes_permitted(path, source):
    if path == "gateway/proxy/transform.py":
        return False
    return any(name.rpartition(".")[2] == "Permitted" for name in called(source))


def is_too_long(path, source):
    return "/migrations/" not in path and source.count("\n") > LINES_MAX


def imports_relatively(_path, source):
    return any(
        isinstance(node, ast.ImportFrom) and node.level > 0 for node in ast.walk(ast.parse(source))
    )


def names_a_host(path, source):
    return path != "LICENSE" and any(host in source for host in HOSTS)


def names_a_machine_path(_path, source):
    return bool(MACHINE_PATH.search(source))


EVERYWHERE = ("gateway/", "policies/", "tenants/", "audit/")
RULES = {
    "an __init__.py holds a docstring only": init_holds_code,
    "a module has a name": has_no_name,
    "only the policy compiler turns text into code": runs_text,
    "only transform makes a Permitted": makes_permitted,
    "a file has an end": is_too_long,
    "imports are absolute": imports_relatively,
    "the data plane reaches PostgreSQL in two files": imports_package(
        "psycopg",
        within="gateway/proxy/",
        allowed=("gateway/proxy/evidence/", "gateway/proxy/loader.py"),
    ),
    "only the store speaks to Redis": imports_package(
        "redis", within=EVERYWHERE, allowed=("gateway/proxy/store/", "gateway/local_redis.py")
    ),
    "one door leads upstream": imports_package(
        "aiohttp",
        within=EVERYWHERE,
        allowed=("gateway/proxy/forward.py", "gateway/proxy/upstream.py"),
    ),
}
TEXT_RULES = {
    "no file names a download host": names_a_host,
    "no file names a path of somebody's machine": names_a_machine_path,
}

BREAKS = [
    ("an __init__.py holds a docstring only", "audit/__init__.py", '"""Doc."""\nimport os\n'),
    ("an __init__.py holds a docstring only", "audit/__init__.py", "__all__ = ()\n"),
    ("a module has a name", "audit/utils.py", ""),
    ("a module has a name", "gateway/core/thing.py", ""),
    ("only the policy compiler turns text into code", "policies/pdp/rule.py", "eval('1')"),
    ("only the policy compiler turns text into code", "gateway/x.py", "f = compile(a, b, 'eval')"),
    (
        "only the policy compiler turns text into code",
        "audit/x.py",
        "import builtins\nbuiltins.exec(text)",
    ),
    ("only transform makes a Permitted", "gateway/proxy/forward.py", "x = Permitted(call)"),
    ("only transform makes a Permitted", "gateway/tasks.py", "x = exchange.Permitted(call)"),
    ("a file has an end", "gateway/x.py", "\n" * (LINES_MAX + 1)),
    ("imports are absolute", "gateway/x.py", "from . import models"),
    (
        "the data plane reaches PostgreSQL in two files",
        "gateway/proxy/limit.py",
        "def f():\n    from psycopg.rows import tuple_row\n",
    ),
    ("only the store speaks to Redis", "gateway/proxy/limit.py", "import redis.asyncio as redis"),
    ("only the store speaks to Redis", "tenants/services/keys.py", "from redis import Redis"),
    ("one door leads upstream", "gateway/proxy/record.py", "from aiohttp import web"),
    ("one door leads upstream", "policies/services.py", "import aiohttp"),
    ("no file names a download host", "docs/a.md", f"get it from https://{HOSTS[0]}/simple"),
    ("no file names a path of somebody's machine", "docs/a.md", "cd /" + "home/me/gatehouse"),
    ("no file names a path of somebody's machine", "x.py", "open('/" + "tmp/x')"),
]
KEEPS = [
    ("an __init__.py holds a docstring only", "audit/__init__.py", '"""Doc."""\n'),
    ("an __init__.py holds a docstring only", "audit/migrations/__init__.py", ""),
    ("only the policy compiler turns text into code", "policies/pdp/compile.py", "exec(code, {})"),
    ("only the policy compiler turns text into code", "policies/x.py", "re.compile('a')"),
    ("only transform makes a Permitted", "gateway/proxy/transform.py", "Permitted(call)"),
    ("a file has an end", "audit/migrations/0001_initial.py", "\n" * (LINES_MAX + 1)),
    ("the data plane reaches PostgreSQL in two files", "gateway/proxy/loader.py", "import psycopg"),
    ("the data plane reaches PostgreSQL in two files", "audit/services.py", "import psycopg"),
    ("only the store speaks to Redis", "gateway/proxy/store/counters.py", "import redis"),
    ("one door leads upstream", "gateway/proxy/forward.py", "import aiohttp"),
    (
        "no file names a path of somebody's machine",
        "x.py",
        "urls = 'https://h/home/x', '/homework'",
    ),
]


def broken(name, sources):
    rule = (RULES | TEXT_RULES)[name]
    return [path for path, source in sources.items() if rule(path, source)]


@pytest.mark.parametrize("name", RULES)
def test_the_product_keeps(name):
    assert len(product()) > 20
    assert broken(name, product()) == []


def test_the_tests_hold_no_code_in_an_init_either():
    tests = {path: text for path, text in SOURCES.items() if path.startswith("tests/")}
    assert broken("an __init__.py holds a docstring only", tests) == []


@pytest.mark.parametrize("name", TEXT_RULES)
def test_every_file_keeps(name):
    texts = {}
    for path in FILES:
        content = path.read_bytes()
        if b"\0" not in content:
            texts[path.relative_to(ROOT).as_posix()] = content.decode("utf-8")
    assert broken(name, texts) == []


@pytest.mark.parametrize(("name", "path", "source"), BREAKS)
def test_a_rule_sees_what_breaks_it(name, path, source):
    assert broken(name, {path: source}) == [path]


@pytest.mark.parametrize(("name", "path", "source"), KEEPS)
def test_a_rule_passes_what_keeps_it(name, path, source):
    assert broken(name, {path: source}) == []


def test_every_rule_has_been_seen_to_fail():
    assert {name for name, _, _ in BREAKS} == set(RULES) | set(TEXT_RULES)


def test_nothing_unexpected_lies_at_the_top():
    assert {path.relative_to(ROOT).parts[0] for path in FILES} <= TOP_LEVEL


def test_the_locks_name_no_place_and_hash_everything():
    locks = sorted((ROOT / "requirements").glob("*.txt"))
    assert [lock.name for lock in locks] == ["dev.txt", "embedded.txt", "runtime.txt"]
    pins = {}
    for lock in locks:
        text = lock.read_text()
        assert not re.search(r"https?://|^\s*--?(?!-?hash=)|@ ", text, re.MULTILINE)
        entries = re.split(r"\n(?=\S)", text.strip())
        assert all("--hash=sha256:" in entry for entry in entries)
        pins[lock.name] = {entry.split(" ")[0] for entry in entries}
    assert pins["runtime.txt"] < pins["embedded.txt"] < pins["dev.txt"]


def test_the_data_plane_loads_no_framework():
    program = "import sys, gateway.proxy.app; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in told.stdout.split()}
    assert "gateway" in loaded
    assert loaded.isdisjoint({"django", "rest_framework", "celery"})


def test_the_supervisor_loads_no_framework():
    program = "import sys, manage; print(*sys.modules)"
    told = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    loaded = {name.partition(".")[0] for name in told.stdout.split()}
    assert loaded.isdisjoint({"django", "celery", "uvicorn", "presidio_analyzer"})
