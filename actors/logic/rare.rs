//! Values of which most are as they were in the beginning.

use std::ops::Deref;

/// What it is in the beginning.
pub trait Untold: Clone + 'static {
    /// The same for all.
    fn untold() -> &'static Self;
}

/// A value that takes the room of a pointer until it is first changed.
#[derive(Debug, Clone)]
pub struct Rare<T>(Option<Box<T>>);

impl<T> Default for Rare<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: Untold + PartialEq> From<T> for Rare<T> {
    fn from(value: T) -> Self {
        Self((value != *T::untold()).then(|| Box::new(value)))
    }
}

impl<T: Untold + PartialEq> PartialEq for Rare<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Untold + Eq> Eq for Rare<T> {}

impl<T: Untold> Rare<T> {
    /// The value.
    pub fn into_inner(self) -> T {
        self.0.map_or_else(|| T::untold().clone(), |told| *told)
    }

    /// The value, to change it.
    pub fn told(&mut self) -> &mut T {
        self.0.get_or_insert_with(|| Box::new(T::untold().clone()))
    }
}

impl<T: Untold> Deref for Rare<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_deref().unwrap_or_else(|| T::untold())
    }
}
