"""The nouns of billing, immutable, and the values that they are made of."""
