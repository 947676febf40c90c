"""Programs that run inside a network's namespaces: each file by itself, standard library only."""
