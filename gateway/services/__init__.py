"""Every write to the catalogue, split by noun. Each concerns the platform: all tenants hear."""
