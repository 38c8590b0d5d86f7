"""The official OpenAI client, sync or async: only its address and its key are ours."""

import asyncio

import openai
import pytest

HELLO = [{"role": "user", "content": "Hello"}]


class Client:
    """The sync or the async client, used as its documentation says."""

    def __init__(self, kind, gateway):
        self.is_async = kind == "async"
        self.base_url = f"{gateway.base_url}/v1"

    def do(self, secret, ask, **options):
        """Return what `ask(client)` brings: of a stream, its chunks."""
        settings = {"base_url": self.base_url, "api_key": secret, "max_retries": 0, **options}
        if self.is_async:
            return asyncio.run(self._do(ask, settings))
        with openai.OpenAI(**settings) as client:
            found = ask(client)
            return list(found) if isinstance(found, openai.Stream) else found

    async def _do(self, ask, settings):
        async with openai.AsyncOpenAI(**settings) as client:
            found = await ask(client)
            if isinstance(found, openai.AsyncStream):
                return [chunk async for chunk in found]
            return found

    def chat(self, house, messages=None, options=None, **fields):
        """Ask for a chat with a house's first model."""
        fields = {"model": house.model, "messages": messages or HELLO, **fields}
        return self.do(
            house.secret, lambda c: c.chat.completions.create(**fields), **(options or {})
        )

    def refused(self, kind, house, messages=None, options=None, **fields):
        """Return the exception, of exactly this kind, that a chat ends with."""
        with pytest.raises(openai.APIError) as caught:
            self.chat(house, messages, options, **fields)
        assert type(caught.value) is kind, caught.value
        return caught.value
