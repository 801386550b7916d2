"""What single recipes are made of, beside the stages that several use: a module each."""
