"""New rows from verified seeds: other inputs, with the text rewritten from what the program computed."""
