"""Records as gateways ship them: taken in, checked, kept for as long as the rules say."""
