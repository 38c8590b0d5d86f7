"""Tests of Bedrock's Converse dialect."""
