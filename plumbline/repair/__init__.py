"""What pods have left is given back, by the engine of the plugins and under its locks: nothing is done here that a DEL
does not do.
"""
