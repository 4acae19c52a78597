"""The audits that ask the model anew: which questions are put, and the rows that come back, kept step by step."""
