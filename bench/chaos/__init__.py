"""Kills of the server and its worker at random moments, and a check that nothing was lost, doubled or damaged."""
