"""HTTP and WebSocket: one resource a file, one gate in front of every route, no torch."""
