# An import that says something cannot be done early.
import this
