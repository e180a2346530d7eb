"""Modules that take the place of the standard library's while classes are made; see program.contents."""
