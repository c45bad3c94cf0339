//! As much of Rust as the floors need: words without comments, strings and tests, and the paths that they spell.
#![expect(clippy::unwrap_used, reason = "what cannot be read fails the test")]

use std::fs;
use std::path::{Path, PathBuf};

/// Files and folders that only tests see.
const TEST_NAMES: [&str; 5] = [
    "tests",
    "tests.rs",
    "testing.rs",
    "samples.rs",
    "fixtures.rs",
];

/// A source file.
pub struct Source {
    /// Relative to the workspace.
    pub path: String,
    /// As it stands there.
    pub text: String,
    /// What the compiler builds outside tests.
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    word: String,
    line: usize,
}

/// A path of modules as it is used somewhere: `["crate", "logic", "queue", "Queue"]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Used {
    /// Its parts; `super` and `self` are resolved.
    pub parts: Vec<String>,
    /// Where it stands, from 1.
    pub line: usize,
}

/// Every Rust file below the folder.
pub fn sources_below(folder: &str) -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join(folder)];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.push(Source::new(name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "no Rust file below {folder}");
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

impl Source {
    /// Takes a file's text.
    pub fn new(path: &str, text: impl Into<String>) -> Self {
        let text = text.into();
        Self {
            path: path.into(),
            tokens: without_tests(tokens(&text)),
            text,
        }
    }

    /// Whether the whole file is tests, or made for them.
    pub fn is_test(&self) -> bool {
        let mut parts = Path::new(&self.path).iter();
        parts.any(|part| TEST_NAMES.iter().any(|name| part == *name))
    }

    /// The module that the file is, below the folder of its crate: `actors/logic/mod.rs` is `["logic"]`.
    pub fn module(&self) -> Vec<String> {
        let path = PathBuf::from(&self.path).with_extension("");
        let below = path.iter().skip(1);
        let parts = below.map(|part| part.to_str().unwrap().to_owned());
        parts
            .filter(|part| !["mod", "lib", "main"].contains(&part.as_str()))
            .collect()
    }

    /// Where these words stand one after the other.
    pub fn lines_with(&self, words: &[&str]) -> Vec<usize> {
        let windows = self.tokens.windows(words.len());
        let hits =
            windows.filter(|window| window.iter().map(|t| &*t.word).eq(words.iter().copied()));
        hits.map(|window| window[0].line).collect()
    }

    /// Every path of two parts or more.
    pub fn paths(&self) -> Vec<Used> {
        let mut used = Vec::new();
        let mut at = 0;
        while at < self.tokens.len() {
            let is_start = is_name(&self.tokens[at].word)
                && self.word(at + 1) == "::"
                && (at == 0 || self.word(at - 1) != "::");
            if is_start {
                at = self.path_from(at, &[], &mut used);
            } else {
                at += 1;
            }
        }
        for path in &mut used {
            path.parts = self.resolve(&path.parts);
        }
        used
    }

    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| &token.word)
    }

    /// Reads the path that begins here, groups in braces included, and returns where it ends.
    fn path_from(&self, mut at: usize, before: &[String], used: &mut Vec<Used>) -> usize {
        let mut parts = before.to_vec();
        let line = self.tokens[at].line;
        while is_name(self.word(at)) {
            parts.push(self.word(at).to_owned());
            at += 1;
            if self.word(at) != "::" {
                break;
            }
            at += 1;
            if self.word(at) == "{" {
                at += 1;
                while !["}", ""].contains(&self.word(at)) {
                    at = if is_name(self.word(at)) {
                        self.path_from(at, &parts, used)
                    } else {
                        at + 1
                    };
                }
                return at + 1;
            }
        }
        used.push(Used { parts, line });
        // A new name after `as` is no path.
        if self.word(at) == "as" { at + 2 } else { at }
    }

    /// The path from the root of the crate, if it is relative. A short name that was imported stays short: the import
    /// was looked at.
    fn resolve(&self, parts: &[String]) -> Vec<String> {
        let is_relative = |part: &&String| ["self", "super"].contains(&part.as_str());
        let relative = parts.iter().take_while(is_relative).count();
        if relative == 0 {
            return parts.to_vec();
        }
        let mut base = [vec!["crate".to_owned()], self.module()].concat();
        let ups = parts[..relative].iter().filter(|part| *part == "super");
        base.truncate(base.len().saturating_sub(ups.count()));
        [&base, &parts[relative..]].concat()
    }
}

