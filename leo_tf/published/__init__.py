"""What others reported: hyperparameters, accuracies, citations. No TensorFlow."""
