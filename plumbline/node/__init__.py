"""What a node is like: PFs, VFs, representors, and who has them. One source a module; nothing here changes anything."""
