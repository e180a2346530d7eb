"""Everything of a node that an issue needs, in one archive, and nothing that looks secret.

`archive` is the only way into it, and what goes through has its secrets taken out by `redact`.
"""
