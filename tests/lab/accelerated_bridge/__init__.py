"""accelerated-bridge on VFs whose PFs are in switchdev mode."""
