"""Training: verified seeds as examples of what the stages ask, and a model fine-tuned on them."""
