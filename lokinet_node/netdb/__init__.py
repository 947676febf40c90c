"""Known routers: verify, keep, expire and choose contacts."""
