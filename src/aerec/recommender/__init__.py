"""What every recommender shares: ids, ranking, explanations, files."""
