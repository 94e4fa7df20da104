"""An action and its context -> a score from 0 to 100 and the factors it is the sum of."""
