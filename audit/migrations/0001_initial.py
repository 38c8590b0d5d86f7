"""The tables of the audit room, and what the database itself refuses."""

from django.db import migrations, models

import audit.models

RECORD = """
CREATE TABLE public.audit_record (
  day date NOT NULL,
  call_id uuid NOT NULL,
  attempt smallint NOT NULL,
  kind varchar(9) NOT NULL
    CONSTRAINT record_kind_is_known CHECK (kind IN ('refused', 'admitted', 'completed', 'lost')),
  at timestamptz NOT NULL,
  tenant_id uuid NOT NULL,
  app_id uuid,
  key_id varchar(10) NOT NULL,
  model varchar(120) NOT NULL,
  code varchar(40) NOT NULL,
  cost_micros bigint,
  body json NOT NULL,
  PRIMARY KEY (day, call_id, attempt, kind)
) PARTITION BY RANGE (day);
CREATE INDEX record_tenant_at ON public.audit_record (tenant_id, at DESC);
"""

# The last word on what is append-only: it binds the owner of the tables too.
APPEND_ONLY = """
CREATE FUNCTION public.audit_refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  RAISE EXCEPTION '% is append-only: % is refused', TG_TABLE_NAME, TG_OP
    USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION public.audit_refuse_truncate(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON %s'
    ' FOR EACH STATEMENT EXECUTE FUNCTION public.audit_refuse_change()', target);
END $$;
CREATE FUNCTION public.audit_make_append_only(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON %s'
    ' FOR EACH ROW EXECUTE FUNCTION public.audit_refuse_change()', target);
  PERFORM public.audit_refuse_truncate(target);
END $$;
REVOKE ALL ON FUNCTION public.audit_refuse_truncate(regclass) FROM PUBLIC;
REVOKE ALL ON FUNCTION public.audit_make_append_only(regclass) FROM PUBLIC;
SELECT public.audit_make_append_only('public.audit_record');
SELECT public.audit_make_append_only('public.audit_event');
"""

# Runs as the owner, so that the application's role can have partitions made without owning one.
# A partition is made apart and then attached: that lock lets calls go on being recorded. Row
# triggers and indexes come with the attachment, the guard against TRUNCATE does not.
PARTITIONS = """
CREATE FUNCTION public.audit_create_partitions(first date, last date) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp SET lock_timeout = '3s' AS $$
DECLARE
  that_day date;
  partition text;
  created integer := 0;
BEGIN
  IF first IS NULL OR last IS NULL OR last < first OR last - first > 400 THEN
    RAISE EXCEPTION 'partitions are created for 1 to 401 days, not from % to %', first, last;
  END IF;
  PERFORM pg_advisory_xact_lock(hashtextextended('audit_create_partitions', 0));
  FOR that_day IN SELECT generate_series(first, last, interval '1 day')::date LOOP
    partition := 'audit_record_' || to_char(that_day, 'YYYYMMDD');
    CONTINUE WHEN to_regclass(format('public.%I', partition)) IS NOT NULL;
    EXECUTE format('CREATE TABLE public.%I'
      ' (LIKE public.audit_record INCLUDING DEFAULTS INCLUDING CONSTRAINTS)', partition);
    EXECUTE format('ALTER TABLE public.audit_record ATTACH PARTITION public.%I'
      ' FOR VALUES FROM (%L) TO (%L)', partition, that_day, that_day + 1);
    PERFORM public.audit_refuse_truncate(format('public.%I', partition)::regclass);
    created := created + 1;
  END LOOP;
  RETURN created;
END $$;
REVOKE ALL ON FUNCTION public.audit_create_partitions(date, date) FROM PUBLIC;
SELECT public.audit_create_partitions(
  (now() AT TIME ZONE 'UTC')::date - 1, (now() AT TIME ZONE 'UTC')::date + 30
);
"""

UNDO = """
DROP TABLE public.audit_record;
DROP TRIGGER append_only ON public.audit_event;
DROP TRIGGER append_only_truncate ON public.audit_event;
DROP FUNCTION public.audit_create_partitions(date, date);
DROP FUNCTION public.audit_make_append_only(regclass);
DROP FUNCTION public.audit_refuse_truncate(regclass);
DROP FUNCTION public.audit_refuse_change();
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="Record",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day",
                        "call_id",
                        "attempt",
                        "kind",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("day", models.DateField()),
                ("call_id", models.UUIDField()),
                ("attempt", models.SmallIntegerField()),
                ("kind", models.CharField(max_length=9)),
                ("at", models.DateTimeField()),
                ("tenant_id", models.UUIDField()),
                ("app_id", models.UUIDField(null=True)),
                ("key_id", models.CharField(max_length=10)),
                ("model", models.CharField(max_length=120)),
                ("code", models.CharField(max_length=40)),
                ("cost_micros", models.BigIntegerField(null=True)),
                ("body", audit.models.WrittenJSONField()),
            ],
            options={
                "db_table": "audit_record",
                "managed": False,
            },
        ),
        migrations.CreateModel(
            name="Event",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("tenant_id", models.UUIDField(null=True)),
                ("tenant", models.CharField(blank=True, default="", max_length=63)),
                ("actor_kind", models.CharField(max_length=16)),
                ("actor", models.CharField(max_length=200)),
                ("source", models.CharField(blank=True, default="", max_length=64)),
                ("action", models.CharField(max_length=80)),
                ("object_kind", models.CharField(max_length=40)),
                ("object_id", models.CharField(blank=True, default="", max_length=64)),
                ("object_name", models.CharField(blank=True, default="", max_length=200)),
                ("before", models.JSONField(null=True)),
                ("after", models.JSONField(null=True)),
                ("reason", models.CharField(blank=True, default="", max_length=1000)),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant_id", "-id"], name="event_tenant"),
                    models.Index(fields=["action", "-id"], name="event_action"),
                ],
            },
        ),
        migrations.RunSQL(RECORD, migrations.RunSQL.noop),
        migrations.RunSQL(APPEND_ONLY, migrations.RunSQL.noop),
        migrations.RunSQL(PARTITIONS, UNDO),
    ]
