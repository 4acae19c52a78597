"""A judge as a plug-in: with its model and the way it is asked, loaded by name, asked about plain strings."""
