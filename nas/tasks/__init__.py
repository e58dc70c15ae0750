"""What networks are trained for besides telling classes apart, one folder a task."""
