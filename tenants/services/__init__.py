"""Every write to tenants, apps, keys, people, budgets and limits, split by noun."""
