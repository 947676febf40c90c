"""The container engine of this machine, for networks that live in it.

`client` asks it, `belongings` finds and removes what is a network's, `subnets` chooses addresses.
"""
