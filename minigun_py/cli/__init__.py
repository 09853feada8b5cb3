"""The `minigun` command. Nothing below this package knows of it, nor of click and rich."""
