"""A study is a file: a YAML that says what is compared, run into one folder with a report."""
