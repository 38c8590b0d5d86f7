"""Clients and proxies of other makers before a running gateway: official SDKs of Node, NGINX."""
