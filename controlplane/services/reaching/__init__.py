"""How people and collectors hear of things: channels, notices, links, streams."""
