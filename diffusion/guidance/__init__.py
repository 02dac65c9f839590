"""Guidance: how the estimates under several conditionings become one.

`rules` is what a model may bring: how classifier-free guidance joins two estimates, and when. `terms` are what may be
added, each at the cost of further calls of the network. `guides` put them together into what samplers follow.
"""
