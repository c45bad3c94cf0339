//! A slip of the pen: which of the names that there are was likely meant.

use strsim::damerau_levenshtein;

/// Longest name that is compared, in characters: the work grows with its square, and nobody types more.
const NAME_MAX: usize = 100;

/// The nearest of these names, if one is as near as a slip of the pen: a third of its letters, and at least one.
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed: String = typed.chars().take(NAME_MAX).collect();
    let typed = typed.to_lowercase();
    let far = (typed.chars().count() / 3).max(1);
    let distance = |name: &str| damerau_levenshtein(&typed, &name.to_lowercase());
    let known = known.into_iter().filter(|name| name.len() <= NAME_MAX);
    let measured = known.map(|name| (distance(name), name));
    let near = measured.filter(|(distance, _)| *distance <= far);
    near.min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// The question for what was likely meant, to stand behind what went wrong; nothing if nothing is near.
pub fn did_you_mean<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let near = nearest(typed, known);
    near.map_or_else(String::new, |near| format!("; did you mean {near}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["main-7", "main-17", "simulation", "x"];

    #[test]
    fn the_nearest_name_within_a_slip_is_meant() {
        assert_eq!(nearest("man-7", KNOWN), Some("main-7"));
        assert_eq!(nearest("MAIN-17", KNOWN), Some("main-17"));
        assert_eq!(nearest("simualtion", KNOWN), Some("simulation"));
        assert_eq!(nearest("weather", KNOWN), None);
        assert_eq!(nearest("", ["ab"]), None);
        assert_eq!(did_you_mean("man-7", KNOWN), "; did you mean main-7?");
        assert_eq!(did_you_mean("weather", KNOWN), "");
    }

    #[test]
    fn whatever_is_typed_is_compared_in_bounded_work() {
        let long = "a".repeat(1 << 20);
        assert_eq!(nearest(&long, [long.as_str(), "b"]), None);
    }
}
