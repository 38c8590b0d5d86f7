"""The process of the models over its socket, as `manage.py ner` runs it, and who asks it."""

import asyncio
import contextlib
import os
import socket
import stat
import subprocess
import sys
import time

import pytest

from gateway.ner import asking, frames
from gateway.ner.frames import Ask
from gateway.proxy.names import Names
from gateway.proxy.ner import Client, NotRead
from policies.detectors.finding import Leaf, Scan
from tests.names_model import ROOT, Process, configure

MOST = 20_000
KINDS = frozenset({"PERSON", "LOCATION"})
TEXT = "\U0001f600 Please write to Zo\u00eb Nov\u00e1k at Acme ."
LONG = "Please write to Maria Keller at Acme . " * 400


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("ner")


@pytest.fixture(scope="module")
def process(folder, names_model):
    process = Process(folder, configure(folder, names_model)).start()
    yield process
    assert process.stop() == 0
    assert not process.socket.exists()


async def connected(process, deadline_s=20.0):
    """Return a client that is connected, and the task that keeps it so."""
    client = Client(process.socket, deadline_s, time.perf_counter, MOST)
    keeping = asyncio.get_running_loop().create_task(client.keep())
    await until(lambda: client.version)
    return client, keeping


async def until(check):
    async with asyncio.timeout(30):
        while not check():
            await asyncio.sleep(0.01)


def with_client(process, work, deadline_s=20.0):
    """Run a coroutine function with a connected client."""

    async def run():
        client, keeping = await connected(process, deadline_s)
        try:
            return await work(client)
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping

    return asyncio.run(run())


def run(*argv, environ):
    """Run a command to its end."""
    return subprocess.run(
        [sys.executable, *argv],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def leaf(text):
    return Leaf(text, "user", "messages.0")


def test_names_are_found_over_the_socket_which_is_for_this_account_alone(process):
    (spans,) = asking.ask(process.socket, [TEXT], 20)
    assert [(kind, TEXT[a:b]) for kind, _, a, b in spans] == [
        ("PERSON", "Zo\u00eb Nov\u00e1k"),
        ("ORGANIZATION", "Acme"),
    ]
    assert stat.S_IMODE(process.socket.stat().st_mode) == 0o600
    hello = asking.hello(process.socket, 20)
    assert (hello.models, len(hello.version)) == (("en: en_tiny 0.0.0",), 64)
    assert hello.pid == process.child.pid


def test_a_second_process_does_not_take_the_place_of_one_that_answers(process):
    done = run("-m", "gateway.ner", environ=process.environ)
    assert done.returncode == 1
    assert "answers at" in done.stderr
    assert "GATEHOUSE_NER_SOCKET" in done.stderr
    assert process.answers()


def test_many_questions_at_a_time_get_their_own_answers(process):
    async def work(client):
        texts = [f"{'Hello there . ' * n}Ask Maria Keller ." for n in range(20)]
        told = await asyncio.gather(*(client.ask([text]) for text in texts))
        return texts, told

    for text, told in zip(*with_client(process, work), strict=True):
        assert ("PERSON", "Maria Keller") in [(k, text[a:b]) for k, _, a, b in told.spans[0]]


def test_a_call_of_which_all_was_read_before_asks_nobody(process):
    async def work(client):
        names = Names(client)
        leaves, digests = [leaf(TEXT), leaf("Ask Tom Rossi .")], ["a", "b"]
        first = await names.find(leaves, digests, KINDS)
        client._writer = None  # as while the process is away
        again = await names.find(leaves, digests, KINDS)
        fewer = await names.find(leaves, digests, frozenset({"LOCATION"}))
        new = await names.find([*leaves, leaf("Hello .")], [*digests, "c"], KINDS)
        return first, again, fewer, new

    first, again, fewer, new = with_client(process, work)
    assert [(one.kind, one.leaf) for one in first.findings] == [("PERSON", 0), ("PERSON", 1)]
    assert again == first
    assert fewer == Scan((), frozenset())
    assert new == Scan((), frozenset({"ner"}))


def test_other_models_read_everything_again(process):
    async def work(client):
        names = Names(client)
        await names.find([leaf(TEXT)], ["a"], KINDS)
        client._writer, client.version = None, "that of another model"
        return await names.find([leaf(TEXT)], ["a"], KINDS)

    assert with_client(process, work).failed == {"ner"}


def test_what_is_too_large_is_refused_and_never_cut(process):
    async def work(client):
        names = Names(client)
        large = leaf("a" * (MOST + 1))
        one = await names.find([leaf("Hello ."), large], ["a", "b"], KINDS)
        many = await names.find([leaf("a" * 200_000)] * 6, list("abcdef"), KINDS)
        return one, many

    for scan in with_client(process, work):
        assert scan.failed == {"ner"}
        assert [(one.kind, one.category) for one in scan.findings] == [("TOO_LARGE", "error")]


def test_the_process_too_reads_no_text_that_is_too_large(process):
    async def work(client):
        with pytest.raises(NotRead, match="too_large"):
            await client.ask(["Hello .", "a" * (MOST + 1)])
        return await client.ask(["Ask Maria Keller ."])

    assert with_client(process, work).spans[0]


def test_nobody_waits_longer_than_the_deadline_and_the_process_drops_the_rest(process):
    async def work(client):
        with pytest.raises(NotRead, match="late"):
            await client.ask([LONG] * 100)
        assert client._pending == {}
        client._deadline_s = 30.0
        return await client.ask(["Ask Maria Keller ."])

    assert with_client(process, work, deadline_s=0.05).spans[0]


def test_a_call_that_is_given_up_takes_its_question_with_it(process):
    async def work(client):
        asking = asyncio.get_running_loop().create_task(client.ask([LONG] * 100))
        await until(lambda: client._pending)
        asking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asking
        assert client._pending == {}
        return await client.ask(["Ask Maria Keller ."])

    assert with_client(process, work).spans[0]


def test_more_than_fits_is_refused_at_once(process):
    async def work(client):
        # More characters than may wait, while the first is being read.
        asked = [asyncio.get_running_loop().create_task(client.ask([LONG] * 100)) for _ in range(4)]
        async with asyncio.timeout(30):
            done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        reasons = [str(one.exception()) for one in done if one.exception()]
        for one in asked:
            one.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        return reasons

    assert "busy" in with_client(process, work)


def test_a_worker_asks_only_so_much_at_a_time(process):
    async def work(client):
        client._pending = dict.fromkeys(range(-64, 0), asyncio.get_running_loop().create_future())
        with pytest.raises(NotRead, match="busy"):
            await client.ask(["Hello ."])

    with_client(process, work)


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x02no",
        b"\x00\x00\x00\x09no",
        frames.encode(Ask(1, 9000, (LONG,))) + frames.encode(Ask(1, 9000, (LONG,))),
    ],
)
def test_what_is_no_frame_ends_its_connection_and_no_other(process, sent):
    with socket.socket(socket.AF_UNIX) as bad, socket.socket(socket.AF_UNIX) as good:
        for one in (bad, good):
            one.settimeout(20)
            one.connect(str(process.socket))
            assert asking._frame(one)  # the hello
        bad.sendall(sent)
        bad.shutdown(socket.SHUT_WR)
        with contextlib.suppress(ConnectionResetError):
            assert bad.recv(1) == b""
        good.sendall(frames.encode(Ask(1, 20_000, ("Ask Maria Keller .",))))
        assert frames.answer(asking._frame(good)).spans[0]


