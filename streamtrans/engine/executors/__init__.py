"""Executors: models of three kinds, each with the runners that make its passes."""
