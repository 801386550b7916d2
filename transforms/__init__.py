"""What cotmill's pipelines are made of: a file or folder per stage, pure core first."""

import sys

# Outputs may be longer than the 4,300 digits that Python reads by itself; the sandbox bounds them.
sys.set_int_max_str_digits(100_000)
