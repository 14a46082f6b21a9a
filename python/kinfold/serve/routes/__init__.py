"""What can be asked of a server, a file for each kind of question; each adds its routes to an application."""
