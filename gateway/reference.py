"""The OpenAPI document as a person reads it: by noun, with fields in words and an example. Pure."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Schema = Mapping[str, Any]

DEPTH_MAX = 5
FORM = "application/x-www-form-urlencoded"
BOUNDS = {
    "minimum": "at least {}",
    "maximum": "at most {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "default": "{} unless said",
}
SAMPLES = {"uuid": "00000000-0000-0000-0000-000000000000", "date-time": "2026-01-31T00:00:00Z"}


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a body or an answer, or one parameter; `place` is where a parameter stands."""

    name: str
    kind: str
    note: str
    is_required: bool
    place: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered with one status."""

    status: str
    said: str
    media: str
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one address; `scope` is empty where no token is taken."""

    name: str
    method: str
    path: str
    said: str
    permission: str
    scope: str
    parameters: tuple[Field, ...]
    fields: tuple[Field, ...]
    done: tuple[Answer, ...]
    refused: tuple[Answer, ...]
    curl: str

    @property
    def line(self) -> str:
        """Return method and path."""
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Noun:
    """The operations of one noun."""

    name: str
    operations: tuple[Operation, ...]


def nouns(document: Schema) -> tuple[Noun, ...]:
    """Return the document by noun."""
    reader = _Reader(document)
    found: dict[str, list[Operation]] = {}
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            operation = reader.operation(path, method.upper(), described)
            found.setdefault(described["tags"][0], []).append(operation)
    return tuple(Noun(name, tuple(each)) for name, each in sorted(found.items()))


class _Reader:
    """Reads parts of one document, following its references."""

    def __init__(self, document: Schema) -> None:
        self._document = document

    def operation(self, path: str, method: str, described: Schema) -> Operation:
        said, _, rest = described["description"].partition("\n\n")
        permission = re.search(r"Permission: `([^`]+)`", rest)
        parameters = [self._followed(each) for each in described.get("parameters", [])]
        media, body = self._body(described)
        scopes = [scope for way in described["security"] for scope in way.get("oauth2", [])]
        answers = [self._answer(*each) for each in sorted(described["responses"].items())]
        return Operation(
            name=described["operationId"],
            method=method,
            path=path,
            said=said,
            permission=permission[1] if permission else rest,
            scope=scopes[0] if scopes else "",
            parameters=tuple(self._parameter(each) for each in parameters),
            fields=tuple(self._fields(body)),
            done=tuple(each for each in answers if each.status.startswith("2")),
            refused=tuple(each for each in answers if not each.status.startswith("2")),
            curl=self._curl(f"{method} {path}", parameters, media, body, bool(scopes)),
        )

    def _followed(self, part: Schema) -> Schema:
        while "$ref" in part or len(part.get("allOf", ())) == 1:
            if "$ref" not in part:
                part = part["allOf"][0]
                continue
            found: Any = self._document
            for step in part["$ref"].removeprefix("#/").split("/"):
                found = found[step]
            part = found
        return part

    def _body(self, described: Schema) -> tuple[str, Schema]:
        content = described.get("requestBody", {}).get("content", {})
        media = next(iter(content), "")
        return media, self._followed(content[media]["schema"]) if media else {}

    def _parameter(self, described: Schema) -> Field:
        kind, note = self._kind(described["schema"]), self._note(described["schema"])
        notes = [each for each in (described.get("description", ""), note) if each]
        is_required = described.get("required", False)
        return Field(described["name"], kind, " ".join(notes), is_required, described["in"])

    def _answer(self, status: str, described: Schema) -> Answer:
        described = self._followed(described)
        content = described.get("content", {})
        schema: Schema = next((each["schema"] for each in content.values()), {})
        said = described.get("description", "")
        fields = tuple(self._fields(self._followed(schema))) if status.startswith("2") else ()
        return Answer("other" if status == "default" else status, said, ", ".join(content), fields)

    def _fields(self, schema: Schema, above: str = "", depth: int = 0) -> Iterator[Field]:
        """Yield the fields of an object, and behind each those of what it holds."""
        for name, part in schema.get("properties", {}).items():
            inner = self._followed(part)
            path = f"{above}{name}"
            is_required = name in schema.get("required", ())
            yield Field(path, self._kind(part), self._note(part), is_required)
            if inner.get("type") == "array":
                inner, path = self._followed(inner["items"]), f"{path}[]"
            if depth < DEPTH_MAX:
                yield from self._fields(inner, f"{path}.", depth + 1)

    def _kind(self, part: Schema) -> str:
        schema = self._followed(part)
        is_nullable = part.get("nullable") or schema.get("nullable")
        if "enum" in schema:
            kind = " or ".join(str(value) for value in schema["enum"] if value is not None)
        elif schema.get("type") == "array":
            kind = f"list of {self._kind(schema['items'])}"
        else:
            kind = schema.get("format") or schema.get("type") or "anything"
        return f"{kind}, or null" if is_nullable else str(kind)

    def _note(self, part: Schema) -> str:
        schema = {**self._followed(part), **part}
        bounds = [text.format(schema[name]) for name, text in BOUNDS.items() if name in schema]
        said = "" if schema.get("type") == "object" else schema.get("description", "")
        bound = "; ".join(bounds)
        return f"{said} ({bound})" if said and bounds else said or bound

    def _curl(
        self, line: str, parameters: list[Schema], media: str, body: Schema, *takes_token: bool
    ) -> str:
        method, path = line.split(" ")
        asked = "&".join(
            f"{each['name']}={self._sample(each['schema'])}"
            for each in parameters
            if each["in"] == "query" and each.get("required")
        )
        lines = [f'curl --request {method} "$GATEHOUSE_URL{path}{asked and "?"}{asked}"']
        if all(takes_token):
            lines.append('--header "Authorization: Bearer $TOKEN"')
        lines += [
            f"--header '{each['name']}: $ETAG'".replace("'", '"')
            for each in parameters
            if each["name"] == "If-Match" and each.get("required")
        ]
        return " \\\n  ".join([*lines, *self._data(media, body)])

    def _data(self, media: str, body: Schema) -> list[str]:
        named = body.get("required") or list(body.get("properties", {}))[:1]
        sent = {name: self._sample(body["properties"][name]) for name in named if body}
        if media == FORM:
            pairs = [f"--data-urlencode '{name}={value}'" for name, value in sent.items()]
            return ['--user "$CLIENT_ID:$CLIENT_SECRET"', *pairs]
        if not media:
            return []
        return [f"--header 'Content-Type: {media}'", f"--data '{json.dumps(sent)}'"]

    def _sample(self, part: Schema) -> Any:
        schema = self._followed(part)
        if "enum" in schema:
            return schema["enum"][0]
        if schema.get("type") == "array":
            return [self._sample(schema["items"])]
        if schema.get("type") == "object":
            named = schema.get("required", ())
            return {name: self._sample(schema["properties"][name]) for name in named}
        plain = {"integer": schema.get("minimum", 1), "number": 1, "boolean": True}
        return SAMPLES.get(schema.get("format", ""), plain.get(schema.get("type", ""), "…"))
