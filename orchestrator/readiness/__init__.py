"""Is the network ready? Observed in layers that a node, or a pair of nodes, reaches in turn.

`layers` is the vocabulary and the pure judgement, `probes` ask without blocking, `wait` is the one
loop.
"""
