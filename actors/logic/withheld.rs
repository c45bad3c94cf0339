//! What may be told only once something is written down.
//!
//! Rule: it leaves in the order in which it was decided, so that nobody is told the later without the earlier.

use std::collections::VecDeque;
use std::fmt;

/// What waits to be told. There is no more of it than there are requests in flight, whose number the sessions bound,
/// and files in `tasks/`, whose number the folders bound: nobody who has something written down takes requests while
/// the store does not take it.
pub struct Withheld<T> {
    waiting: VecDeque<(u64, T)>,
    asked: u64,
    safe: u64,
}

impl<T> fmt::Debug for Withheld<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Withheld({} wait)", self.waiting.len())
    }
}

impl<T> Default for Withheld<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            asked: 0,
            safe: 0,
        }
    }
}

impl<T> Withheld<T> {
    /// Something is to be written down: under this ticket, the next.
    pub fn ticket(&mut self) -> u64 {
        self.asked += 1;
        self.asked
    }

    /// Whether all that was to be written down is safe.
    pub fn is_clear(&self) -> bool {
        self.safe == self.asked
    }

    /// Keeps something back until all that was to be written down so far is safe.
    pub fn hold(&mut self, item: T) {
        self.waiting.push_back((self.asked, item));
    }

    /// All up to this ticket is safe: what may now be told.
    pub fn release(&mut self, ticket: u64) -> Vec<T> {
        self.safe = self.safe.max(ticket);
        let due = |(asked, _): &(u64, T)| *asked <= self.safe;
        let count = self.waiting.iter().take_while(|item| due(item)).count();
        let told = self.waiting.drain(..count);
        told.map(|(_, item)| item).collect()
    }

    /// What need not wait any longer, whatever is safe.
    pub fn waive(&mut self, may_be_told: impl Fn(&T) -> bool) -> Vec<T> {
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (told, waiting): (VecDeque<_>, _) = waiting.partition(|(_, item)| may_be_told(item));
        self.waiting = waiting;
        told.into_iter().map(|(_, item)| item).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_decided_later_waits_for_the_earlier() {
        let mut withheld = Withheld::default();
        assert!(withheld.is_clear());
        let first = withheld.ticket();
        withheld.hold("a");
        withheld.hold("b");
        let second = withheld.ticket();
        withheld.hold("c");
        assert!(!withheld.is_clear());
        assert_eq!(withheld.release(first), ["a", "b"]);
        assert_eq!(withheld.release(first), [""; 0]);
        assert!(!withheld.is_clear());
        assert_eq!(withheld.release(second), ["c"]);
        assert!(withheld.is_clear());
    }

    #[test]
    fn what_need_not_wait_is_told_and_the_rest_keeps_its_order() {
        let mut withheld = Withheld::default();
        let first = withheld.ticket();
        for item in ["a", "b", "c"] {
            withheld.hold(item);
        }
        assert_eq!(withheld.waive(|item| *item == "b"), ["b"]);
        assert_eq!(withheld.release(first), ["a", "c"]);
    }
}
