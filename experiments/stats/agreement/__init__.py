"""How far judges agree: with people, with one another and with themselves. Arrays in, numbers out."""
