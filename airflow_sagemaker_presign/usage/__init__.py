"""Is a notebook in use: its Jupyter server's answers, and what follows from them."""
