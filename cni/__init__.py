"""Plumbline's core library: the CNI protocol, results, kernel edges and state."""
