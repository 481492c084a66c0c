"""The layouts of the center's database, in order."""
