"""What the application's role may do with each table: enough to work, too little to rewrite."""

from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg import sql

APPEND_ONLY = frozenset(
    {
        "audit_event",
        "audit_record",
        "gateway_price",
        "policies_activation",
        "policies_policyversion",
        "tenants_ledgerentry",
        "tenants_ledgerposting",
    }
)
"""Tables that triggers guard as well."""

NO_UPDATE = frozenset({"gateway_bundlerevision"})
READ_ONLY = frozenset({"auth_permission", "django_content_type", "django_migrations"})

# Partitions are left out: they are reached through their table alone.
_TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') AND NOT relispartition
ORDER BY relname
"""
_PARTITION_FUNCTION = "audit_create_partitions(date, date)"


def rights_on(table: str) -> tuple[str, ...]:
    """Return the SQL privileges of the application's role on a table."""
    if table in READ_ONLY:
        return ("SELECT",)
    if table in APPEND_ONLY:
        return ("SELECT", "INSERT")
    if table in NO_UPDATE:
        return ("SELECT", "INSERT", "DELETE")
    return ("SELECT", "INSERT", "UPDATE", "DELETE")


def grant(owner: BaseDatabaseWrapper, role: str) -> None:
    """Give `role` its rights, and take all others, in one transaction of the owner's."""
    grantee = sql.Identifier(role)
    with owner.cursor() as cursor:
        cursor.execute(_TABLES)
        tables = [name for (name,) in cursor.fetchall()]
        statements = ["GRANT USAGE ON SCHEMA public TO {role}"]
        statements += [text for table in tables for text in _of_table(table)]
        statements.append("GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {role}")
        if "audit_record" in tables:
            statements.append(f"GRANT EXECUTE ON FUNCTION public.{_PARTITION_FUNCTION} TO {{role}}")
        whole = sql.SQL(";\n").join(sql.SQL(text).format(role=grantee) for text in statements)
        cursor.execute(whole.as_string(cursor.connection))


def _of_table(table: str) -> tuple[str, str]:
    return (
        f'REVOKE ALL ON public."{table}" FROM {{role}}',
        f'GRANT {", ".join(rights_on(table))} ON public."{table}" TO {{role}}',
    )
