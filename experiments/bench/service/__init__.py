"""The service under load: ``client.py`` asks; ``load.py`` starts the service and checks every answer."""
