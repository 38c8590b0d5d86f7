"""What the OAuth2 server accepts: PKCE by S256 alone, and only the grants that we know."""

from typing import Any

from oauth2_provider.oauth2_validators import OAuth2Validator

from gateway.services.applications import GRANTS


class Validator(OAuth2Validator):  # type: ignore[misc]  # untyped
    """The library's validator, narrowed."""

    def validate_grant_type(
        self, client_id: str, grant_type: str, client: Any, request: Any, *args: Any, **kwargs: Any
    ) -> bool:
        """Refuse every grant of an application that no service of ours could have given it."""
        is_ours = request.client.authorization_grant_type in GRANTS
        allowed = super().validate_grant_type(
            client_id, grant_type, client, request, *args, **kwargs
        )
        return bool(is_ours and allowed)
