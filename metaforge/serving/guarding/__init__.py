"""What stands between the network and the service: one guard a module, each an application around another."""
