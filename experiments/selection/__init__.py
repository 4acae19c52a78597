"""Selection rules: which of the candidates of a question is taken, by their answers and by any scores."""
