//! Simulated providers over real HTTP, scripted and strict.
