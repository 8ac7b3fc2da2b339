"""What an evaluation found, for people: a page, a comparison, and words for every number."""
