"""Every write path with its n-th system call failing, for every n, and a check that no wrong state is left."""
