"""Reading pickles of arrays from strangers, without running what they name."""
