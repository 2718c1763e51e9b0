"""An inbox on this machine: what the mail server and the Slack stand-in were given, as a person would see it."""
