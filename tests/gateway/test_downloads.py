"""A file on its way holds no connection to the database: a slow reader would keep others off."""

from asgiref.sync import async_to_sync
from django.db import connection

from gateway.downloads import FileAnswer


def test_a_download_gives_its_connection_back_before_the_first_block(db, tmp_path):
    path = tmp_path / "part"
    path.write_bytes(b"rows")
    connection.ensure_connection()

    with path.open("rb") as file:
        answer = FileAnswer(file)

        async def first():
            return await anext(aiter(answer))

        assert async_to_sync(first)() == b"rows"
        answer.close()
    assert connection.connection is None
