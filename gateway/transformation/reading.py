"""A declared transformation, read with every fault at its place. Pure."""

from collections.abc import Iterable
from typing import Any

import orjson

from gateway.exchange import Endpoint
from gateway.transformation import mapping, operations, schema
from gateway.transformation.answers import NO_CUTS, Cuts
from gateway.transformation.circumstances import USER_FIELDS, is_name
from gateway.transformation.document import Headers, Step, Transformation
from gateway.transformation.fault import Fault, UnfitTransformation
from gateway.transformation.plain import Tree, value_of
from gateway.transformation.pointer import Pointer
from gateway.transformation.prompts import PROMPTED, Place, Prompt
from policies.pdp import fields
from policies.pdp.fields import Fields, Read
from policies.pdp.nodes import Mapping, Node, fault
from policies.pdp.problem import PolicyError

STEPS_MAX = 10
BYTES_MAX = 64 * 1024
PROMPT_MAX = 16_000
EXPRESSIONS_MAX = 30

KEYS = (
    "endpoints",
    "mapping",
    "rename",
    "remove",
    "defaults",
    "force",
    "clamp",
    "system_prompt",
    "user",
    "inject",
    "schema",
    "headers",
    "answer",
)
ENDPOINTS: tuple[Endpoint, ...] = tuple(
    endpoint for endpoint in Endpoint if endpoint not in (Endpoint.MODELS, Endpoint.TRANSCRIPTIONS)
)
"""Those that take a JSON body."""

NOTHING = Transformation((), ())


def reader(*, of_route: bool) -> Read[Transformation]:
    """Return what reads a transformation of a route, or of an app.

    A route's is found by the model that a call names, so it may not change that.
    """
    read_steps = fields.listing(lambda node: _step(node, of_route=of_route), STEPS_MAX)

    def read(node: Node) -> Transformation:
        steps = read_steps(node)
        plain = tuple(value_of(node))
        if len(orjson.dumps(plain)) > BYTES_MAX:
            raise fault(node.at, f"a transformation has at most {BYTES_MAX} bytes")
        return Transformation(plain, steps)

    return read


def of_plain(value: Any, *, of_route: bool) -> Transformation:
    """Return the transformation that a JSON value is; UnfitTransformation tells every fault."""
    tree: Tree | None = None
    try:
        tree = Tree(value)
        return reader(of_route=of_route)(tree.root)
    except PolicyError as error:
        raise UnfitTransformation(
            Fault(
                tree.pointer((problem.line, problem.column)) if tree is not None else "",
                f"{problem.message} ({problem.hint})" if problem.hint else problem.message,
            )
            for problem in error.problems
        ) from None


def of_canonical(text: str, *, of_route: bool) -> Transformation:
    """Return the transformation of a canonical text."""
    return of_plain(orjson.loads(text), of_route=of_route) if text else NOTHING


def _step(node: Node, *, of_route: bool) -> Step:
    keys = Fields(node, "a step of a transformation", KEYS)
    nowhere: frozenset[Endpoint] = frozenset()
    no_headers: tuple[Headers, Headers] = ((), ())
    headers = keys.optional("headers", operations.headers, no_headers)
    step = Step(
        endpoints=keys.required("endpoints", _endpoints, nowhere),
        mapping=keys.optional("mapping", lambda inner: _mapping(inner, of_route=of_route), None),
        rename=keys.optional("rename", operations.renames, ()),
        remove=keys.optional("remove", operations.pointers, ()),
        defaults=keys.optional("defaults", operations.values, ()),
        force=keys.optional("force", operations.values, ()),
        clamp=keys.optional("clamp", operations.clamps, ()),
        system_prompt=keys.optional("system_prompt", _prompt, None),
        user=keys.optional("user", fields.only_true, default=False),
        inject=keys.optional("inject", _injections, ()),
        schema=keys.optional("schema", schema.read, None),
        provider_headers=headers[0],
        answer_headers=headers[1],
        cuts=keys.optional("answer", _cuts, NO_CUTS),
    )
    _note_placeless(keys, step)
    if of_route:
        _note_model(keys, step)
    keys.finish()
    return step


