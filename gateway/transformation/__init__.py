"""Declared transformations of requests and answers, of a route or an app. Pure."""
