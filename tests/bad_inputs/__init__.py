"""Bad inputs to every loss and to what surrounds losses, at random shapes: each is refused before anything is computed."""