def _endpoints(node: Node) -> frozenset[Endpoint]:
    named = fields.listing(fields.choice(ENDPOINTS), len(ENDPOINTS))(node)
    if not named:
        raise fault(node.at, "a step names at least one endpoint")
    return frozenset(named)


def _note_placeless(keys: Fields, step: Step) -> None:
    """Note what has no place in the bodies of an endpoint of the step."""
    wanted: tuple[tuple[str, bool, Iterable[Endpoint]], ...] = (
        ("system_prompt", step.system_prompt is not None, PROMPTED),
        ("user", step.user, USER_FIELDS),
    )
    for key, is_said, having in wanted:
        missing = sorted(step.endpoints - frozenset(having)) if is_said else ()
        if missing:
            message = f"requests of {', '.join(missing)} have no place for it"
            keys.note(keys.value_at(key), message, f"only those of {', '.join(having)}")


def _note_model(keys: Fields, step: Step) -> None:
    """Note what would change the model by which the route was found."""
    changing = {
        "rename": [at for pair in step.rename for at in pair],
        "remove": step.remove,
        "defaults": [at for at, _ in step.defaults],
        "force": [at for at, _ in step.force],
        "inject": [at for at, _ in step.inject],
    }
    for key, pointers in changing.items():
        if any(at[0] == "model" for at in pointers):
            message = "the transformation of a model cannot change /model: by it, it was found"
            keys.note(keys.value_at(key), message, "an app's can")


def _prompt(node: Node) -> Prompt:
    read_text = fields.text(PROMPT_MAX)
    if not isinstance(node, Mapping):
        return Prompt(read_text(node).text)
    keys = Fields(node, "system_prompt", ("text", "place"))
    prompt = Prompt(
        keys.required("text", lambda inner: read_text(inner).text, ""),
        keys.optional("place", fields.choice(Place), Place.BEFORE),
    )
    keys.finish()
    return prompt


def _mapping(node: Node, *, of_route: bool) -> mapping.Mapping | None:
    keys = Fields(node, "mapping", ("format", "to", "keep", "optional"))
    form = keys.required("format", schema.read, None)
    nothing: tuple[tuple[str, mapping.Expression], ...] = ()
    made = keys.required("to", _expressions, nothing)
    named = fields.listing(lambda inner: fields.text(64)(inner).text, EXPRESSIONS_MAX)
    usual: tuple[str, ...] = mapping.KEPT
    kept = keys.optional("keep", named, usual)
    if sum(mapping.growth(expression) for _, expression in made) > mapping.GROWTH_MAX:
        message = f"what these make may hold the client's body more than {mapping.GROWTH_MAX} times"
        keys.note(keys.value_at("to"), message)
    if of_route and any(name == "model" for name, _ in made):
        keys.note(keys.value_at("to"), "the transformation of a model cannot change its name")
    if of_route and "model" not in kept:
        kept = (*kept, "model")
    optional = keys.optional("optional", fields.flag, default=False)
    keys.finish()
    return None if form is None else mapping.Mapping(form, made, kept, optional)


def _expressions(node: Node) -> tuple[tuple[str, mapping.Expression], ...]:
    pairs = fields.pairs(node, "to")
    if len(pairs) > EXPRESSIONS_MAX:
        raise fault(node.at, f"a mapping makes at most {EXPRESSIONS_MAX} fields")
    return operations.gathered(pairs, lambda key, value: (key.text, mapping.expression(value)))


def _injections(node: Node) -> tuple[tuple[Pointer, str], ...]:
    return operations.placed(node, "inject", _circumstance)


def _circumstance(node: Node) -> str:
    text = fields.text(80)(node).text
    if not is_name(text):
        hint = "user, key.id, key.name, key.user, app.name, app.tier, tenant.name, conversation"
        raise fault(node.at, f'nothing is known as "{text}"', f"{hint}, tag.NAME")
    return text


def _cuts(node: Node) -> Cuts:
    keys = Fields(node, "answer", ("remove", "remove_from_events"))
    cuts = Cuts(
        keys.optional("remove", operations.pointers, ()),
        keys.optional("remove_from_events", operations.pointers, ()),
    )
    if ("type",) in cuts.events:
        keys.note(keys.value_at("remove_from_events"), "an event without /type is none")
    keys.finish()
    return cuts
