"""Measurements beside the reference plugins: `make bench`. No test depends on them."""
