//! The program as a library, for embedding.
