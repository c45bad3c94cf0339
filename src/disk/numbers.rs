//! The number behind a name that is taken: `exemplo.2.zip`.

/// Highest number that a name may get; no folder holds as many files of one name.
const NUMBER_MAX: u64 = 1 << 40;

/// A number that is free or will be soon, found in a logarithm of looks: all below it need not be taken.
pub(crate) fn free_number(taken: impl Fn(u64) -> bool) -> u64 {
    if !taken(1) {
        return 1;
    }
    let (mut low, mut high) = (1, 2);
    while high < NUMBER_MAX && taken(high) {
        (low, high) = (high, high * 2);
    }
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if taken(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_number_is_found_in_few_looks() {
        for count in [0, 1, 2, 3, 5, 1000, 1_000_000] {
            let looks = std::cell::Cell::new(0);
            let taken = |number| {
                looks.set(looks.get() + 1);
                number <= count
            };
            assert_eq!(free_number(taken), count + 1);
            assert!(looks.get() <= 45, "{} looks for {count}", looks.get());
        }
    }
}
