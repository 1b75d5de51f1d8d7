"""The service. Importing it has no effect; ``app.create_app`` makes the application."""
