"""What can be said of pictures alone: numbers on features, and copies."""
