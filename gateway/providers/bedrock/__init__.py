"""The Converse API of Amazon Bedrock, provider side: its bodies, its stream, its signatures."""
