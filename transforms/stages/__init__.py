"""Stages that several recipes use."""
