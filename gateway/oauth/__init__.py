"""How the OAuth2 server differs from the library's: whose scopes, which grants, what is kept."""
