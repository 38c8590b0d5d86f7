"""What it means that a constraint of the database refuses a row. Pure."""

CONSTRAINTS = {
    "app_name_once_per_tenant": "An app of this name exists in the tenant.",
    "budget_name_once_per_owner": "A budget of this name exists there.",
    "limit_name_once_per_owner": "A limit of this name exists there.",
    "route_default_cap_within_maximum": "The default cap is at least 1 and at most the maximum.",
    "tenant_name_once": "A tenant of this name exists.",
    "user_email_once_in_any_case": "A person with this e-mail exists.",
}
"""What a row that a constraint refuses would have been."""


def in_words(message: str) -> str:
    """Say what a constraint means; other messages are sentences already."""
    return next((said for name, said in CONSTRAINTS.items() if name in message), message)
