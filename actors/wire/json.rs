//! One value as compact JSON at the end of a buffer.

use serde::Serialize;

/// Appends a value as JSON.
pub(super) fn write_json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) {
    let start = out.len();
    // Memory takes every byte and our values have string keys only, so this cannot fail; if it did, null is still JSON.
    if serde_json::to_writer(&mut *out, value).is_err() {
        out.truncate(start);
        out.extend_from_slice(b"null");
    }
}
