"""Conversations of several turns with tools: how they are told, judged, chosen and learned."""
