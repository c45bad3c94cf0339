//! What a developer of mutirao runs.
fn main() {}
