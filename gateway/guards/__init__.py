"""Webhook guards: a tenant's own endpoints, which inspect texts and answer with findings."""
