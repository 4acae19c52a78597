"""What weak labels are worth: centring in the question, and counts a question, on drawn worlds and on real states."""
