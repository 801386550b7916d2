"""A recipe as a package of a user has it: records, stages and checks that cotmill knows not."""
