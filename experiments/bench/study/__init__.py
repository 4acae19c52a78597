"""How much of a study's processor time is spent outside the model, and where."""
