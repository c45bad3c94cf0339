//! Bytes to values and back: what stands on the wire, in every dialect that its speakers use.
