"""The signs of a prompt injection: the wordings that show each, and how much it weighs. Pure.

A signal has a weight out of 100. The weights of the different signals in one leaf add up, to 100 at
most: from 60 on, one alone is reason enough to act; less is a hint. These are precise signs of
known wordings, not a protection: whatever says the same in other words passes.

Wordings are written in a small notation over RE2: a space is what may stand between two words,
`<list>` is one word of a list, `<list*3>` up to three of them. They match in any case, and have no
accents, since they are read in views without accents too.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

MENTION: Final = "injection_mention"
"""Stands in for a signal that is forbidden or told of, as in "never reveal your system prompt"."""

TAGS: Final = "unicode_tags"
SELECTORS: Final = "variation_selectors"
CARRIER_LENGTH: Final = 4
"""Characters hidden in a text before that alone is a signal."""

# Between two words, markup included; an underscore alone makes one name of them.
_BETWEEN: Final = r"(?:[\s,.*\"'`~>|:-]_?|_[\s,.*\"'`~>|:-]){1,4}"

_WORDS: Final[Mapping[str, str]] = {
    # English
    "ignore": "ignore|ignoring|disregard|disregarding|forget|forgetting|discard|neglect"
    "|(?:do not|don.?t|stop|no longer) (?:follow|following|obey|obeying|adhere to|listen to)"
    "|(?:do not|don.?t|stop) comply(?:ing)? with|pay no attention to",
    "override": "override|bypass|abandon|break|delete|erase|reset|set aside|throw away",
    "drop": "ignore|disregard|forget|discard|erase",
    "any": "all|any|every|each|of|the|these|those|this|that|such|other|and|or|your|our|its"
    "|said|stated|given|current|own|entire|whole|previous|prior|earlier|system",
    "earlier": "previous|previously given|prior|above|preceding|earlier|foregoing|former|initial"
    "|original|past|system|developer",
    "rules": "instructions?|prompts?|directives|guidelines|guidance|rules|commands|constraints"
    "|restrictions|programming",
    "given": "above|so far|(?:that )?you (?:were|have been|had been|ve been|are) (?:previously "
    "|initially |originally |already )?(?:given|told|provided|programmed with|issued)"
    "|(?:that )?you (?:received|got|must follow|have to follow)"
    "|(?:given |written |stated )(?:above|before|earlier|previously)"
    "|(?:in|from|of) (?:the|your) (?:system|initial|original|developer) (?:prompt|message)"
    "|(?:from|by|of) (?:the )?(?:system|developers?|openai|anthropic|your (?:creators?|makers?))",
    "told": "told|said|instructed|given|programmed|taught|written|stated",
    "show": "reveal|revealing|show|showing|print|printing|output|outputting|display|repeat"
    "|repeating|recite|echo|disclose|divulge|expose|leak|dump|spill|share|send|return|state|list"
    "|quote|paste|provide|summari[sz]e|paraphrase|translate|encode|tell me|tell us|give me|give us"
    "|write out|write down|spell out|read out|type out|what is|what.?s|what are|what were|what was"
    "|let me see|i (?:want|need|would like) to (?:see|know|read)",
    "divulge": "reveal|print|output|recite|divulge|disclose|expose|leak|dump",
    "filler": "me|us|to|all|of|out|with|back|verbatim|exactly|now|please|the|full|entire|complete"
    "|whole|exact|raw|contents?|text|details|first|everything|in|about|it|is",
    "hidden": "system|initial|original|hidden|secret|developer|underlying|confidential",
    "secret": "system|hidden|secret|developer",
    "text": "pre.?prompts?|prompts?|instructions?|directives?|rules|guidelines|configuration",
    # German
    "de:ignore": "ignoriere?|ignorieren|ignoriert|vergiss|vergesst|vergessen|missachte|missachten"
    "|verwirf|verwerfen|(?:u|ue)berschreiben?|beachte nicht|befolge nicht",
    "de:any": "sie|alle|aller|allen|samtliche|jede|die|der|den|das|deine|deinen|ihre|ihren|eure"
    "|diese|dieser|von|dir|mir|gegebenen",
    "de:earlier": "vorherigen?|vorigen?|bisherigen?|obigen?|obenstehenden?|fr(?:u|ue)heren?"
    "|vorangegangenen?|vorangehenden?|urspr(?:u|ue)nglichen?|zuvor gegebenen|oben genannten",
    "de:rules": "anweisung|anweisungen|instruktionen|befehle|vorgaben|regeln|richtlinien"
    "|anleitungen|systemprompts?|prompts?",
    # Spanish
    "es:ignore": "ignora|ignorad|ignorar|ignore|ignoren|olvida|olvide|olviden|olvidar|descarta"
    "|descarte|desatiende|omite|omita|haz caso omiso|haga caso omiso"
    "|no (?:sigas|siga|obedezcas|obedezca|hagas caso)",
    "es:any": "todas|todos|cualquier|cada|de|a|las|los|la|tus|sus|vuestras|estas|esas|otras",
    "es:earlier": "anterior|anteriores|previas|previos|precedentes|de arriba|originales|iniciales",
    "es:rules": "instruccion|instrucciones|ordenes|reglas|indicaciones|directrices|directivas"
    "|restricciones|normas",
    # French
    "fr:ignore": "ignore|ignores|ignorez|ignorer|oublie|oublies|oubliez|oublier|neglige|negligez"
    "|(?:tiens|tenez) (?:pas|aucun) compte|fais abstraction|faites abstraction"
    "|ne (?:suis|suivez|respecte|respectez) (?:pas|plus)|passe outre|passez outre",
    "fr:any": "de|d|toutes?|tous|les?|la|l|tes|vos|ces|des|aux?|ses",
    "fr:earlier": "precedentes?|precedents?|anterieures?|anterieurs?|ci dessus|initiales?"
    "|d origine|d avant|(?:recues|donnees|qui precedent|donnees avant)",
    "fr:rules": "instructions?|consignes?|directives?|regles?|ordres|commandes|restrictions",
    "few": "[a-z]{1,12}",
    "piece": "[a-z0-9._-]{1,16}",
    # What an assistant is told to be
    "unbound": "unrestricted|unfiltered|uncensored|unaligned|unbound|unchained|jailbroken|amoral"
    "|rule.?free|limitless|without (?:any )?(?:restrictions|limits|limitations|filters|censorship"
    "|guidelines|ethics|morals|rules)|with no (?:restrictions|limits|limitations|filters"
    "|censorship|guidelines|ethics|morals|rules)|(?:that|which|who) (?:has|have) no (?:restrictions"
    "|limits|limitations|filters|guidelines|ethics|morals|rules)",
    "machine": "ai|a\\.i\\.|assistant|model|language model|llm|chat ?bot|bot|agent|chatgpt|gpt"
    "|claude|gemini|copilot|ai (?:model|assistant|agent|system)",
}

# Without one of these after it, the wording names a thing: "the system prompt column".
_ENDS: Final = (
    r"(?:\s*(?:$|[.,;:!?\"')\]\n`*|>])| (?:and|or|verbatim|word for word|exactly|now|please)\b)"
)
_ENDS_OF_YOURS: Final = (
    rf"(?:{_ENDS}| (?:in|as|to|above|for|with|here|so|but|without|starting|inside)\b)"
)


class Signal(NamedTuple):
    """A kind of finding, its weight out of 100, and the RE2 patterns that show it."""

    kind: str
    weight: int
    patterns: tuple[str, ...]


def _signal(kind: str, weight: int, *wordings: str) -> Signal:
    return Signal(kind, weight, tuple(_pattern(wording) for wording in wordings))


def _pattern(wording: str) -> str:
    """Return the RE2 pattern of a wording."""
    listed = re.sub(r"<([\w:]+)(?:\*(\d))?>", _listed, wording)
    return rf"(?i)\b{listed.replace(' ', _BETWEEN)}"


def _listed(name: re.Match[str]) -> str:
    one = f"(?:{_WORDS[name[1]]})"
    return f"(?:{one} ){{0,{name[2]}}}" if name[2] else one


SIGNALS: Final = (
    _signal(
        "instruction_override",
        70,
        r"<ignore> <any*5><earlier> <any*3><rules>\b",
        r"<ignore> <any*4><rules> <any*1><given>\b",
        r"(?:<ignore>|<override>) <any*2>your <any*3>(?:<rules>|training)\b",
        r"<override> <any*3>(?:system|developer) (?:prompts?|instructions?)\b",
        r"<de:ignore> <de:any*4><de:earlier> <de:rules>\b",
        r"<de:ignore> (?:alle )?(?:deine|ihre|eure) <de:rules>\b",
        r"<es:ignore> <es:any*4><es:rules> <es:earlier>\b",
        r"<es:ignore> <es:any*4><es:earlier> <es:rules>\b",
        r"<es:ignore> (?:todas )?tus <es:rules>\b",
        r"<fr:ignore> <fr:any*4><fr:rules> <fr:earlier>\b",
        r"<fr:ignore> <fr:any*4><fr:earlier> <fr:rules>\b",
        r"<fr:ignore> (?:toutes )?(?:tes|vos) <fr:rules>\b",
    ),
    _signal(
        "context_reset",
        60,
        r"<drop> (?:everything|anything|all|whatever|what) "
        r"(?:of |that |which |is |was |came )*(?:above|before|preceding|prior to this)\b",
        r"<drop> (?:everything|anything|all|whatever|what) "
        r"(?:of |that |which )*you (?:were|was|have been|had been|ve been|are) (?:ever )?<told>\b",
        r"vergiss alles (?:was )?<few*3>(?:bisher|zuvor|vorher|davor|oben|gesagt|gelernt|stand)\b",
        r"(?:olvida|ignora) todo lo (?:anterior|previo|de arriba|que te (?:han|dijeron))\b",
        r"(?:oublie[zr]?|ignore[zr]?) tout ce qu.? ?<few*3>(?:precede|avant|dessus|dit)\b",
    ),
    _signal(
        "new_instructions",
        35,
        r"(?:new|updated|revised|real|actual|true) (?:system )?(?:instructions?|directives?|prompt)"
        r"\s*(?::|are\b|is\b)",
        r"from now on you (?:will|must|shall|are|only|should)\b",
        r"you (?:are|re) (?:now )?(?:free|released|freed|liberated) (?:from|of) <any*3><rules>\b",
    ),
    _signal(
        "prompt_extraction",
        70,
        rf"<show> <filler*6>(?:your|its) <filler*2><hidden*2><hidden> <text>{_ENDS_OF_YOURS}",
        rf"<show> <filler*6>(?:your|its) <filler*2><secret> messages?{_ENDS_OF_YOURS}",
        rf"<show> <filler*6>your <filler*2>(?:pre.?)?prompt{_ENDS_OF_YOURS}",
        rf"<show> <filler*6>system prompts?{_ENDS}",
        rf"<divulge> <filler*4>(?:your|these) <filler*2>(?:instructions?|directives?|rules){_ENDS}",
        r"(?:zeige?|verrate|nenne?|gib|wiederhole|drucke) <few*4>(?:system.?prompt|systemanweisung"
        r"|systemanweisungen|systemnachricht)\b",
        r"(?:muestra|muestrame|revela|revelame|repite|imprime|dime) <few*4>(?:prompt (?:del? )?"
        r"sistema|instrucciones (?:del sistema|iniciales|ocultas))\b",
        r"(?:montre|revele|affiche|repete|donne|dis).? ?<few*5>(?:(?:prompt|invite|message"
        r"|instructions?) (?:du |de )?systeme|instructions (?:initiales|cachees))\b",
    ),
    _signal(
        "text_above_extraction",
        60,
        r"(?:repeat|recite|output|print|echo) <filler*4>(?:everything|all|text|words|contents?"
        r"|instructions) <filler*2>(?:written |given |that is )?(?:above|before|preceding|prior to)"
        rf"(?: this)?(?: (?:line|point|message|sentence|conversation))?{_ENDS_OF_YOURS}",
    ),
    _signal(
        "own_rules_question",
        35,
        r"(?:what are|what were|what is) <filler*2>your (?:exact |full |own |first |main )?"
        rf"(?:instructions?|directives?|rules|guidelines|constraints){_ENDS}",
        r"(?:what|how) (?:were|have|are) you (?:been )?(?:told|instructed|prompted|programmed)\b",
    ),
    _signal(
        "role_reassignment",
        60,
        r"(?:you are|you re|act as|acting as|pretend (?:to be|that you are|you are)|behave"
        r" (?:as|like)"
        r"|become|simulate|roleplay as|play the role of|imagine (?:that )?you are) "
        r"(?:now |from now on |an? |the |like |as )*<few*3>(?:<unbound>)\b",
        r"pretend (?:that )?you (?:have|had) no (?:restrictions|limits|limitations|filters"
        r"|guidelines|ethics|morals|rules|policies)\b",
        r"you are (?:now |going to (?:be|act as) )?(?:called |named )?(?:dan|d\.a\.n\.?|stan"
        r"|aim|evil"
        r".?gpt|evil.?bot|do anything now)\b",
    ),
    _signal(
        "jailbreak_mode",
        60,
        r"(?:jailbreak|dan|god|unrestricted|unfiltered|uncensored|no.?filter|evil|chaos|opposite"
        r"|anti.?gpt) mode\b",
        r"(?:enter|switch to|go into|you are (?:now )?in|respond (?:as|in)|answer in) "
        r"(?:the )?(?:developer|debug|admin|administrator|root|sudo|maintenance|test(?:ing)?"
        r"|diagnostic) mode\b",
        r"chat ?gpt with developer mode\b",
    ),
    _signal("developer_mode", 25, r"developer mode (?:is )?(?:now )?(?:enabled|activated)\b"),
    _signal(
        "decode_and_obey",
        60,
        r"(?:decode|decrypt|decipher|unscramble|reverse|deobfuscate|translate) <piece*6>(?:and"
        r"|then) "
        r"(?:then )?(?:follow|obey|execute|carry out|comply with|act on|do what) <few*4>"
        r"(?:it|them|instructions?|commands?|says?|message|text|result)\b",
    ),
    _signal(
        "forced_opening",
        45,
        r"(?:begin|start|open|prefix|preface) (?:your|the|every|each) <few*1>(?:reply|response"
        r"|answer"
        r"|message|output) with (?:the (?:words?|phrase) )?(?:absolutely|sure|of course|certainly"
        r"|yes|happy to|here is|here.?s)\b",
        r"(?:only )?(?:reply|respond|answer|say|print|output) <few*2>(?:only |exactly |just"
        r" )*(?:with )?"
        r"(?:the words? |the phrase )?(?:i have been |you have been |haha )?(?:pwned|hacked"
        r"|owned)\b",
        r"(?:do not|don.?t|never|must not) (?:ever )?(?:refuse|decline|say (?:that )?you"
        r" (?:can ?not"
        r"|can.?t)) <few*4>(?:request|answer|question|anything|instruction|command|comply)s?\b",
    ),
    _signal(
        "task_hijack",
        50,
        r"instead of (?:translating|summari[sz]ing|answering|following|doing|completing"
        r"|analy[sz]ing"
        r"|reviewing|classifying) <few*5>(?:please |just |you (?:should|must|will) )?(?:say|write"
        r"|print|output|reply|respond|tell|send|reveal|show|answer|repeat|execute)\b",
        r"(?:stop|cancel|abort|drop) (?:the |your |this )?(?:translation|summary|summarization"
        r"|analysis|current task|task|previous task) (?:and|then) (?:instead )?(?:say|write|print"
        r"|output|reply|respond|tell|send|reveal|show|do|execute|follow)\b",
    ),
    _signal(
        "addressed_to_machine",
        45,
        r"if you are (?:an? |the )<few*2>(?:<machine>) (?:reading|processing|summari[sz]ing"
        r"|reviewing"
        r"|analy[sz]ing|evaluating|screening|parsing)\b",
        r"(?:note|message|instructions?|attention|important|hidden message) (?:to|for) (?:the "
        r"|any |all )?"
        r"(?:<machine>)s? (?:reading|processing|summari[sz]ing|reviewing|analy[sz]ing|evaluating"
        r"|screening|parsing|who|that|which)\b",
        r"(?:<machine>)s? (?:reading|processing|summari[sz]ing|reviewing|screening) this"
        r" (?:text|page"
        r"|document|message|e.?mail|resume|cv|comment|ticket|website)? ?(?:must|should|shall|will"
        r"|is (?:required|instructed|asked)|are (?:required|instructed|asked))\b",
    ),
    Signal(
        "chat_template",
        60,
        (
            r"<\|(?:im_start|im_end|im_sep|system|user|assistant|endoftext|endofprompt|eot_id"
            r"|start_header_id|end_header_id|begin_of_text|end_of_text)\|>",
            r"(?:<<SYS>>|<</SYS>>|\[/INST\]|<start_of_turn>|<end_of_turn>)",
            r"(?i)</(?:system|system_prompt|system-prompt|instructions|user_input|untrusted"
            r"|prompt)>"
            r"\s*<(?:system|instructions|assistant|user|admin)>",
            r"(?i)[-=#*]{2,}\s*(?:end of|end) (?:the )?(?:user(?:'s)? (?:input|message|text)"
            r"|untrusted (?:text|input)|system prompt|document|context|data)\s*[-=#*]{2,}",
        ),
    ),
    Signal(
        "exfiltrating_image",
        60,
        (
            r"(?i)!\[[^\]\n]{0,200}\]\(\s*<?https?://[^)\s>]{1,500}[?&][a-z0-9_.-]{1,40}="
            r"(?:\{|\[|<|\$|%7b|%5b|%3c|%24)",
            r"(?i)<img\b[^>\n]{0,200}\bsrc\s*=\s*[\"']?https?://[^\"'\s>]{1,500}[?&]"
            r"[a-z0-9_.-]{1,40}=(?:\{|\[|\$|%7b|%5b|%24)",
        ),
    ),
    Signal(
        "many_shot",
        30,
        (
            r"(?i)\b(?:(?:human|user)[*]*:[^\n]*\n+[ \t>*#-]*(?:assistant|ai)[*]*:[^\n]*\n*"
            r"[ \t>*#-]*){8}",
        ),
    ),
    _signal(MENTION, 20),
    _signal(TAGS, 60),
    _signal(SELECTORS, 60),
)

_FORBIDDEN: Final = (
    "(?:never|do not|don.?t|must not|mustn.?t|should not|shouldn.?t|may not|cannot|can.?t|won.?t"
    "|will not|not to|refuses? to|avoid|without) (?:ever )?(?:(?:attempt|try) to )?"
)
_TOLD: Final = (
    "(?:asks|tells|instructs|tries|attempts|requests|wants|orders)"
    "(?: (?:you|it|the (?:model|assistant|ai|bot)))? to "
)
BEFORE_MENTION: Final = _pattern(f"(?:{_FORBIDDEN}|{_TOLD})$")
"""What stands right before a mention. "I ask you to ..." tells of nobody else, and is meant."""
