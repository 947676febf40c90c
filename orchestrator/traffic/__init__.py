"""Load on a network: requests and calls such as people's programs make, and figures of them.

A job is one process of this machine. Its sockets live in the networks of nodes, so what it sends
goes the way of any program there; it belongs to its network and ends with it.
"""
