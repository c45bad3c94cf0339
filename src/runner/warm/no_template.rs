//! Where no interpreter is forked: elsewhere than on Linux nobody would find what a forked script has left, and on macOS the
//! system's own libraries do not survive a fork.

use std::convert::Infallible;
use std::io;
use std::os::fd::OwnedFd;
use std::process::ExitStatus;

use super::Recipe;
use super::packet::Order;

/// There is none.
#[derive(Debug)]
pub struct Template(Infallible);

/// There is none.
#[derive(Debug)]
pub struct Child(Infallible);

/// How a request would end.
#[derive(Debug)]
pub enum Start {
    /// The script runs.
    Began(Child),
    /// It never began.
    Cold(String),
}

impl Template {
    /// Starts nothing.
    ///
    /// # Errors
    /// Always.
    pub async fn start(_: Recipe<'_>) -> Result<Self, String> {
        Err("only Linux has them".into())
    }

    /// Never called.
    pub fn is_over(&self) -> bool {
        match self.0 {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub async fn begin(&self, _: Order<'_>, _: &[OwnedFd; 2]) -> io::Result<Start> {
        match self.0 {}
    }
}

impl Child {
    /// Never called.
    pub fn id(&self) -> i32 {
        match self.0 {}
    }

    /// Never called.
    pub fn look(&mut self) {
        match self.0 {}
    }

    /// Never called.
    ///
    /// # Errors
    /// None.
    pub async fn wait(&mut self) -> io::Result<ExitStatus> {
        match self.0 {}
    }
}
