"""The process of the models, for real."""
