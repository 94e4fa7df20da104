"""HTTP/2 through the gateway: real clients, real servers, raw frames."""
