//! One life of a host: from its start to its crash.
//!
//! Rule: a host that is being crashed is taken apart actor by actor, and what they say then was never said: it counts
//! only while the life lasts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// A life, shared by all who must know that it is over.
#[derive(Debug, Clone)]
pub struct Life(Arc<Flags>);

#[derive(Debug)]
struct Flags {
    lasts: AtomicBool,
    is_to_die: AtomicBool,
}

impl Life {
    /// A new one.
    pub fn begin() -> Self {
        Self(Arc::new(Flags {
            lasts: AtomicBool::new(true),
            is_to_die: AtomicBool::new(false),
        }))
    }

    /// Whether it lasts.
    pub fn lasts(&self) -> bool {
        self.0.lasts.load(Ordering::Relaxed)
    }

    /// It is over.
    pub fn end(&self) {
        self.0.lasts.store(false, Ordering::Relaxed);
    }

    /// Something that runs here wants it to end; whoever runs the world crashes the host.
    pub fn wish_to_die(&self) {
        self.0.is_to_die.store(true, Ordering::Relaxed);
    }

    /// Whether the host is to be crashed.
    pub fn is_to_die(&self) -> bool {
        self.lasts() && self.0.is_to_die.load(Ordering::Relaxed)
    }
}
