"""What is known of ComfyUI, here and nowhere else; server.py alone imports it."""
