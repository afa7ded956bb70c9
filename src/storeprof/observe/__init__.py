"""Looking at a process from outside: the native sampler (`_observer`) and what its looks mean."""
