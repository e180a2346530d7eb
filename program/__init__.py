"""From a plugin to a single file: a static CPython that was started, and loaded the plugin's modules, at the build."""
