"""Icons: one concept a class, each of its pictures by another icon set where there are enough."""
