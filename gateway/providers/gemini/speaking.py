"""The Gemini API on the provider's side of a translation: a conversation is written as a request,
an answer is read as a reply. Pure."""

from gateway.exchange import Body, Endpoint
from gateway.providers.conversation import (
    Conversation,
    Tool,
    Written,
    are_named,
    details,
    system_text,
)
from gateway.providers.dialect import Target
from gateway.providers.gemini.content import contents, generation
from gateway.providers.gemini.reading import ContentReader, reply
from gateway.providers.reply import Reply

_MODES = {"auto": "AUTO", "none": "NONE", "required": "ANY"}
_RESOLUTIONS = {"low": "MEDIA_RESOLUTION_LOW", "high": "MEDIA_RESOLUTION_HIGH"}
_LEVELS = {"minimal": "MINIMAL", "low": "LOW", "medium": "MEDIUM"}
_BUDGETS = {"none": 0, "minimal": 512, "low": 1024, "medium": 8192}
_MOST = "HIGH"
_MOST_BUDGET = 24_576
_BUDGETED = 2
"""The generation whose thinking is bounded in tokens; later ones take a level."""


class GeminiChat:
    """generateContent and streamGenerateContent."""

    operation = Endpoint.CHAT

    def written(self, conversation: Conversation, target: Target) -> Written:
        """Return a conversation as a request. Its model stands in the address, not in the body."""
        thinking = _thinking(conversation.effort, target.model)
        resolution, too_fine = _resolution(conversation)
        config = _config(conversation, target.cap)
        config |= {
            name: value
            for name, value in (("thinkingConfig", thinking), ("mediaResolution", resolution))
            if value
        }
        body: Body = {
            "contents": contents(conversation.turns, target.model),
            "generationConfig": config,
        }
        if system := system_text(conversation.turns):
            body["systemInstruction"] = {"parts": [{"text": system}]}
        if conversation.tools:
            body["tools"] = [{"functionDeclarations": [_tool(t) for t in conversation.tools]}]
            body["toolConfig"] = {"functionCallingConfig": _calling(conversation)}
        left_out = [*conversation.other]
        left_out += ["name"] if are_named(conversation.turns) else []
        left_out += ["user"] if conversation.user else []
        left_out += ["parallel"] if conversation.parallel is False and conversation.tools else []
        left_out += ["effort"] if conversation.effort and thinking is None else []
        return Written(body, (*left_out, *too_fine))

    def reply(self, raw: bytes) -> Reply:
        """Return what a whole answer says."""
        return reply(raw)

    def reader(self, limit: int) -> ContentReader:
        """Return the reader of one stream."""
        return ContentReader(limit)


def _config(asked: Conversation, cap: int) -> Body:
    config = {
        "maxOutputTokens": cap,
        "temperature": asked.temperature,
        "topP": asked.top_p,
        "topK": asked.top_k,
        "stopSequences": list(asked.stop) or None,
        "seed": asked.seed,
        "presencePenalty": asked.presence_penalty,
        "frequencyPenalty": asked.frequency_penalty,
        "candidateCount": asked.n if asked.n > 1 else None,
        "responseMimeType": None if asked.format is None else "application/json",
        "responseJsonSchema": None if asked.format is None else asked.format.schema,
    }
    return {name: value for name, value in config.items() if value is not None}


def _thinking(effort: str, model: str) -> Body | None:
    """Return how to think, None where that was not asked for, or cannot be had from this model.

    Models of the second generation take tokens, and can be told not to think; later ones take a
    level, and think always.
    """
    if not effort:
        return None
    if generation(model) == _BUDGETED:
        if "gemini-2.0" in model:
            return {} if effort == "none" else None
        budget = _BUDGETS.get(effort, _MOST_BUDGET)
        return {"thinkingBudget": budget, **({"includeThoughts": True} if budget else {})}
    if effort == "none":
        return None
    return {"thinkingLevel": _LEVELS.get(effort, _MOST), "includeThoughts": True}


def _resolution(asked: Conversation) -> tuple[str | None, list[str]]:
    """Return how closely media are looked at, which is one for all, and what that leaves out."""
    wanted = details(asked.turns)
    if len(wanted) > 1 or not wanted <= _RESOLUTIONS.keys():
        return None, ["detail"]
    return next((_RESOLUTIONS[detail] for detail in wanted), None), []


def _tool(tool: Tool) -> Body:
    told: Body = {"name": tool.name, "parametersJsonSchema": tool.schema}
    return {**told, "description": tool.description} if tool.description else told


def _calling(asked: Conversation) -> Body:
    """Return which tools may be called; calls that must keep to their schemas are validated."""
    choice = asked.tool_choice
    if choice is not None and choice.name:
        return {"mode": "ANY", "allowedFunctionNames": [choice.name]}
    mode = _MODES["auto" if choice is None else choice.mode]
    strict = mode == "AUTO" and any(tool.strict for tool in asked.tools)
    return {"mode": "VALIDATED" if strict else mode}
