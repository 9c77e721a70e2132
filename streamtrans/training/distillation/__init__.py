"""Training data made by a teacher."""
