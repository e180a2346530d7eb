"""The plugins' binaries on a node: into which folder they belong, and how they get there without a moment of none."""
