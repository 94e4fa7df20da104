"""The same pipeline behind another proxy: mitmproxy brings HTTP/3, WireGuard and local capture."""
