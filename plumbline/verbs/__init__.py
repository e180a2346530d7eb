"""The verbs: each module one, or those that belong together."""
