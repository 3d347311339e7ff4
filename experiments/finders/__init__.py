"""How well each face finder finds faces, on pictures whose faces are known."""
