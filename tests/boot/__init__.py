"""Tests with a machine that is switched off and on again."""
