"""The model library: torch in, torch out; knows no node, graph or server."""
