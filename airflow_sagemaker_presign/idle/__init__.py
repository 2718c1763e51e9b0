"""Stop what is idle: how long to watch a workspace, when to warn, and when to stop it."""
