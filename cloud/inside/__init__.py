"""What runs in the environment of the services or inside a node, as programs of their own. Nothing else imports it."""
