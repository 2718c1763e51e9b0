"""The kinds of workspaces: AWS's calls and statuses, one module for each kind."""
