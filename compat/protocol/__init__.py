"""ComfyUI's HTTP and WebSocket protocol over the jobs of this server, for the programs that speak it."""

from compat.protocol.routes import peer_routes

__all__ = ("peer_routes",)
