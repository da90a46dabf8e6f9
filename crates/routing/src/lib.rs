//! Decisions as pure functions: itinerary, candidates, strategies, retry and cooldown verdicts.
