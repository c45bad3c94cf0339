//! Finds where an unframed JSON object ends, as cheaply as that can be done: strings are jumped over, nothing is checked.

use memchr::{memchr2, memmem};

/// How far the search has come; every byte is looked at once.
#[derive(Debug, Default)]
pub struct End {
    at: usize,
    depth: usize,
    in_string: bool,
}

impl End {
    /// The length of the object that begins this buffer, once it is whole. The buffer may only have grown since the
    /// last call.
    pub fn find(&mut self, buffer: &[u8]) -> Option<usize> {
        while let Some(rest) = buffer.get(self.at..).filter(|rest| !rest.is_empty()) {
            if self.in_string {
                self.skip_text(rest);
                continue;
            }
            self.at += 1;
            match rest.first() {
                Some(b'"') => self.in_string = true,
                Some(b'{') => self.depth += 1,
                Some(b'}') => {
                    self.depth = self.depth.saturating_sub(1);
                    if self.depth == 0 {
                        return Some(self.at);
                    }
                }
                _ => {}
            }
        }
        None
    }

    /// Up to and over the next quote or escape.
    fn skip_text(&mut self, rest: &[u8]) {
        let Some(plain) = memchr2(b'"', b'\\', rest) else {
            self.at += rest.len();
            return;
        };
        let is_escape = rest.get(plain) == Some(&b'\\');
        self.in_string = is_escape;
        // Behind an escape comes one byte that ends nothing; it may not have arrived yet.
        self.at += plain + if is_escape { 2 } else { 1 };
    }
}

/// How many bytes follow these words; none where they do not say.
pub fn raw_len(words: &[u8]) -> usize {
    const BEFORE: &[u8] = br#""raw":"#;
    let at = memmem::find(words, BEFORE).map(|at| at + BEFORE.len());
    let rest = at.and_then(|at| words.get(at..)).unwrap_or_default();
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |length: usize, digit| {
        length
            .saturating_mul(10)
            .saturating_add(usize::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_read_where_there_is_one() {
        assert_eq!(raw_len(br#"{"a":1,"raw":1000,"b":2}"#), 1000);
        assert_eq!(raw_len(br#"{"a":1}"#), 0);
    }

    #[test]
    fn an_object_that_is_split_at_any_byte_is_found() {
        let text = br#"{"a":"}\"\\","b":{"c":[1]}}{"#;
        let whole = text.len() - 1;
        for split in 0..=text.len() {
            let mut end = End::default();
            let first = end.find(&text[..split]);
            assert_eq!(first, (split >= whole).then_some(whole), "{split}");
            if first.is_none() {
                assert_eq!(end.find(text), Some(whole), "{split}");
            }
        }
    }
}
