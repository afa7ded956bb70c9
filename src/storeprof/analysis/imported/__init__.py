"""What recordings made of other tools' files can answer, and what not."""
