"""What a record is found by: the cause of a refusal, and the kinds that were redacted.

Neither function raises on JSON of any shape: an index must never keep evidence out. (A string with
U+0000, which no text can hold, is refused before, where the data plane's statement reads the row.)
What an index is partial by is an expression without a function of ours: it is looked at for each
row that is written, and a function in SQL that cannot be inlined costs ten times as much. The two
on redacted calls say the same in other words, so that a statement chooses between them.
"""

from django.db import migrations

MARKS = r"""
CREATE FUNCTION public.audit_cause(code text, body json) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE
    WHEN code = '' THEN NULL
    WHEN code = 'policy_denied' THEN coalesce(
      nullif(body -> 'decision' -> 'determining' -> 0 ->> 1, '')
        || ' / ' || nullif(body -> 'decision' -> 'determining' -> 0 ->> 2, ''), code)
    ELSE coalesce(nullif(body ->> 'rule', ''), code) END
$$;
CREATE FUNCTION public.audit_redactions(body json) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN json_typeof(body -> 'facts' -> 'findings') = 'array' THEN ARRAY(
    SELECT DISTINCT finding ->> 0
    FROM json_array_elements(body -> 'facts' -> 'findings') AS finding ORDER BY 1) END
$$;
CREATE INDEX record_cause ON public.audit_record
  (tenant_id, audit_cause(code, body), call_id DESC) WHERE code <> '';
CREATE INDEX record_redacted ON public.audit_record
  (tenant_id, call_id DESC) WHERE kind = 'admitted' AND body ->> 'redacted' = 'true';
CREATE INDEX record_redactions ON public.audit_record
  USING gin (audit_redactions(body)) WHERE kind = 'admitted' AND lower(body ->> 'redacted') = 'true';
"""
UNDO = """
DROP INDEX public.record_redactions;
DROP INDEX public.record_redacted;
DROP INDEX public.record_cause;
DROP FUNCTION public.audit_redactions(json);
DROP FUNCTION public.audit_cause(text, json);
"""


class Migration(migrations.Migration):
    dependencies = [
        ("audit", "0003_record_told"),
    ]

    operations = [
        migrations.RunSQL(MARKS, UNDO),
    ]
