"""What a detector loses when it is made small, where collection and methods are left out."""
