"""The CNI plugins of the suite, one package each."""
