"""Stages of Caco (arXiv 2510.04081): sampling, reversal, solving, verification."""
