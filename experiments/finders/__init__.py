"""How well the face finder finds faces, on pictures whose faces are known."""
