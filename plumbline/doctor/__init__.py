"""Is this node fit for pods with VFs? A look (`facts`), a table of small checks over it (`checks`), and what they find.

Each check is a function of one idea in the module of its theme, pure over `Facts`: `pci`, `links`, `records`,
`configuration`, `installation`.
"""
