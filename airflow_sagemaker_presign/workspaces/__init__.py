"""What AWS's answers mean: one module for each kind of workspace that this package opens."""
