"""Recordings of traffic, of browsers, mitmproxy and our own gateways -> the requests in them."""
