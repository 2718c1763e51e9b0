"""The local inbox: received mails and Slack messages, displayed as a person would see them."""
