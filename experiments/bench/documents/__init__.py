"""What only our own documents measure and write: peers, asking in text, and the tables of the README."""
