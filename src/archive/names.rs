//! From an entry's name to a relative path that stays below the folder it is joined to, on every platform.

/// Longest name of an entry, in bytes: with a work folder before it, far from the 4096 of Linux and with room for the
/// deepest trees that people pack.
pub const NAME_MAX: usize = 512;
/// Longest part of a name between two slashes, in bytes: what the common file systems take.
pub const PART_MAX: usize = 255;

/// What keeps a name from being a path below a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameFault {
    /// Longer than [`NAME_MAX`], or a part of it than [`PART_MAX`].
    #[error("has a name that is too long (at most {NAME_MAX} bytes, {PART_MAX} between slashes)")]
    TooLong,
    /// Nothing but slashes and dots, or bytes that are no text.
    #[error("has no usable name")]
    Empty,
    /// It starts at the root of a disk.
    #[error("has an absolute path")]
    Absolute,
    /// It climbs out of the folder.
    #[error("leaves the folder through \"..\"")]
    Climbs,
    /// A backslash separates folders on one system and is a letter on another.
    #[error("has a backslash in its name, which is a folder on one system and a letter on another")]
    Backslash,
    /// NUL and other control characters.
    #[error("has control characters in its name")]
    Control,
}

/// The name with `/` between its parts and without empty ones and `.`, so that equal paths have equal names.
///
/// # Errors
/// When the name could mean a path outside the folder that it is joined to, on any platform.
pub fn tidy(name: &str) -> Result<String, NameFault> {
    let bytes = name.as_bytes();
    if bytes.len() > NAME_MAX {
        return Err(NameFault::TooLong);
    }
    if name.chars().any(char::is_control) {
        return Err(NameFault::Control);
    }
    if name.contains('\\') {
        return Err(NameFault::Backslash);
    }
    if name.starts_with('/') {
        return Err(NameFault::Absolute);
    }
    let parts: Vec<&str> = name
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    // A drive letter counts wherever the first real part begins: `./C:x` would be one again once tidied.
    let first = parts.first().ok_or(NameFault::Empty)?.as_bytes();
    if first.first().is_some_and(u8::is_ascii_alphabetic) && first.get(1) == Some(&b':') {
        return Err(NameFault::Absolute);
    }
    if parts.contains(&"..") {
        return Err(NameFault::Climbs);
    }
    if parts.iter().any(|part| part.len() > PART_MAX) {
        return Err(NameFault::TooLong);
    }
    Ok(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn common_names_stay_as_they_are() {
        for name in [
            "main.py",
            "a/b/c.csv",
            ".hidden",
            "açaí/não.txt",
            "12:30.csv",
            "a..b",
            "...",
        ] {
            assert_eq!(tidy(name).as_deref(), Ok(name));
        }
    }

    #[test]
    fn equal_paths_get_equal_names() {
        for name in ["a/b", "a//b", "./a/b", "a/./b/"] {
            assert_eq!(tidy(name).as_deref(), Ok("a/b"));
        }
    }

    #[test]
    fn what_could_leave_the_folder_is_refused() {
        let cases = [
            ("../x", NameFault::Climbs),
            ("a/../../x", NameFault::Climbs),
            ("a/..", NameFault::Climbs),
            ("/etc/passwd", NameFault::Absolute),
            ("C:/x", NameFault::Absolute),
            ("./c:x", NameFault::Absolute),
            ("..\\x", NameFault::Backslash),
            ("\\\\server\\share", NameFault::Backslash),
            ("a\0b", NameFault::Control),
            ("a\nb", NameFault::Control),
            ("", NameFault::Empty),
            ("./.", NameFault::Empty),
        ];
        for (name, fault) in cases {
            assert_eq!(tidy(name), Err(fault), "{name:?}");
        }
        assert_eq!(tidy(&"a".repeat(PART_MAX + 1)), Err(NameFault::TooLong));
        assert_eq!(tidy(&"a/".repeat(NAME_MAX)), Err(NameFault::TooLong));
    }

    proptest! {
        #[test]
        fn a_tidy_name_is_a_path_of_plain_parts_and_stays_itself(name in "(\\.\\.|[a-zC:./\\\\]|\\PC){0,12}") {
            if let Ok(tidied) = tidy(&name) {
                prop_assert!(Path::new(&tidied).components().all(|part| matches!(part, Component::Normal(_))));
                prop_assert_eq!(tidy(&tidied), Ok(tidied.clone()));
            }
        }
    }
}