def test_a_process_that_was_killed_is_away_and_found_again(process):
    async def work(client):
        before = client.version
        asked = asyncio.get_running_loop().create_task(client.ask([LONG] * 100))
        await until(lambda: client._pending)
        process.kill()
        with pytest.raises(NotRead, match="away"):
            await asked
        with pytest.raises(NotRead, match="away"):
            await client.ask(["Ask Maria Keller ."])
        assert process.socket.exists()  # nobody took it off
        await asyncio.to_thread(process.start)
        await until(lambda: client._writer is not None)
        assert client.version == before
        return await client.ask(["Ask Maria Keller ."])

    assert with_client(process, work).spans[0]


def test_a_wrong_file_ends_the_process_with_the_reason(tmp_path):
    (tmp_path / "names.yaml").write_text("models: [{language: en}]")
    done = run("manage.py", "ner", environ={"GATEHOUSE_NER": str(tmp_path / "names.yaml")})
    assert done.returncode == 1
    assert "names.yaml is wrong" in done.stderr
    assert "1:10: a model needs the key model" in done.stderr


def test_without_a_file_there_is_nothing_to_run():
    done = run("manage.py", "ner", environ={})
    assert (done.returncode, "GATEHOUSE_NER: found nothing" in done.stderr) == (1, True)


def test_a_worker_without_models_is_told_at_once(tmp_path):
    async def work():
        client = Client(tmp_path / "none.sock", 20.0, time.perf_counter, MOST)
        return await Names(client).find([leaf("Hello .")], ["a"], KINDS)

    assert asyncio.run(work()) == Scan((), frozenset({"ner"}))
    with pytest.raises(asking.NoAnswer, match="No such file"):
        asking.hello(tmp_path / "none.sock", 1)
