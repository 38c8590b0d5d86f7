"""A first call in three languages, ready to be pasted. Pure."""

CURL = """\
curl {base_url}/v1/chat/completions \\
  -H "Authorization: Bearer {secret}" -H "Content-Type: application/json" \\
  -d '{{"model": "{model}", "messages": [{{"role": "user", "content": "Hello"}}]}}'"""
PYTHON = """\
from openai import OpenAI

client = OpenAI(base_url="{base_url}/v1", api_key="{secret}")
answer = client.chat.completions.create(
    model="{model}", messages=[{{"role": "user", "content": "Hello"}}]
)
print(answer.choices[0].message.content)"""
NODE = """\
import OpenAI from "openai";

const client = new OpenAI({{ baseURL: "{base_url}/v1", apiKey: "{secret}" }});
const answer = await client.chat.completions.create({{
  model: "{model}", messages: [{{ role: "user", content: "Hello" }}],
}});
console.log(answer.choices[0].message.content);"""
LANGUAGES = (("curl", "curl", CURL), ("python", "Python", PYTHON), ("node", "Node", NODE))


def snippets(base_url: str, secret: str, model: str) -> list[tuple[str, str, str]]:
    """Return an id, a name and a text for each language."""
    given = {"base_url": base_url, "secret": secret, "model": model or "MODEL"}
    return [(key, name, text.format(**given)) for key, name, text in LANGUAGES]
