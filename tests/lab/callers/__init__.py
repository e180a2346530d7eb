"""Programs that call our binaries on users' nodes do so here: container runtimes, with pods and containers on VFs."""
