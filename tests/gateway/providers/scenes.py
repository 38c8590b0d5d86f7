"""What models answer, in the words of every provider, by dialect and name."""

from tests.gateway.providers.told import Told, anthropic_scenes, openai_scenes
from tests.gateway.providers.told_clouds import azure_scenes, bedrock_scenes, gemini_scenes

SCENES: dict[tuple[str, str], Told] = {
    (dialect, name): told
    for dialect, scenes in (
        ("openai", openai_scenes),
        ("anthropic", anthropic_scenes),
        ("azure-openai", azure_scenes),
        ("gemini", gemini_scenes),
        ("bedrock", bedrock_scenes),
    )
    for name, told in scenes()
}
