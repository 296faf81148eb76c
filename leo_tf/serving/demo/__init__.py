"""A page on which classes are drawn, and classified while LEO's adaptation is looked at."""
