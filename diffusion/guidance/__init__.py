"""Guidance as a model brings it: `rules` say how classifier-free guidance joins two estimates, and when; `terms` are
what may be added, each at the cost of further calls of the network. `diffusion.guides` applies them.
"""
