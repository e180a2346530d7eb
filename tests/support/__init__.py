"""What tests share: network namespaces that they make, and plugins run as a runtime runs them."""
