"""The language of conditions: tokens, typed tree, parser, interpreter, canonical text. Pure."""
