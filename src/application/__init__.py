"""Use cases: the domain and its ports put to work, with no adapter imported."""
