"""What is wrong with a network, as a page and a folder: gathered, judged, freed of secrets, drawn.

Rules: everything that nodes, applications and pages said is hostile; it is bounded, made printable
and escaped. Keys, tokens and path ids never get into a report. A folder is whole or not there.
"""
