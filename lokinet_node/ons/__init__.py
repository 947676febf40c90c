"""Names of the chain: asked over paths at several routers, believed when enough of them agree."""
