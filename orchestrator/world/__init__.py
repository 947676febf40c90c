"""The world: one process that owns private namespaces and everything a network consists of.

Rules: standard library only, and little of it (it starts on every `up`); it decides nothing, it
does what it is asked over its socket; it is process 1 of its own pid namespace, so whatever ends it
ends everything in it.
"""
