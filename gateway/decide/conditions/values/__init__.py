"""The values that conditions meet and what the language's operators and functions make of them."""
