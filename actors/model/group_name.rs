//! What a group of tasks may be called.
//!
//! Rule: a name is typed again by those who read it, into a shell, and may be that of a folder. So none has what a shell or
//! a path reads as more than a letter.

/// Longest name of a group, in bytes: it is kept with each of its tasks.
const GROUP_NAME_MAX: usize = 128;

/// What it may not have, in words for whoever chose it.
pub const GROUP_NAME_WANTED: &str = "a text of 1 to 128 bytes without control characters, slashes, quotes and what a shell reads specially";

/// Whether a group may be called so.
pub fn is_group_name(name: &str) -> bool {
    let is_special =
        |c: char| c.is_control() || "/\\'\"`$;&|<>(){}[]*?!#~\u{2028}\u{2029}".contains(c);
    (1..=GROUP_NAME_MAX).contains(&name.len()) && !name.contains(is_special)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_no_name_that_a_shell_or_a_path_would_read_as_more() {
        for fine in [
            "main-7",
            "192.168.0.7",
            "fe80::1%eth0",
            "números 1-5",
            "a=b,c",
        ] {
            assert!(is_group_name(fine), "{fine}");
        }
        let long = "x".repeat(GROUP_NAME_MAX + 1);
        for bad in [
            "", "../x", "a; b", "$(b)", "a`b`", "a\nb", "~", "it's", &long,
        ] {
            assert!(!is_group_name(bad), "{bad:?}");
        }
    }
}
