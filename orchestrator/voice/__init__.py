"""Voices for calls: what is said, whether and how well it was heard, what a listener would say.

Rules: it needs the extra `voip`, so nobody imports it before a call is to be made; sound is mono,
int16, an array as long as it lasts, with its rate beside it.
"""