fn is_name(word: &str) -> bool {
    let first = word.chars().next();
    first.is_some_and(|c| c.is_alphabetic() || c == '_') && !["as", "use", "mod"].contains(&word)
}

/// Names, numbers and `::` as words, every other sign by itself; comments and the insides of literals left out.
fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (text, 1);
    while let Some(first) = rest.chars().next() {
        let (length, word) = if first.is_whitespace() {
            (first.len_utf8(), None)
        } else if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), None)
        } else if rest.starts_with("/*") {
            (rest.find("*/").map_or(rest.len(), |at| at + 2), None)
        } else if let Some(length) = literal(rest) {
            (length, Some("\"\"".to_owned()))
        } else if rest.starts_with("::") {
            (2, Some("::".to_owned()))
        } else {
            let is_word = |c: char| c.is_alphanumeric() || c == '_';
            let length = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
            let length = length.max(first.len_utf8());
            (length, Some(rest[..length].to_owned()))
        };
        tokens.extend(word.map(|word| Token { word, line }));
        line += rest[..length].matches('\n').count();
        rest = &rest[length..];
    }
    tokens
}

/// The length of the string or character that begins here.
fn literal(rest: &str) -> Option<usize> {
    let bare = rest.strip_prefix('b').unwrap_or(rest);
    let prefix = rest.len() - bare.len();
    if let Some(raw) = bare.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        let inside = raw[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let length = inside.find(&end).map_or(inside.len(), |at| at + end.len());
        return Some(prefix + 1 + hashes + 1 + length);
    }
    let quote = bare.chars().next().filter(|c| ['"', '\''].contains(c))?;
    let mut escaped = false;
    for (at, c) in bare.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return Some(prefix + at + 1),
            // A lifetime, not a character.
            _ if quote == '\'' && at > 1 && !bare[1..].starts_with('\\') => return None,
            _ => {}
        }
    }
    None
}

/// Leaves out `#[cfg(test)]` and the module or item that it marks.
fn without_tests(tokens: Vec<Token>) -> Vec<Token> {
    let mark = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let words = tokens[at..].iter().map(|token| &*token.word);
        if !words.take(mark.len()).eq(mark) {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        }
        let mut depth = 0;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token.word.as_str() {
                "{" => depth += 1,
                "}" => depth -= 1,
                _ => {}
            }
            if depth == 0 && [";", "}"].contains(&token.word.as_str()) {
                break;
            }
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(path: &str, text: &str) -> Vec<String> {
        let source = Source::new(path, text);
        source
            .paths()
            .iter()
            .map(|used| used.parts.join("::"))
            .collect()
    }

    #[test]
    fn paths_are_found_in_groups_in_code_and_from_above() {
        let text =
            "use crate::{model::{A, B as C}, wire};\nfn f(x: super::port::P) { wire::go(self::g) }";
        let found = paths("actors/registry/report.rs", text);
        let expected = [
            "crate::model::A",
            "crate::model::B",
            "crate::wire",
            "crate::registry::port::P",
            "wire::go",
            "crate::registry::report::g",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn comments_strings_and_tests_are_no_code() {
        let text = r####"// crate::a::b
            /* crate::a::b */ const S: &str = "crate::a \" b::c"; const R: &str = r#"x::"y"#; const C: char = '"';
            fn f<'a>(x: &'a str) {}
            #[cfg(test)] mod tests { use crate::a::b; fn g() { c::d() } }
            use crate::z::y;"####;
        assert_eq!(paths("actors/x.rs", text), ["crate::z::y"]);
    }
}
