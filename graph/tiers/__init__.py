"""Where results are kept: memory of the device, memory of the host, disk; each a tier with a budget in bytes."""
