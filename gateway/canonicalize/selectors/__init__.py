"""How the entry of a request is found where method and path alone don't tell."""
