"""A Mumble client without a screen, to be measured with: what is said goes in, what came comes out.

Rules: `ocb2`, `messages`, `packets` and `session` are bytes in, bytes out; `call` alone has sockets
and a clock.
"""
