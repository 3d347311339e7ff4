"""How well regions, masks and types are found in pairs whose forgery is known."""
