"""Where one image may be forged, without its pair: a head for regions on the maps of a detector's network."""
