"""Network configurations, read before a pod needs them by the plugins' own parsers: no rule stands here twice."""
