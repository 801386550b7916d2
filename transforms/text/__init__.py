"""What texts say: numbers, units, equations, answers. Pure functions, no Beam."""
