"""How a detector does on a stranger's photographs: a collection and a kind of forgery left out together."""
