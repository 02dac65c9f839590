"""A pack whose module for the page fails in every way it can."""
