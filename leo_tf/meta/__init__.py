"""What every meta-learner shares: the outer step, inner loops, learners, noise."""
